"""What all figures share: their size, their colours and how they are saved."""

import pathlib
from typing import Any

from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from actcl_tf.storage.printable import printable

# A figure fills the width of a phone, on which type of 9 points can still be read at this width.
WIDTH_INCHES = 5.2
DOTS_PER_INCH = 160

DICTIONARY, POOL, SAMPLE, PICKS = "#2a6fb0", "#b0b0b0", "#e08a2e", "#111111"
UNKNOWN = "#c8c8c8"
BEHIND = "#e4e4e4"
# Of classes; without the greys, which stand for the pool and for what has no class.
CLASS_COLOURS = [colormaps["tab20"](index) for index in range(20) if index not in (14, 15)]


def new_figure(height: float, **options: Any) -> Figure:
    """An empty figure on a canvas of its own: no display needed, no state shared with others."""
    figure = Figure(figsize=(WIDTH_INCHES, height), **options)
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: pathlib.Path, dots_per_inch: int = DOTS_PER_INCH) -> pathlib.Path:
    """Writes a figure as PNG, whole or not at all; returns the path."""
    temporary = path.with_name(f".{path.name}.tmp")
    figure.savefig(temporary, format="png", dpi=dots_per_inch)
    temporary.replace(path)
    return path


def shorten(name: str, size: int = 22) -> str:
    """A name that fits beside a figure.

    Dollars are marked, so that Matplotlib does not read formulas, and what is no text, such as the
    bytes of a file's name that is no UTF-8, stands as an escape.
    """
    name = printable(name)
    cut = name if len(name) <= size else f"{name[: size - 1]}…"
    return cut.replace("$", r"\$")
