"""Clips that a browser plays from within a page: MP4 or WAV in data URIs, over a spectrogram."""

import base64
import html
import io
import pathlib
import tempfile
import wave
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from actcl_tf.data.synthetic import mp4
from actcl_tf.reporting import drawing, spectrogram

_HEIGHT = 120  # Pixels that frames are at most high.
_SPECTROGRAM_INCHES = (2.2, 0.7)


class Clip(NamedTuple):
    """What is shown of a clip.

    Attributes:
      caption: what it is.
      is_right: whether it is what was searched for; None where that is no question.
      frames: [T, H, W, 3] uint8; None without video.
      frame_rate: frames a second.
      waveform: [S] float32 in [-1, 1]; None without audio.
      sample_rate: samples a second.
    """

    caption: str
    is_right: bool | None
    frames: np.ndarray | None
    frame_rate: float
    waveform: np.ndarray | None
    sample_rate: int


def to_html(clip: Clip) -> str:
    """A `figure` element that needs nothing beside it."""
    mark = {True: "right", False: "wrong", None: "query"}[clip.is_right]
    sign = {"right": "✓ ", "wrong": "✗ ", "query": ""}[mark]
    parts = [f'<figure class="clip {mark}">', f"<figcaption>{sign}{html.escape(clip.caption)}"]
    parts.append("</figcaption>")
    if clip.frames is not None:
        frames = _small(clip.frames)
        poster = tf.io.encode_jpeg(frames[len(frames) // 2], quality=80).numpy()
        parts.append(
            f'<video controls loop preload="none" poster="{_uri("image/jpeg", poster)}" '
            f'src="{_uri("video/mp4", _mp4(frames, clip))}"></video>'
        )
    elif clip.waveform is not None:
        parts.append(
            f'<audio controls preload="none" src="{_uri("audio/wav", _wav(clip))}"></audio>'
        )
    if clip.waveform is not None:
        image = _uri("image/png", _spectrogram_png(clip))
        parts.append(f'<img src="{image}" alt="spectrogram" loading="lazy">')
    return "\n".join([*parts, "</figure>"])


def _small(frames: np.ndarray) -> np.ndarray:
    """Frames at most 120 pixels high, of even sides."""
    height, width = frames.shape[1:3]
    scale = min(1.0, _HEIGHT / height)
    size = [max(2, 2 * round(side * scale / 2)) for side in (height, width)]
    if size == [height, width]:
        return frames
    return tf.cast(tf.round(tf.image.resize(frames, size, antialias=True)), tf.uint8).numpy()


def _mp4(frames: np.ndarray, clip: Clip) -> bytes:
    waveform = clip.waveform
    if waveform is None:
        waveform = np.zeros(round(len(frames) / clip.frame_rate * clip.sample_rate), np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "clip.mp4"
        mp4.write_mp4(
            path, frames, waveform, frame_rate=clip.frame_rate, sample_rate=clip.sample_rate
        )
        return path.read_bytes()


def _wav(clip: Clip) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(clip.sample_rate)
        file.writeframes((np.clip(clip.waveform, -1, 1) * 32767).astype("<i2").tobytes())
    return buffer.getvalue()


def _spectrogram_png(clip: Clip) -> bytes:
    width, height = _SPECTROGRAM_INCHES
    figure = drawing.new_figure(height)
    figure.set_size_inches(width, height)
    axes = figure.add_axes([0.01, 0.24, 0.98, 0.74])
    seconds = len(clip.waveform) / clip.sample_rate
    spectrogram.draw(axes, clip.waveform, clip.sample_rate, seconds)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=drawing.DOTS_PER_INCH)
    return buffer.getvalue()


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
