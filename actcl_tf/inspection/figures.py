"""The figures of a dictionary: its categories, its similarities and a map of its keys."""

import pathlib
from collections.abc import Sequence
from typing import Any

import matplotlib.colors
import numpy as np

from actcl_tf.inspection import numbers
from actcl_tf.reporting import drawing

_MOST_CLASSES = 24
_BINS = 60


def draw_categories(
    path: pathlib.Path,
    classes: Sequence[str],
    dictionary: np.ndarray,
    pool: np.ndarray | None,
    picks: np.ndarray | None,
) -> pathlib.Path:
    """Draws the shares of the classes as bars, dictionary beside pool.

    Where a pool is given, classes that the dictionary holds more of than the pool come first. Of
    many classes the 24 largest are shown.

    Args:
      path: of the PNG file.
      classes: C names.
      dictionary: [C] float, shares of its keys.
      pool: [C] float, likewise, or None.
      picks: [C] float, shares of repeated sampling's picks, or None.
    """
    size = dictionary if pool is None else dictionary + pool
    shown = np.argsort(-size, kind="stable")[:_MOST_CLASSES]
    shown = shown[size[shown] > 0]
    gain = dictionary if pool is None else dictionary - pool
    shown = shown[np.argsort(-gain[shown], kind="stable")]
    figure = drawing.new_figure(1.3 + 0.34 * len(shown), layout="constrained")
    axes = figure.add_subplot()
    places, half = np.arange(len(shown)), 0.4 if pool is None else 0.2
    axes.barh(
        places - (0 if pool is None else half),
        100 * dictionary[shown],
        height=2 * half - 0.02,
        color=drawing.DICTIONARY,
        label="dictionary",
    )
    if pool is not None:
        axes.barh(
            places + half,
            100 * pool[shown],
            height=2 * half - 0.02,
            color=drawing.POOL,
            label="pool",
        )
    if picks is not None:
        axes.plot(100 * picks[shown], places, "D", color=drawing.PICKS, markersize=4, label="picks")
    axes.set_yticks(places, [drawing.shorten(classes[index]) for index in shown], fontsize=9)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.set_xlabel("share of the keys, %", fontsize=9)
    axes.tick_params(axis="x", labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    order = {"dictionary": 0, "pool": 1, "picks": 2}
    handles = sorted(
        zip(*axes.get_legend_handles_labels(), strict=True), key=lambda each: order[each[1]]
    )
    handles = [handle for handle, _ in handles]
    figure.legend(handles=handles, loc="outside upper left", ncols=3, fontsize=9, frameon=False)
    return drawing.save(figure, path)


def draw_similarities(path: pathlib.Path, cosines: dict[str, np.ndarray]) -> pathlib.Path:
    """Draws histograms of pairwise cosines over each other, with their 95th percentiles.

    Args:
      path: of the PNG file.
      cosines: "dictionary", "pool" and "pool sample", as far as there are, -> [pairs] float.
    """
    styles = {
        "pool": {"color": drawing.POOL, "histtype": "stepfilled"},
        "pool sample": {"color": drawing.SAMPLE, "histtype": "step", "linewidth": 1.4},
        "dictionary": {"color": drawing.DICTIONARY, "histtype": "step", "linewidth": 2.0},
    }
    both = np.concatenate(list(cosines.values()))
    left, right = np.floor(10 * both.min()) / 10, np.ceil(10 * both.max()) / 10
    edges = np.linspace(left, max(right, left + 0.1), _BINS + 1)
    figure = drawing.new_figure(3.6, layout="constrained")
    axes = figure.add_subplot()
    for name, style in styles.items():
        if name not in cosines:
            continue
        values = cosines[name]
        high = numbers.percentile(values, 95)
        axes.hist(
            values,
            bins=edges,
            weights=np.full(len(values), 100 / len(values)),
            label=f"{name}: mean {values.mean():.3f}, 95 % up to {high:.3f}",
            **style,
        )
        axes.axvline(high, color=style["color"], linestyle=":", linewidth=1.4)
    axes.set_xlabel("cosine of two different keys", fontsize=9)
    axes.set_ylabel("share of the pairs, %", fontsize=9)
    axes.tick_params(labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper left", ncols=1, fontsize=9, frameon=False)
    return drawing.save(figure, path)


def draw_map(
    path: pathlib.Path,
    points: np.ndarray,
    labels: np.ndarray,
    in_dictionary: np.ndarray,
    picked: np.ndarray,
    classes: Sequence[str],
) -> pathlib.Path:
    """Draws keys as points: the pool with the sampler's picks, and the dictionary over the pool.

    Args:
      path: of the PNG file.
      points: [n, 2] float, of `projection.to_plane`.
      labels: [n] int64, index of the class; -1 for none.
      in_dictionary: [n] bool, keys of the dictionary; the others are of the pool.
      picked: [n] bool, keys of the pool that one draw picked.
      classes: names.
    """
    has_pool = not in_dictionary.all()
    shown, colours = _colours(labels, classes)
    legend_rows = -(-len(shown) // 3)
    panel = 4.3
    height = panel * (1 + has_pool) + 0.2 + 0.21 * legend_rows
    figure = drawing.new_figure(height, layout="constrained")
    axes = figure.subplots(1 + has_pool, 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    dots: dict[str, Any] = {"s": 11, "linewidths": 0}
    if has_pool:
        axes[0].scatter(*points[~in_dictionary].T, c=colours[~in_dictionary], **dots)
        ring = {"s": 42, "facecolors": "none", "edgecolors": drawing.PICKS, "linewidths": 0.9}
        axes[0].scatter(*points[picked].T, **ring)
        axes[0].set_title(
            f"pool, {np.count_nonzero(~in_dictionary)} keys; rings: {np.count_nonzero(picked)} "
            "picked for one batch",
            fontsize=9,
        )
        axes[1].scatter(*points[~in_dictionary].T, color=drawing.BEHIND, **dots)
    axes[-1].scatter(*points[in_dictionary].T, c=colours[in_dictionary], **dots)
    behind = ", before the pool in grey" if has_pool else ""
    axes[-1].set_title(f"dictionary, {np.count_nonzero(in_dictionary)} keys{behind}", fontsize=9)
    for each in axes:
        each.set_xticks([])
        each.set_yticks([])
    if shown:
        handles = [
            axes[-1].scatter([], [], color=colour, s=22, label=drawing.shorten(name, 18))
            for name, colour in shown.items()
        ]
        figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=3,
            fontsize=8.5,
            frameon=False,
            handletextpad=0.1,
            columnspacing=1.0,
        )
    return drawing.save(figure, path)


def _colours(labels: np.ndarray, classes: Sequence[str]) -> tuple[dict[str, Any], np.ndarray]:
    """The legend, name -> colour, and each key's colour [n, 4]; rare classes share one."""
    grey = matplotlib.colors.to_rgba(drawing.UNKNOWN)
    colours = np.tile(grey, (len(labels), 1))
    known = labels[(labels >= 0) & (labels < len(classes))]
    if not len(known):
        return {}, np.tile(matplotlib.colors.to_rgba(drawing.DICTIONARY), (len(labels), 1))
    counts = np.bincount(known, minlength=len(classes))
    named = np.sort(np.argsort(-counts, kind="stable")[: len(drawing.CLASS_COLOURS)])
    named = named[counts[named] > 0]
    shown = {}
    for index, colour in zip(named, drawing.CLASS_COLOURS, strict=False):
        colours[labels == index] = colour
        shown[classes[index]] = colour
    if np.count_nonzero(np.isin(labels, named)) < len(labels):
        shown["others"] = grey
    return shown, colours
