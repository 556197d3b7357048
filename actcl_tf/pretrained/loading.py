"""An export and media for it, in one call each."""

import pathlib
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from actcl_tf.data.media import clip_cutting
from actcl_tf.data.media.containers import media
from actcl_tf.data.media.read_options import ReadOptions
from actcl_tf.pretrained import layout
from actcl_tf.pretrained.encoders import AudioEncoder, Path, VideoEncoder


class Clip(NamedTuple):
    """What was read of a file, ready for the encoders.

    Attributes:
      frames: [1, T, H, W, 3] uint8; None where there is no video.
      waveform: [1, S] float32 in [-1, 1], of the same span; None where there is no audio.
    """

    frames: np.ndarray | None
    waveform: np.ndarray | None


class Pretrained(NamedTuple):
    """Encoders of an export.

    Attributes:
      video: takes frames.
      audio: takes waveforms.
      metadata: what is said of them; see `metadata["signatures"]` for what they take.
    """

    video: VideoEncoder
    audio: AudioEncoder
    metadata: dict[str, Any]

    def read(
        self,
        path: Path,
        streams: str = "both",
        start: float = 0.0,
        end: float | None = None,
    ) -> Clip:
        """Reads a video or an audio file at the rates that the encoders take.

        Args:
          path: of the file; anything that FFmpeg's libraries read.
          streams: both, video (the video alone) or audio (the audio alone).
          start: seconds, where to begin.
          end: seconds, where to end; None: at the end of the file.

        Raises:
          data.media.MediaError: the file cannot be read, or lacks what is to be read.
        """
        return _read(path, self.metadata, streams, start, end)


def load(path: Path, version: int | None = None) -> Pretrained:
    """Loads the encoders of an export.

    Args:
      path: folder of the export (--output of tools/export.py).
      version: which of its versions; None: the highest.

    Raises:
      PretrainedError: there is no such export, or it is damaged.

    Example:
      >>> encoders = actcl_tf.load("models/mine")
      >>> clip = encoders.read("videos/mine.mp4", end=2.0)
      >>> video = encoders.video.embed(clip.frames)["embedding"]
      >>> audio = encoders.audio.embed(clip.waveform)["embedding"]
      >>> tf.matmul(video, audio, transpose_b=True).shape
      TensorShape([1, 1])
    """
    encoders = [layer(path, version) for layer in (VideoEncoder, AudioEncoder)]
    return Pretrained(*encoders, layout.read_metadata(pathlib.Path(path), version))


def _read(
    path: Path, metadata: dict[str, Any], streams: str, start: float, end: float | None
) -> Clip:
    """The whole file, or a span of it, as one clip."""
    try:
        clip = _whole(path, metadata, streams, start, end)
    except media.MediaError as error:
        raise media.MediaError(error.reason, f"{path}: {error}") from error
    frames = waveform = None
    if clip.frames_jpeg:
        frames = np.stack([tf.io.decode_jpeg(f, channels=3).numpy() for f in clip.frames_jpeg])
        frames = frames[np.newaxis]
    if clip.waveform is not None:
        waveform = clip.waveform[np.newaxis]
    return Clip(frames, waveform)


def _whole(
    path: Path, metadata: dict[str, Any], streams: str, start: float, end: float | None
) -> clip_cutting.MediaClip:
    side = 2 * metadata["image_size"]  # Enough for any cut, and not a film in full size.
    options = ReadOptions(
        frame_rate=metadata["frame_rate"],
        sample_rate=metadata["sample_rate"],
        short_side=side,
        jpeg_quality=95,
        clip_seconds=1e9,
        min_seconds=0.0,
        streams=streams,
    )
    pieces = list(clip_cutting.read_clips(str(path), options, start=start, end=end))
    clips = [piece for piece in pieces if isinstance(piece, clip_cutting.MediaClip)]
    if not clips:
        raise media.MediaError(pieces[0].reason)
    return clips[0]
