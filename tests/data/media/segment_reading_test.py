"""Parts of clips read out of videos are what cutting the videos gives."""

import io

import numpy as np
import pytest
from PIL import Image

from actcl_tf.data.media import clip_cutting, segment_reading
from actcl_tf.data.media.containers import media, part_packets
from actcl_tf.data.media.decoder_messages import SegmentRequest
from actcl_tf.data.media.read_options import ReadOptions
from tests.media_files import flat_frame, grey, tone, write_clip, write_frames, write_media

READING = ReadOptions(frame_rate=12.5, sample_rate=16000, short_side=32, jpeg_quality=90)
CUTTING = READING._replace(clip_seconds=2.0, min_seconds=1.0, silence_db=None)


def cut(path):
    pieces = list(clip_cutting.read_clips(str(path), CUTTING))
    return [piece for piece in pieces if isinstance(piece, clip_cutting.MediaClip)]


def request(path, clip, *, first=0, num=4, stride=1, samples=None):
    start = first * 1280  # Samples a frame: 16000 / 12.5.
    wanted = num * stride * 1280 if samples is None else samples
    return SegmentRequest(str(path), clip.start, first, num, stride, start, wanted)


@pytest.fixture(scope="module")
def changing(tmp_path_factory):
    """12 s whose grey level and pitch tell the time, 25 frames a second, key frames a second."""
    path = tmp_path_factory.mktemp("spans") / "changing.mp4"
    levels = [20 + (7 * i) % 210 for i in range(300)]
    pitch = np.concatenate([tone(1.0, frequency=200.0 + 60 * i) for i in range(12)])
    return write_media(path, frames=[grey(level) for level in levels], sounds=[pitch], gop=25)


@pytest.mark.parametrize(
    ("index", "first", "num", "stride"),
    [(0, 0, 25, 1), (0, 3, 4, 2), (0, 24, 1, 1), (1, 0, 8, 3), (1, 7, 5, 1)],
)
def test_a_part_before_seeking_pays_is_what_was_cut_to_the_bit(changing, index, first, num, stride):
    clip = cut(changing)[index]
    span = segment_reading.read_segment(
        request(changing, clip, first=first, num=num, stride=stride), READING
    )
    assert span.frames_jpeg == clip.frames_jpeg[first : first + num * stride : stride]
    np.testing.assert_array_equal(
        span.waveform, clip.waveform[first * 1280 : (first + num * stride) * 1280]
    )


@pytest.mark.parametrize(("index", "first"), [(2, 19), (3, 0), (4, 11), (5, 9)])
@pytest.mark.parametrize("is_seeking", [False, True])
def test_a_part_that_is_far_from_the_front(changing, monkeypatch, index, first, is_seeking):
    clip = cut(changing)[index]
    if is_seeking:
        monkeypatch.setattr(part_packets, "_READ", 5.0)
    span = segment_reading.read_segment(
        request(changing, clip, first=first, num=3, stride=2), READING
    )
    assert span.frames_jpeg == clip.frames_jpeg[first : first + 6 : 2]
    expected = clip.waveform[first * 1280 : (first + 6) * 1280]
    assert span.waveform.shape == expected.shape
    if not is_seeking:
        np.testing.assert_array_equal(span.waveform, expected)
    # Sound may be shifted by less than a sample: half a turn of 860 Hz takes 9.
    assert np.abs(span.waveform - expected).max() < 0.2
    assert np.corrcoef(span.waveform, expected)[0, 1] > 0.99


def test_frames_that_are_counted_only_have_no_bytes(changing):
    counted = list(clip_cutting.read_clips(str(changing), CUTTING._replace(jpeg_quality=None)))
    stored = cut(changing)
    assert [clip.frames_jpeg for clip in counted] == [[b""] * 25] * 6
    for one, other in zip(counted, stored, strict=True):
        assert (one.start, one.end, one.height, one.width) == (
            *(other.start, other.end),
            *Image.open(io.BytesIO(other.frames_jpeg[0])).size[::-1],
        )
        np.testing.assert_array_equal(one.waveform, other.waveform)


def test_a_video_whose_sound_starts_late_begins_with_it(tmp_path):
    path = write_clip(tmp_path / "late.mp4", 3.0, sounds=[tone(2.5)], sound_start=0.5)
    (clip,) = cut(path)
    assert 0.4 < clip.start < 0.6
    span = segment_reading.read_segment(request(path, clip, num=25), READING)
    assert span.frames_jpeg == clip.frames_jpeg
    np.testing.assert_array_equal(span.waveform, clip.waveform)


def test_an_interlaced_video_is_read_from_its_first_frame(tmp_path):
    frames = [flat_frame((40 + 2 * i, 128, 128), "yuv420p") for i in range(50)]
    options = {"x264-params": "tff=1"}
    path = write_frames(tmp_path / "a.mkv", frames, options=options, sound_codec="pcm_s16le")
    (clip,) = cut(path)
    assert clip.start == 0.0
    span = segment_reading.read_segment(request(path, clip, num=25), READING)
    assert span.frames_jpeg == clip.frames_jpeg
    np.testing.assert_array_equal(span.waveform, clip.waveform)


def test_silence_within_a_good_clip_is_read(tmp_path):
    path = write_clip(
        tmp_path / "half.mp4", 2.0, sounds=[np.concatenate([tone(1.0), 0 * tone(1.0)])]
    )
    (clip,) = cut(path)
    span = segment_reading.read_segment(request(path, clip, first=20, num=4), READING)
    assert np.abs(span.waveform).max() < 1e-3


@pytest.mark.parametrize("change", ["gone", "shorter", "cut off", "other", "silent"])
def test_a_video_that_changed_is_refused(tmp_path, change):
    path = write_clip(tmp_path / "a.mp4", 4.0)
    clip = cut(path)[1]
    if change == "gone":
        path.unlink()
    elif change == "shorter":
        write_clip(path, 2.5)
    elif change == "cut off":
        path.write_bytes(path.read_bytes()[:4000])
    elif change == "other":
        path.write_text("no video" * 99)
    else:
        write_media(path, frames=[grey(i) for i in range(100)])
    with pytest.raises(media.MediaError) as error:
        segment_reading.read_segment(request(path, clip, num=25), READING)
    assert error.value.reason == {"gone": "missing", "silent": "no_audio"}.get(change, "damaged")


def test_a_stream_that_begins_after_the_part_is_refused(tmp_path):
    path = write_clip(tmp_path / "late.mp4", 3.0, sounds=[tone(2.0)], sound_start=1.0)
    wanted = SegmentRequest(str(path), 0.2, 0, 4, 1, 0, 5120)
    with pytest.raises(media.MediaError, match="nothing is shown or heard before"):
        segment_reading.read_segment(wanted, READING)
