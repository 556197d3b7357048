"""The course of a training as a PNG file: losses, held-out scores, figures of its dictionaries."""

import collections
import json
import pathlib
import re
from typing import NamedTuple

from matplotlib.axes import Axes

from actcl_tf.reporting import drawing

_COLUMNS = 2
_PANEL_INCHES = 1.75  # Height of one.
_COLOURS = (drawing.DICTIONARY, drawing.SAMPLE)


class Curve(NamedTuple):
    """One scalar of a run.

    Attributes:
      steps: at which it was written, ascending.
      values: as many numbers.
    """

    steps: list[int]
    values: list[float]


class _Panel(NamedTuple):
    """What is drawn side by side: the scalars of a pattern, whose group is the name of each."""

    title: str
    pattern: str


_PANELS = (
    _Panel("Loss", r"loss/(.+_to_.+)"),
    _Panel("Held-out clips: R@1", r"eval/retrieval/(.+)/r1"),
    _Panel("Dictionary: effective rank", r"dictionary/(.+)/effective_rank"),
    _Panel("Dictionary: categories", r"dictionary/(.+)/categories"),
    _Panel("Share of ineffective keys", r"dictionary/(.+)/ineffective_keys"),
    _Panel("Share of biased keys", r"dictionary/(.+)/biased_keys"),
)


def read(path: pathlib.Path) -> dict[str, Curve]:
    """Reads the scalars of a run.

    Args:
      path: its `scalars.jsonl`; a last line that was cut off does not count.

    Returns:
      Name of each scalar to its curve; nothing if there is no such file.
    """
    curves: dict[str, Curve] = collections.defaultdict(lambda: Curve([], []))
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for line in lines:
        if not line.endswith("}"):
            continue
        record = json.loads(line)
        step = record.pop("step")
        for name, value in record.items():
            curves[name].steps.append(step)
            curves[name].values.append(value)
    return dict(curves)


def draw(path: pathlib.Path, curves: dict[str, Curve]) -> pathlib.Path | None:
    """Draws losses, R@1 and figures of the dictionaries over the steps, as far as there are any.

    Args:
      path: of the PNG file.
      curves: of `read`.

    Returns:
      The path; None where nothing is known of what would be drawn, and nothing is written.
    """
    panels = []
    for panel in _PANELS:
        matches = {name: re.fullmatch(panel.pattern, name) for name in curves}
        found = {match[1]: curves[name] for name, match in matches.items() if match}
        if found:
            panels.append((panel.title, found))
    if not panels:
        return None
    rows = -(-len(panels) // _COLUMNS)
    figure = drawing.new_figure(_PANEL_INCHES * rows, layout="constrained")
    for place, (title, found) in enumerate(panels, 1):
        _draw_panel(figure.add_subplot(rows, _COLUMNS, place), title, found)
    return drawing.save(figure, path)


def _draw_panel(axes: Axes, title: str, found: dict[str, Curve]) -> None:
    for index, name in enumerate(sorted(found, reverse=True)):  # Video before audio.
        curve = found[name]
        axes.plot(
            curve.steps,
            curve.values,
            color=_COLOURS[index % len(_COLOURS)],
            linestyle="-" if index < len(_COLOURS) else "--",
            linewidth=1.2,
            marker="o" if len(curve.steps) < 10 else None,  # A single value could not be seen.
            markersize=3,
            label=name.replace("_", " "),
        )
    axes.set_title(title, fontsize=9)
    axes.set_ylim(bottom=min(0.0, *(min(curve.values) for curve in found.values())))
    axes.set_xlabel("step", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=7, frameon=False)
