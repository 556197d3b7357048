"""Segments of a file: windows of video and of audio as long as a model wants them.

Video and audio are cut apart from each other, back to back, each over all that there is of it:
where one is silent, damaged or over, the other still counts. The last window ends with the stream.
Windows of video and audio that begin within half a window of each other are one segment.
"""

import bisect
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from actcl_tf.data.media import audio_sampler
from actcl_tf.data.media.clip_cutting import MediaClip, Rejected
from actcl_tf.data.media.read_options import ReadOptions

VIDEO, AUDIO = "video", "audio"
MODALITIES = (VIDEO, AUDIO)
_STREAMS = {VIDEO: "video", AUDIO: "audio"}
_SILENCE_DB = -50.0  # As in preparations: what is quieter was not trained on.
_JPEG_QUALITY = 90  # As in records.


class Shape(NamedTuple):
    """What windows are like.

    Attributes:
      num_frames: frames (T).
      frame_rate: frames a second.
      sample_rate: samples a second.
      short_side: of the frames, pixels.
    """

    num_frames: int
    frame_rate: float
    sample_rate: int
    short_side: int

    @property
    def seconds(self) -> float:
        """Length of a window."""
        return self.num_frames / self.frame_rate

    @property
    def num_samples(self) -> int:
        """Samples (S) of a window of audio."""
        return audio_sampler.num_samples(self.num_frames, self.frame_rate, self.sample_rate)

    def cut_options(self, modality: str) -> ReadOptions:
        """What a decoder is to do with every file for one of MODALITIES."""
        return ReadOptions(
            frame_rate=self.frame_rate,
            sample_rate=self.sample_rate,
            short_side=self.short_side,
            jpeg_quality=_JPEG_QUALITY,
            clip_seconds=self.seconds,
            min_seconds=1.0 / self.frame_rate,
            silence_db=_SILENCE_DB,
            streams=_STREAMS[modality],
        )


class Window(NamedTuple):
    """A window of video or of audio.

    Attributes:
      start: seconds from the beginning of the file.
      content: T JPEG images, or [S] float32, mono, in [-1, 1].
    """

    start: float
    content: list[bytes] | np.ndarray


class Segment(NamedTuple):
    """What is at a time of a file.

    Attributes:
      start: seconds from the beginning of the file.
      has_video: whether there is a window of video.
      has_audio: whether there is a window of audio.
    """

    start: float
    has_video: bool
    has_audio: bool


def windows(
    pieces: Iterable[MediaClip | Rejected], modality: str, shape: Shape
) -> Iterator[Window | Rejected]:
    """Makes windows of what a decoder cut; the last one is moved back to end where the file ends.

    Args:
      pieces: of `clip_cutting.read_clips` with `shape.cut_options(modality)`.
      modality: of MODALITIES.
      shape: of the windows.
    """
    whole = shape.num_frames if modality == VIDEO else shape.num_samples
    before = None  # The window just before the piece.
    for piece in pieces:
        if isinstance(piece, Rejected):
            before = None
            yield piece
            continue
        content = piece.frames_jpeg if modality == VIDEO else piece.waveform
        missing = whole - len(content)
        if missing <= 0:
            before = Window(piece.start, content[:whole])
            yield before
        elif before is not None:
            rest = before.content[whole - missing :]
            joined = rest + content if modality == VIDEO else np.concatenate([rest, content])
            yield Window(max(0.0, piece.end - shape.seconds), joined)
        else:
            yield Rejected(piece.start, piece.end, "too_short")


def pair(videos: Sequence[float], audio: Sequence[float], seconds: float) -> list[Segment]:
    """Segments out of the starts of windows.

    Args:
      videos: starts of the windows of video, seconds, ascending.
      audio: starts of the windows of audio, likewise.
      seconds: length of a window.

    Returns:
      The segments; the n-th that has video is of the n-th window of video, and so for audio.
    """
    found, at = [], 0
    for start in videos:
        first = bisect.bisect_right(audio, start - seconds / 2, at)
        found += [Segment(each, False, True) for each in audio[at:first]]
        has_audio = first < len(audio) and audio[first] < start + seconds / 2
        found.append(Segment(start, True, has_audio))
        at = first + has_audio
    return found + [Segment(each, False, True) for each in audio[at:]]
