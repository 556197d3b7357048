"""Clips side by side: a frame of each over the spectrogram of its audio, with a caption."""

import pathlib
from typing import NamedTuple

import numpy as np

from actcl_tf.reporting import drawing

_COLUMNS = 3
_GAP, _AUDIO, _CAPTION = 0.12, 0.5, 0.4  # Inches.
_DOTS_PER_INCH = 110  # Photographs compress badly, and stored frames are small.


class Cell(NamedTuple):
    """One clip of a sheet.

    Attributes:
      frame: [H, W, 3] uint8.
      spectrogram: [F, R] float32, low bands first.
      title: what it is, in a few words.
      note: a second line.
    """

    frame: np.ndarray
    spectrogram: np.ndarray
    title: str
    note: str


def draw(path: pathlib.Path, cells: list[Cell]) -> pathlib.Path:
    """Draws a sheet of three columns.

    Args:
      path: of the PNG file.
      cells: at least one clip.
    """
    width = (drawing.WIDTH_INCHES - _GAP * (_COLUMNS + 1)) / _COLUMNS
    aspect = max(cell.frame.shape[0] / cell.frame.shape[1] for cell in cells)
    frame_height = width * min(aspect, 1.5)
    rows = -(-len(cells) // _COLUMNS)
    row_height = frame_height + _AUDIO + _CAPTION + _GAP
    total = rows * row_height + _GAP
    figure = drawing.new_figure(total)

    def place(column: int, top: float, height: float) -> list[float]:
        left = _GAP + column * (width + _GAP)
        inches = np.array([left, total - top - height, width, height])
        return list(inches / [drawing.WIDTH_INCHES, total, drawing.WIDTH_INCHES, total])

    for index, cell in enumerate(cells):
        row, column = divmod(index, _COLUMNS)
        top = _GAP + row * row_height
        axes = figure.add_axes(place(column, top, frame_height))
        axes.imshow(cell.frame)
        axes.set_facecolor("#f0f0f0")
        audio = figure.add_axes(place(column, top + frame_height + 0.02, _AUDIO))
        audio.imshow(cell.spectrogram.T, origin="lower", aspect="auto", cmap="magma")
        for each in (axes, audio):
            each.set_xticks([])
            each.set_yticks([])
            each.spines[:].set_visible(False)
        left, bottom, *_ = place(column, top + frame_height + _AUDIO + 0.06, 0.0)
        text = f"{drawing.shorten(cell.title, 20)}\n{drawing.shorten(cell.note, 22)}"
        figure.text(left, bottom, text, fontsize=9, va="top", linespacing=1.15)
    return drawing.save(figure, path, _DOTS_PER_INCH)
