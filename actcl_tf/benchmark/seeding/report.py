"""What the measured ways of seeding come to: the table, and the targets that ours is held to."""

import itertools
import operator
from typing import Any

import numpy as np

from actcl_tf.benchmark.seeding.seeding_settings import NUMPY, OURS, SKLEARN, SKLEARN_FASTEST
from actcl_tf.reporting import tables

_PLAIN = ("plain_xla", "plain_graph", NUMPY)
_HEADS = ("", "seconds", "ratio to ours", "extra MB", "/ factors", "passes", "GB moved", "of copy")


def table(figures: dict[str, Any]) -> str:
    """All rows of `timing.measure`, one block for each kind of points and size, and the ladders."""
    blocks = []
    place = operator.itemgetter("points", "num_points", "factor_bytes")
    for (kind, size, num_bytes), rows in itertools.groupby(figures["rows"], place):
        found = tables.Table(_HEADS, list(map(_cells, rows)))
        blocks.append(
            f"{kind} points, N = {size:,}; the two factors take {num_bytes / 1e6:,.1f} MB\n"
            + tables.to_text(found, numbers=range(1, len(_HEADS)))
        )
    for kind, rungs in itertools.groupby(figures["ladder"], operator.itemgetter("points")):
        rows = [
            (f"{rung['num_points']:,}", f"{np.median(rung['seconds']):.4f}", _short(rung["ratio"]))
            for rung in rungs
        ]
        found = tables.Table(("N", "seconds", "ratio to N / 2"), rows)
        blocks.append(f"{kind} points, {OURS} as N doubles\n{tables.to_text(found, range(3))}")
    bandwidth = np.median(figures["copy_bytes_per_second"])
    blocks.append(
        f"Medians; in brackets, quartiles. Ours is {OURS}; ratios are within rounds.\n"
        "Extra: peak resident memory above the level before the call, in a fresh process for each,"
        "\nwithout oneDNN, whose allocator would hide it.\n"
        "GB moved: worked out from how often points, distances and proposals are read and written."
        f"\nOf copy: the share of {bandwidth / 1e9:.1f} GB/s, read and written, at which NumPy\n"
        "copies with one thread a core, measured in each round; what fits in caches can exceed it."
        f"\n{SKLEARN} is kmeans_plusplus as it comes, on float32 gradients;\n"
        f"{SKLEARN_FASTEST} its fastest: one draw a pick, on float64 gradients."
    )
    return "\n\n".join(blocks)


def _cells(row: dict[str, Any]) -> list[str]:
    low, high = map(_short, row["ratio_quartiles"])
    extra = ["-", "-"]
    if row["extra_bytes"] is not None:
        share = row["extra_bytes"] / row["factor_bytes"]
        extra = [f"{row['extra_bytes'] / 1e6:,.1f}", f"{share:.2f}"]
    return [
        row["way"],
        f"{np.median(row['seconds']):.4f}",
        f"{_short(row['ratio'])} [{low}, {high}]",
        *extra,
        f"{row['passes']:.0f}",
        f"{row['gigabytes_moved']:.3f}",
        f"{row['copy_share']:.0%}",
    ]


def _short(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f"{ratio:,.2f}" if ratio < 100.0 else f"{ratio:,.0f}"


def targets(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """The targets that can be told from what was measured, for each kind of points.

    Returns:
      Of each, "what" is held to it, in words; its "value"; the "limit", which is the least allowed
      where "at_least", else the most; whether it is "met".
    """
    found = []

    def hold(what: str, value: float | None, limit: float, at_least: bool = True) -> None:
        if value is not None:
            met = value >= limit if at_least else value <= limit
            target = {"what": what, "value": value, "limit": limit, "at_least": at_least}
            found.append({**target, "met": met})

    rows = {(row["points"], row["num_points"], row["way"]): row for row in figures["rows"]}
    ratios = {place: row["ratio"] for place, row in rows.items()}
    kinds, sizes, _ = zip(*rows, strict=True)
    smallest, largest = min(sizes), max(sizes)
    for kind in dict.fromkeys(kinds):
        plain = [ratios.get((kind, largest, way)) for way in _PLAIN]
        fastest = None if None in plain else min(plain)
        hold(f"{kind}, N = {largest:,}: plain_xla / ours", plain[0], 8.0)
        hold(f"{kind}, N = {largest:,}: fastest plain loop / ours", fastest, 4.0)
        explicit = ratios.get((kind, smallest, SKLEARN))
        hold(f"{kind}, N = {smallest:,}: {SKLEARN} / ours", explicit, 1000.0)
        doublings = [r["ratio"] for r in figures["ladder"] if r["points"] == kind and r["ratio"]]
        what = f"{kind}: time at 2 N / time at N, the worst of {len(doublings)}"
        hold(what, max(doublings, default=None), 2.3, at_least=False)
    ours = rows[kinds[0], largest, OURS]
    if ours["extra_bytes"] is not None:
        share = ours["extra_bytes"] / ours["factor_bytes"]
        hold(f"N = {largest:,}: extra memory / the two factors", share, 1.0, at_least=False)
    return found


def verdicts(found: list[dict[str, Any]]) -> str:
    """The targets as lines of text."""
    lines = ["Targets:"]
    for target in found:
        sign = "at least" if target["at_least"] else "at most"
        lines.append(
            f"  {'met' if target['met'] else 'MISSED':8}{target['what']}: {target['value']:,.2f} "
            f"({sign} {target['limit']:,g})"
        )
    return "\n".join(lines)
