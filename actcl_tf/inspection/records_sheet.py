"""Stored clips as pictures: each a strip of frames over its waveform over its spectrogram."""

import io
import os
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from matplotlib.axes import Axes

from actcl_tf.data.records import jpeg_header, records
from actcl_tf.reporting import drawing, spectrogram
from actcl_tf.storage import files

_GAP, _CAPTION, _WAVE, _AUDIO, _AXIS = 0.12, 0.36, 0.32, 0.6, 0.2  # Inches.
_STRIP = 0.8  # Inches that the frames of a strip shall about be high.
_MOST_FRAMES = 10
_DOTS_PER_INCH = 130  # Photographs compress badly.
_ENVELOPE = 900  # Columns of a waveform.


class Row(NamedTuple):
    """One clip of a sheet.

    Attributes:
      title: what it is, in a few words.
      note: a second line.
      frames: [T, H, W, 3] uint8, spread over the clip; None without video.
      waveform: [S] float32; None without audio.
      sample_rate: samples a second.
      seconds: length of the clip.
    """

    title: str
    note: str
    frames: np.ndarray | None
    waveform: np.ndarray | None
    sample_rate: float
    seconds: float


def read_row(record: bytes, *, title: str, note: str, frame_rate: float, sample_rate: float) -> Row:
    """Decodes what is shown of a record.

    Args:
      record: a serialized record without faults.
      title: what it is.
      note: a second line.
      frame_rate: frames a second; used if there is no audio.
      sample_rate: samples a second; used if there is audio.

    Raises:
      DataError: a frame cannot be decoded.
    """
    parsed = records.parse_example(tf.constant(record))
    jpegs, waveform = parsed["frames_jpeg"].numpy(), parsed["waveform"].numpy()
    try:
        frames = _frames(jpegs) if len(jpegs) else None
    except tf.errors.OpError as error:
        raise records.DataError(f"{title}: a frame cannot be decoded: {error.message}") from error
    has_audio = len(waveform) > 0
    seconds = len(waveform) / sample_rate if has_audio else len(jpegs) / frame_rate
    return Row(
        title=title,
        note=note,
        frames=frames,
        waveform=waveform if has_audio else None,
        sample_rate=sample_rate,
        seconds=seconds,
    )


def _frames(jpegs: np.ndarray) -> np.ndarray:
    """Frames [T, H, W, 3] uint8 for a strip, of encoded ones [n] bytes."""
    height, width = jpeg_header.read_size(jpegs[0])
    inches = drawing.WIDTH_INCHES - 2 * _GAP
    count = max(1, min(round(inches / _STRIP * height / width), _MOST_FRAMES, len(jpegs)))
    # Each frame stands over its part of the audio: the one in the middle of that part.
    middles = ((np.arange(count) + 0.5) * len(jpegs) / count).astype(int)
    return np.stack([tf.io.decode_jpeg(jpeg, channels=3).numpy() for jpeg in jpegs[middles]])


def draw(path: files.PathLike, rows: list[Row]) -> None:
    """Draws a sheet of clips, one under the other.

    Args:
      path: of the PNG file, local or of any file system that TensorFlow knows.
      rows: at least one clip.

    Raises:
      DataError: the file cannot be written.
    """
    width = drawing.WIDTH_INCHES - 2 * _GAP
    total = _GAP + sum(_height(row, width) for row in rows)
    figure = drawing.new_figure(total)

    def place(top: float, height: float) -> list[float]:
        inches = np.array([_GAP, total - top - height, width, height])
        return list(inches / [drawing.WIDTH_INCHES, total, drawing.WIDTH_INCHES, total])

    top = _GAP
    for row in rows:
        below = top + _height(row, width)
        left, base, *_ = place(top, 0.0)
        title, note = drawing.shorten(row.title, 60), drawing.shorten(row.note, 84)
        figure.text(left, base, title, fontsize=9, va="top", weight="bold")
        left, base, *_ = place(top + 0.17, 0.0)
        figure.text(left, base, note, fontsize=7.5, va="top", color="#555555")
        top += _CAPTION
        if row.frames is not None:
            strip = _strip(row.frames)
            height = width * strip.shape[0] / strip.shape[1]
            axes = figure.add_axes(place(top, height))
            axes.imshow(strip, aspect="auto")
            axes.axis("off")
            top += height + 0.03
        if row.waveform is not None:
            _draw_wave(figure.add_axes(place(top, _WAVE)), row.waveform)
            top += _WAVE + 0.03
            axes = figure.add_axes(place(top, _AUDIO))
            spectrogram.draw(axes, row.waveform, round(row.sample_rate), row.seconds)
        top = below
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH)
    temporary = files.temporary_name(path)
    try:
        with files.naming(path, "written"), tf.io.gfile.GFile(temporary, "wb") as file:
            file.write(buffer.getvalue())
        files.move(temporary, os.fspath(path))
    finally:
        files.remove(temporary)


def _height(row: Row, width: float) -> float:
    """Inches that a clip takes."""
    height = _CAPTION + _GAP
    if row.frames is not None:
        strip = _strip(row.frames[:, :1])
        height += width * row.frames.shape[1] / strip.shape[1] + 0.03
    if row.waveform is not None:
        height += _WAVE + 0.03 + _AUDIO + _AXIS
    return height


def _strip(frames: np.ndarray) -> np.ndarray:
    """Frames [T, H, W, 3] side by side, [H, about T * W, 3], with narrow gaps."""
    gap = max(1, frames.shape[2] // 60)
    padded = np.pad(frames, [(0, 0), (0, 0), (0, gap), (0, 0)], constant_values=255)
    return np.concatenate(padded, axis=1)[:, :-gap]


def _draw_wave(axes: Axes, waveform: np.ndarray) -> None:
    columns = min(_ENVELOPE, len(waveform))
    parts = np.array_split(waveform, columns)
    low, high = [part.min() for part in parts], [part.max() for part in parts]
    axes.fill_between(np.arange(columns), low, high, color=drawing.DICTIONARY, linewidth=0.4)
    peak = max(0.01, float(np.abs(waveform).max()))
    axes.set_ylim(-peak, peak)
    axes.set_xlim(0, max(1, columns - 1))
    axes.axis("off")
