"""What `decoder.Decoder` and its child process say to each other."""

from typing import Any, NamedTuple

import numpy as np

from actcl_tf.data.media.clip_cutting import MediaClip

ALIVE = "alive"  # The child's, so that nobody takes it for hanging.


class CutRequest(NamedTuple):
    """A video, or a span of it, that is to be cut; see `clip_cutting.read_clips`.

    Attributes:
      path: of the video.
      start: of the span, seconds.
      end: of the span, seconds; None: to the end of the video.
    """

    path: str
    start: float
    end: float | None


class SegmentRequest(NamedTuple):
    """A part of a clip that is to be read out of its video; see `segment_reading.read_segment`.

    Attributes:
      path: of the video.
      start: of the clip in the video, seconds.
      first_frame: of the clip, at the clip's frame rate, that the part begins with.
      num_frames: frames wanted.
      frame_stride: step between them.
      first_sample: of the clip's audio that is wanted.
      num_samples: samples wanted.
      has_jumps: whether time stamps jump somewhere in the video.
    """

    path: str
    start: float
    first_frame: int
    num_frames: int
    frame_stride: int
    first_sample: int
    num_samples: int
    has_jumps: bool = False


class Segment(NamedTuple):
    """What a `SegmentRequest` asked for.

    Attributes:
      frames_jpeg: T JPEG images.
      waveform: [S] float32, mono, in [-1, 1].
    """

    frames_jpeg: list[bytes]
    waveform: np.ndarray


class CutClip(NamedTuple):
    """A good clip, and what duplicates of it are known by (None unless they are looked for)."""

    clip: MediaClip
    fingerprint: Any


class Failure(NamedTuple):
    """A video that gives nothing more, and why (a key of `media.REASONS`)."""

    reason: str
    message: str
