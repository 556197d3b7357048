import av
import numpy as np
import pytest

from actcl_tf.data.media.containers import streams
from tests.media_files import write_coded

FRAMES = [np.full((32, 32, 3), 100, np.uint8)] * 25
SOUND = np.sin(np.arange(44100) / 20).astype(np.float32) / 2


@pytest.mark.parametrize(
    "suffix, video, audio",
    [
        ("wmv", "wmv2", "wmav2"),
        ("ts", "libx264", "aac"),
        ("vob", "mpeg2video", "mp2"),
        ("mkv", "libx264", "aac"),
        ("mp4", "libx264", "aac"),
        ("avi", "mpeg4", "libmp3lame"),
    ],
)
def test_the_recording_begins_with_its_first_frame(tmp_path, suffix, video, audio):
    path = tmp_path / f"a.{suffix}"
    write_coded(path, FRAMES, SOUND, video=video, audio=audio, sample_rate=44100)
    with av.open(str(path)) as container:
        first = float(container.streams.video[0].start_time * container.streams.video[0].time_base)
        assert streams.zero_of(container) == pytest.approx(first)


@pytest.mark.parametrize(
    "start, sound_start, zero",
    [
        (0.5, 0.0, 0.0),  # Sound that begins long before the picture is a part of the recording.
        (0.12, 0.0, 0.0),
        (0.04, 0.0, 0.04),
        (0.0, 0.5, 0.0),
        (7.0, 6.96, 7.0),
        (7.0, 7.04, 7.0),
    ],
)
def test_a_little_sound_before_the_picture_is_priming(tmp_path, start, sound_start, zero):
    path = tmp_path / "a.nut"
    codecs = {"video": "mpeg4", "audio": "pcm_s16le", "sample_rate": 44100}
    write_coded(path, FRAMES, SOUND, start=start, sound_start=sound_start, **codecs)
    with av.open(str(path)) as container:
        assert streams.zero_of(container) == pytest.approx(zero, abs=0.001)


def test_sound_alone_counts_from_where_it_begins(tmp_path):
    path = tmp_path / "a.mka"
    write_coded(path, FRAMES, SOUND, video=None, audio="flac", sample_rate=44100, start=2.0)
    with av.open(str(path)) as container:
        assert streams.zero_of(container) == pytest.approx(2.0, abs=0.01)
