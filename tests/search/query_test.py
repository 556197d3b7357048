"""Queries out of real media files and images."""

import numpy as np
import PIL.Image
import pytest

from actcl_tf.search import encoding, query
from actcl_tf.search.segments import AUDIO, VIDEO
from actcl_tf.storage.errors import DataError
from tests import media_files


@pytest.fixture(scope="module")
def encoder(exported_model):
    return encoding.Encoder(str(exported_model))


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Four seconds, which brighten; the tone rises after two, and the last second is silent."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    tones = [media_files.tone(2), media_files.tone(1, frequency=1500.0), np.zeros(16000, "f")]
    return media_files.write_media(
        path,
        frames=[media_files.grey(20 + 2 * i) for i in range(100)],
        sounds=[np.concatenate(tones)],
    )


@pytest.mark.parametrize(
    "modality, start, expected",
    [
        # Windows begin every 0.64 seconds; the middle one of four seconds begins at 1.68.
        (VIDEO, None, 1.92),
        (AUDIO, None, 1.92),
        (VIDEO, 0.0, 0.0),
        (VIDEO, 2.5, 2.5),
        (AUDIO, 1.25, 1.25),
        (VIDEO, 3.36, 3.36),
    ],
)
def test_the_window_is_in_the_middle_or_where_named(film, encoder, modality, start, expected):
    found = query.of_media(str(film), modality, encoder, start=start)
    assert (found.modality, found.path) == (modality, str(film))
    assert found.start == pytest.approx(expected)
    assert found.vector.shape == (16,)
    assert np.linalg.norm(found.vector) == pytest.approx(1, abs=1e-5)


def test_other_times_are_other_vectors(film, encoder):
    vectors = [
        query.of_media(str(film), AUDIO, encoder, start=start).vector for start in (0.0, 1.0, 2.2)
    ]
    assert vectors[0] @ vectors[1] > 0.99 > vectors[0] @ vectors[2]


def test_the_middle_is_sought_where_there_is_audio(encoder, tmp_path):
    quiet = np.zeros([5 * 16000], np.float32)
    path = media_files.write_media(
        tmp_path / "late.wav",  # The first window with audio begins at 4.48 seconds.
        sounds=[np.concatenate([quiet, media_files.tone(1.0)])],
        sound_codec="pcm_s16le",
    )
    assert query.of_media(str(path), AUDIO, encoder).start == pytest.approx(4.48)


@pytest.mark.parametrize(
    "modality, start, expected",
    [
        (AUDIO, 3.2, r"--audio=.*film.mp4: at 3.2 seconds, the audio is digital silence"),
        (VIDEO, 3.6, r"--video=.*film.mp4: at 3.6 seconds, there is less video than the 0.64"),
        (VIDEO, 99.0, r"--video=.*film.mp4: there is no video from --start=99 seconds on"),
    ],
)
def test_a_time_without_a_window_is_an_error(film, encoder, modality, start, expected):
    with pytest.raises(DataError, match=expected):
        query.of_media(str(film), modality, encoder, start=start)


def test_files_that_are_no_query(encoder, tmp_path):
    (tmp_path / "text.mp4").write_text("no film")
    media_files.write_clip(tmp_path / "seen.mp4", sounds=())
    media_files.write_clip(tmp_path / "short.mp4", 0.3)
    for name, modality, expected in (
        ("text.mp4", VIDEO, "damaged"),
        ("none.mp4", VIDEO, r"none\.mp4: No such file or directory$"),
        ("seen.mp4", AUDIO, "no_audio"),
        ("short.mp4", VIDEO, "less video than the 0.64 seconds of a query"),
    ):
        with pytest.raises(DataError, match=expected):
            query.of_media(str(tmp_path / name), modality, encoder)


@pytest.mark.parametrize(
    "name, size, expected",
    [
        ("a.png", (30, 20), (20, 30)),
        ("a.png", (300, 200), (46, 69)),
        ("a.jpg", (900, 600), (46, 70)),
        ("a.png", (1, 500), (500, 1)),
    ],
)
def test_an_image_is_a_film_in_which_nothing_moves(encoder, tmp_path, name, size, expected):
    PIL.Image.new("RGB", size, (200, 100, 50)).save(tmp_path / name, quality=95)
    found = query.of_image(str(tmp_path / name), encoder)
    assert found.still.shape == (*expected, 3)
    frames = [media_files.grey(0) + np.array([200, 100, 50], np.uint8)] * 40
    film = media_files.write_media(tmp_path / "film.mp4", frames=frames)
    assert found.vector @ query.of_media(str(film), VIDEO, encoder).vector > 0.99


def test_images_of_other_modes_and_turned_ones(encoder, tmp_path):
    for mode, name in (("L", "a.png"), ("P", "b.gif"), ("RGBA", "c.png"), ("I;16", "d.png")):
        PIL.Image.new(mode, (64, 48)).save(tmp_path / name)
        assert query.of_image(str(tmp_path / name), encoder).still.shape[2] == 3
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # To be turned by a quarter.
    PIL.Image.new("RGB", (40, 20)).save(tmp_path / "turned.jpg", exif=exif)
    assert query.of_image(str(tmp_path / "turned.jpg"), encoder).still.shape == (40, 20, 3)


def test_numbers_above_255_are_scaled_or_refused_and_not_cut(encoder, tmp_path):
    grey = np.full([48, 64], 100 * 256 + 7, np.uint16)
    PIL.Image.fromarray(grey).save(tmp_path / "deep.png")
    still = query.of_image(str(tmp_path / "deep.png"), encoder).still
    np.testing.assert_array_equal(np.unique(still), [100])
    for kind in (np.int32, np.float32):
        PIL.Image.fromarray(grey.astype(kind)).save(tmp_path / "wide.tiff")
        with pytest.raises(DataError, match=r"wide.tiff: has pixels of 32 bits.*save it with 8"):
            query.of_image(str(tmp_path / "wide.tiff"), encoder)


@pytest.mark.parametrize("data", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + bytes(40), None])
def test_what_is_no_image_is_an_error(encoder, tmp_path, data):
    path = tmp_path / "a.png"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(DataError, match=r"--image=.*a\.png.* read"):
        query.of_image(str(path), encoder)
