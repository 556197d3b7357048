"""Measurements as pictures: PNG files as wide as a phone."""

import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps

from actcl_tf.evaluate.results import results, score_tables
from actcl_tf.reporting import drawing

_MOST_CLASSES = 20  # Bars of classes at each end, where there are more than twice as many.
_NAMED_CLASSES = 30  # Up to so many rows of a confusion matrix have names.
_COUNTED_CLASSES = 16  # Up to so many have numbers in them.
_LONG_NAME = 36  # Letters of a curve's name from which on two do not stand side by side.
_BAR = "#2a6fb0"
_FEATURES = {
    "trained": "#2a6fb0",
    "initialised": "#e08a2e",
    "log_mel": "#7a9e3f",
    "random": "#b0b0b0",
    "scratch": "#8b4a9c",
}


def draw_bars(
    path: pathlib.Path,
    labels: Sequence[str],
    rows: Sequence[results.Measurement],
    score: str = "",
) -> pathlib.Path:
    """Draws a score of each row, its error bar and what guessing gives.

    Error bars are the 95 % interval over test videos; without one, the deviation over folds.

    Args:
      path: of the PNG file.
      labels: what each row is called.
      rows: measurements that have the score.
      score: its name; empty: the headline of the first row.
    """
    name = score or rows[0].headline
    scale = 100.0 if score_tables.is_share(name) else 1.0
    figure = drawing.new_figure(0.9 + 0.3 * len(rows), layout="constrained")
    axes = figure.add_subplot()
    for place, row in enumerate(rows):
        summary = row.summary[name]
        low, high = error_bar(summary)
        mean = scale * summary.mean
        colour = _FEATURES.get(row.features, _BAR)
        axes.barh(place, mean, height=0.7, color=colour)
        axes.errorbar(
            mean,
            place,
            xerr=[[max(mean - scale * low, 0)], [max(scale * high - mean, 0)]],
            color="#111111",
            capsize=2.5,
            linewidth=1.1,
        )
        chance = row.chance.get(name)
        if chance is not None:
            axes.plot([scale * chance] * 2, [place - 0.4, place + 0.4], color="#b3261e", lw=1.4)
    axes.set_yticks(range(len(rows)), [drawing.shorten(each, 44) for each in labels], fontsize=8)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(left=0)
    if scale == 100.0:
        axes.set_xlim(0, 100)
    unit = ", %" if scale == 100.0 else ""
    axes.set_xlabel(f"{score_tables.HEADS.get(name, name)}{unit}; red: by chance", fontsize=9)
    axes.tick_params(axis="x", labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    return drawing.save(figure, path)


def error_bar(summary: results.Summary) -> tuple[float, float]:
    """Ends of a score's error bar: its interval, else one deviation, else the score itself."""
    if summary.low is not None:
        return summary.low, summary.high
    spread = summary.std or 0.0
    return summary.mean - spread, summary.mean + spread


def draw_confusion(
    path: pathlib.Path, confusion: Sequence[Sequence[int]], classes: Sequence[str]
) -> pathlib.Path:
    """Draws how clips of each class were classified, as shares of the class's clips.

    Args:
      path: of the PNG file.
      confusion: [C, C], clips of class i (row) taken for class j (column).
      classes: C names.
    """
    counts = np.asarray(confusion)
    num = len(counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = drawing.new_figure(drawing.WIDTH_INCHES, layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    if num <= _NAMED_CLASSES:
        size = min(9.0, 190 / num)
        names = [drawing.shorten(each, 16) for each in classes]
        axes.set_yticks(range(num), names, fontsize=size)
        axes.set_xticks(range(num), names, fontsize=size, rotation=90)
    else:
        axes.tick_params(labelsize=8)
    if num <= _COUNTED_CLASSES:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if shares[row, column] > 0.5 else "#1c1c1c"
                at = {"ha": "center", "va": "center", "fontsize": min(9.0, 110 / num)}
                axes.text(column, row, str(count), color=colour, **at)
    axes.set_ylabel("class of the clip", fontsize=9)
    axes.set_xlabel("taken for", fontsize=9)
    return drawing.save(figure, path)


def draw_classes(
    path: pathlib.Path, per_class: Sequence[dict[str, Any]], name: str
) -> pathlib.Path:
    """Draws the score of each class, best first; of very many only the best and the worst.

    Args:
      path: of the PNG file.
      per_class: name, count and score of each class; classes without a score are left out.
      name: of the score, as people read it.
    """
    scored = sorted((each for each in per_class if each["score"] is not None), key=_by_score)
    cut: int | None = None
    if len(scored) > 2 * _MOST_CLASSES:
        scored, cut = scored[:_MOST_CLASSES] + scored[-_MOST_CLASSES:], _MOST_CLASSES
    figure = drawing.new_figure(0.8 + 0.2 * len(scored), layout="constrained")
    axes = figure.add_subplot()
    axes.barh(range(len(scored)), [100 * each["score"] for each in scored], color=_BAR)
    names = [f"{drawing.shorten(each['name'])} ({each['count']})" for each in scored]
    axes.set_yticks(range(len(scored)), names, fontsize=8)
    axes.set_ylim(len(scored) - 0.4, -0.6)
    axes.set_xlim(0, 100)
    if cut is not None:
        axes.axhline(cut - 0.5, color="#b3261e", linestyle=":")
    between = "; above the line the best, below it the worst" if cut else ""
    axes.set_xlabel(f"{name}, %, and test clips of each class{between}", fontsize=8.5)
    axes.tick_params(axis="x", labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    return drawing.save(figure, path)


def _by_score(each: dict[str, Any]) -> tuple[float, str]:
    return -each["score"], each["name"]


def low_shot_curves(
    rows: Iterable[tuple[str, results.Measurement]],
) -> dict[str, dict[str, list[results.Measurement]]]:
    """Sorts measurements of small training sets into curves.

    Args:
      rows: name of the result, empty if there is only one, and measurement.

    Returns:
      "fraction" and "shots", as far as there are any, to the curves of `draw_low_shot`.
    """
    curves = {}
    for result, row in rows:
        if row.subset:
            kind = row.subset.split("=")[0]
            label = row.label if row.label != "label" else ""
            key = " ".join(part for part in (result, label, row.modality, row.features) if part)
            curves.setdefault(kind, {}).setdefault(key, []).append(row)
    return curves


def draw_low_shot(
    path: pathlib.Path, curves: dict[str, Sequence[results.Measurement]]
) -> pathlib.Path:
    """Draws the headline score against the size of the training set, with its deviation.

    Args:
      path: of the PNG file.
      curves: name of each curve to its measurements, whose subsets are all shares or all numbers
        of videos; the size drawn is the mean number of training clips.
    """
    figure = drawing.new_figure(3.6, layout="constrained")
    axes = figure.add_subplot()
    colours, name = colormaps["tab10"], ""
    for place, (label, rows) in enumerate(curves.items()):
        name = rows[0].headline
        sizes = np.array([np.mean([fold.num_train for fold in row.folds]) for row in rows])
        order = np.argsort(sizes, kind="stable")
        points = [rows[index].summary[name] for index in order]
        sizes = sizes[order]
        means = 100 * np.array([summary.mean for summary in points])
        spread = 100 * np.array([summary.std or 0.0 for summary in points])
        axes.plot(sizes, means, "o-", color=colours(place % 10), markersize=3.5)
        axes.lines[-1].set_label(drawing.shorten(label, 76))
        axes.fill_between(
            sizes, means - spread, means + spread, color=colours(place % 10), alpha=0.18, lw=0
        )
    axes.set_xscale("log")
    every = sorted(
        {np.mean([f.num_train for f in row.folds]) for r in curves.values() for row in r}
    )
    axes.set_xticks(every, [f"{size:g}" for size in every])
    axes.minorticks_off()
    axes.set_ylim(0, 100)
    axes.set_xlabel("training clips", fontsize=9)
    axes.set_ylabel(f"{score_tables.HEADS.get(name, name)}, % ± deviation over draws", fontsize=9)
    axes.tick_params(labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    columns = 2 if max(map(len, curves)) < _LONG_NAME else 1
    figure.set_figheight(3.2 + 0.17 * -(-len(curves) // columns))
    figure.legend(loc="outside upper left", ncols=columns, fontsize=8, frameon=False)
    return drawing.save(figure, path)
