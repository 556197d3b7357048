"""Reads media files as preparation does, with the settings that most tests share."""

from actcl_tf.data.media import clip_cutting
from actcl_tf.data.media.read_options import ReadOptions

OPTIONS = ReadOptions(
    frame_rate=25.0,
    sample_rate=16000,
    short_side=128,
    clip_seconds=10.0,
    min_seconds=0.5,
    jpeg_quality=95,
    silence_db=-50.0,
)


def read(path, start=0.0, end=None, **changes):
    """The clips of a file, and why others were rejected."""
    return list(clip_cutting.read_clips(path, OPTIONS._replace(**changes), start=start, end=end))
