import matplotlib.image
import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.inspection import records_sheet
from actcl_tf.storage.errors import DataError
from tests.contract_writer import clip, jpeg


def row(record, **changes):
    values = {"title": "a", "note": "b", "frame_rate": 10.0, "sample_rate": 1000.0, **changes}
    return records_sheet.read_row(record, **values)


def test_frames_stand_over_their_part_of_the_sound():
    # 24 x 32: five frames across; each from the middle of a fifth of the twenty.
    found = row(clip(20))
    assert found.frames.shape == (5, 24, 32, 3)
    np.testing.assert_allclose(found.frames.mean(axis=(1, 2, 3)), [12, 36, 60, 84, 108], atol=1)
    np.testing.assert_allclose(found.waveform, np.arange(2000) / 10000)
    assert found.seconds == 2.0


@pytest.mark.parametrize(
    "record, num_frames, num_samples, seconds",
    [
        (clip(20, 0), 5, None, 2.0),
        (clip(0, 500), None, 500, 0.5),
        (clip(1, 1), 1, 1, 0.001),
        (clip(frames=[jpeg(mode="L")] * 2), 2, 2000, 2.0),
        (clip(frames=[jpeg(size=(90, 30))] * 40), 10, 2000, 2.0),
        (clip(frames=[jpeg(size=(8, 300))] * 40), 1, 2000, 2.0),
    ],
)
def test_clips_of_all_kinds(record, num_frames, num_samples, seconds):
    found = row(record)
    assert (None if found.frames is None else len(found.frames)) == num_frames
    assert (None if found.waveform is None else len(found.waveform)) == num_samples
    assert found.seconds == seconds


def test_a_frame_that_cannot_be_decoded():
    with pytest.raises(DataError, match="x: a frame cannot be decoded"):
        row(clip(frames=[jpeg()[:-50]] * 5), title="x")


def test_a_sheet_of_clips_of_all_kinds(tmp_path, rng):
    noise = rng.uniform(-1, 1, 8000)
    records = [clip(20, waveform=noise), clip(20, 0), clip(0, waveform=noise), clip(1, 1)]
    rows = [row(each, sample_rate=4000.0, title="$x_1 ü") for each in records]
    records_sheet.draw(tmp_path / "sheet.png", rows)
    picture = matplotlib.image.imread(tmp_path / "sheet.png")[..., :3]
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
    height, width, _ = picture.shape
    assert width == 676 and height > 1.2 * width


def test_frames_over_waveform_over_spectrogram(tmp_path, rng):
    loud = row(clip(20, waveform=rng.uniform(-1, 1, 8000)), sample_rate=4000.0)
    records_sheet.draw(tmp_path / "sheet.png", [loud])
    picture = matplotlib.image.imread(tmp_path / "sheet.png")[..., :3]
    frame = np.abs(picture - 108 / 255).max(axis=2) < 0.01  # The last of five.
    wave = (picture[..., 2] > 0.6) & (picture[..., 0] < 0.3)
    spectrogram = (picture[..., 0] > 0.8) & (picture[..., 2] < 0.6)
    masks = (frame, wave, spectrogram)
    rows = [np.median(np.argwhere(mask)[:, 0]) for mask in masks]
    assert rows == sorted(rows)
    assert np.median(np.argwhere(frame)[:, 1]) == pytest.approx(0.88 * picture.shape[1], abs=12)
    for mask in masks[1:]:  # As wide as all frames.
        assert np.median(np.argwhere(mask)[:, 1]) == pytest.approx(338, abs=12)


def test_a_sheet_that_cannot_be_written(tmp_path):
    rows = [row(clip(2))]
    with pytest.raises(DataError, match=r"sheet\.png cannot be written"):
        records_sheet.draw(tmp_path / "none" / "sheet.png", rows)
    assert list(tmp_path.iterdir()) == []


def test_a_sheet_on_another_file_system():
    records_sheet.draw("ram://sheets/a.png", [row(clip(2))])
    with tf.io.gfile.GFile("ram://sheets/a.png", "rb") as file:
        assert file.read(4) == b"\x89PNG"
