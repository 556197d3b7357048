"""What the measured ways of seeding come to: the table, and the targets that ours is held to."""

from typing import NamedTuple

import numpy as np

from actcl_tf.benchmark.seeding import seeding_settings, timing

_PLAIN = ("plain_xla", "plain_graph", seeding_settings.NUMPY)


class Target(NamedTuple):
    """One target.

    Attributes:
      what: what is held to it, in words.
      value: what was measured.
      limit: the target.
      at_least: whether the limit is the least allowed, or the most.
    """

    what: str
    value: float
    limit: float
    at_least: bool

    @property
    def met(self) -> bool:
        """Whether the value keeps to the limit."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def table(result: timing.Result) -> str:
    """All rows in columns, one block for each kind of points and size."""
    bandwidth = float(np.median(result.copy_bytes_per_second))
    lines, last = [], None
    for row in result.rows:
        if (row.points, row.num_points) != last:
            last = (row.points, row.num_points)
            lines += [
                "",
                f"{row.points} points, N = {row.num_points:,}; "
                f"the two factors take {row.factor_bytes / 1e6:,.1f} MB",
                f"{'':16}{'seconds':>10}{'ratio to ours':>28}{'extra MB':>11}"
                f"{'/ factors':>11}{'passes':>8}{'GB moved':>10}{'of copy':>9}",
            ]
        low, high = row.ratio_quartiles
        ratio = f"{_short(row.ratio)} [{_short(low)}, {_short(high)}]"
        known = row.extra_bytes is not None
        extra = f"{row.extra_bytes / 1e6:,.1f}" if known else "-"
        share = f"{row.extra_bytes / row.factor_bytes:.2f}" if known else "-"
        lines.append(
            f"{row.way:16}{np.median(row.seconds):10.4f}{ratio:>28}{extra:>11}{share:>11}"
            f"{row.passes:8.0f}{row.gigabytes_moved:10.3f}{row.copy_share:9.0%}"
        )
    for kind in dict.fromkeys(rung.points for rung in result.ladder):
        rungs = [rung for rung in result.ladder if rung.points == kind]
        lines += ["", f"{kind} points, {seeding_settings.OURS} as N doubles"]
        lines += [f"{'N':>8}{'seconds':>10}{'ratio to N / 2':>16}"]
        for rung in rungs:
            ratio = "" if rung.ratio is None else f"{rung.ratio:.2f}"
            lines.append(f"{rung.num_points:8,}{np.median(rung.seconds):10.4f}{ratio:>16}")
    lines += [
        "",
        f"Medians; in brackets, quartiles. Ours is {seeding_settings.OURS}; ratios are within "
        "rounds.",
        "Extra: peak resident memory above the level before the call, in a fresh process for each,",
        "without oneDNN, whose allocator would hide it.",
        "GB moved: worked out from how often points, distances and proposals are read and written.",
        f"Of copy: the share of {bandwidth / 1e9:.1f} GB/s, read and written, at which NumPy",
        "copies with one thread a core, measured in each round; what fits in caches can exceed it.",
        f"{seeding_settings.SKLEARN} is kmeans_plusplus as it comes, on float32 gradients;",
        f"{seeding_settings.SKLEARN_FASTEST} its fastest: one draw a pick, on float64 gradients.",
    ]
    return "\n".join(lines[1:])


def _short(ratio: float) -> str:
    return f"{ratio:,.2f}" if ratio < 100.0 else f"{ratio:,.0f}"


def targets(result: timing.Result) -> list[Target]:
    """The targets that can be told from what was measured, for each kind of points."""
    found = []
    smallest = min(row.num_points for row in result.rows)
    largest = max(row.num_points for row in result.rows)
    at = {(row.points, row.num_points, row.way): row for row in result.rows}
    for kind in dict.fromkeys(row.points for row in result.rows):

        def ratio(way: str, size: int, kind: str = kind) -> float | None:
            row = at.get((kind, size, way))
            return None if row is None else row.ratio

        where = f"{kind}, N = {largest:,}: "
        plain = [ratio(way, largest) for way in _PLAIN]
        if plain[0] is not None:
            found.append(Target(f"{where}plain_xla / ours", plain[0], 8.0, True))
        if None not in plain:
            found.append(Target(f"{where}fastest plain loop / ours", min(plain), 4.0, True))
        explicit = ratio(seeding_settings.SKLEARN, smallest)
        if explicit is not None:
            what = f"{kind}, N = {smallest:,}: {seeding_settings.SKLEARN} / ours"
            found.append(Target(what, explicit, 1000.0, True))
        doublings = [r.ratio for r in result.ladder if r.points == kind and r.ratio is not None]
        if doublings:
            what = f"{kind}: time at 2 N / time at N, the worst of {len(doublings)}"
            found.append(Target(what, max(doublings), 2.3, False))
    at_largest = (r for r in result.rows if r.num_points == largest)
    ours = next(r for r in at_largest if r.way == seeding_settings.OURS)
    if ours.extra_bytes is not None:
        what = f"N = {largest:,}: extra memory / the two factors"
        found.append(Target(what, ours.extra_bytes / ours.factor_bytes, 1.0, False))
    return found


def verdicts(found: list[Target]) -> str:
    """The targets as lines of text."""
    lines = ["Targets:"]
    for target in found:
        sign = "at least" if target.at_least else "at most"
        lines.append(
            f"  {'met' if target.met else 'MISSED':8}{target.what}: {target.value:,.2f} "
            f"({sign} {target.limit:,g})"
        )
    return "\n".join(lines)
