"""What `decoder.Decoder` and its child process say to each other."""

from typing import Any, NamedTuple

from actcl_tf.data.clip_cutting import MediaClip


class CutOptions(NamedTuple):
    """What is done with every video.

    Attributes:
      reading: keyword arguments of `clip_cutting.read_clips`, but for the path and the span.
      filters: of `clip_filters.FILTERS`.
    """

    reading: dict[str, Any]
    filters: tuple[str, ...] = ()


class CutClip(NamedTuple):
    """A good clip, and what duplicates of it are known by (None unless they are looked for)."""

    clip: MediaClip
    fingerprint: Any


class Failure(NamedTuple):
    """A video that gives nothing more, and why (a key of `media.REASONS`)."""

    reason: str
    message: str
