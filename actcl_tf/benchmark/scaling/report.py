"""What replicas and pools come to: the table, what it rests on, and what to choose when."""

import dataclasses
import importlib.metadata
import itertools
import statistics
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from actcl_tf.benchmark.scaling import scaling, scaling_costs, scaling_counts, scaling_settings
from actcl_tf.config import cores

_SHARDED = "--pool_sharding"


class Check(NamedTuple):
    """What the fit foretells of a size, beside what was measured there.

    Attributes:
      point: the size and what was measured.
      seconds: foretold, of the sampling.
      scratch_bytes: foretold.
    """

    point: scaling_costs.Point
    seconds: float
    scratch_bytes: float

    @property
    def ratio(self) -> float:
        """Seconds foretold over seconds measured."""
        return self.seconds / self.point.seconds


def check(points: Iterable[scaling_costs.Point], costs: scaling_costs.Costs) -> list[Check]:
    """Compares the fit with measurements."""
    checks = []
    for point in points:
        sharded = point.replicas > 1
        size = (point.pool_size * point.replicas, point.picks, point.replicas, sharded)
        seconds = costs.seconds(*size) - costs.remember(point.pool_size, point.picks)
        checks.append(Check(point, seconds, costs.scratch_bytes(*size)))
    return checks


def table(result: scaling.Result, settings: scaling_settings.Settings) -> str:
    """All rows in columns, one block for each size of the pools."""
    lines = []
    for pool_size, rows in itertools.groupby(result.rows, lambda row: row.pool_size):
        lines += [
            "",
            f"N = {pool_size:,}, at each step and replica",
            f"{'':4}{'':>7}{'MB gathered':>18}{'GB kept':>18}{'GB needed':>18}"
            f"{'s of sampling':>18}{'best, share of sampling':>26}",
            f"{'R':>4}{'M':>7}" + f"{'whole':>9}{'sharded':>9}" * 4,
        ]
        for row in rows:
            cells = []
            for scale, name in (
                (1e6, "gathered_bytes"),
                (1e9, "kept_bytes"),
                (1e9, "memory_bytes"),
                (1.0, "sampling_seconds"),
            ):
                for setting in (row.whole, row.sharded):
                    known = setting is not None
                    cells.append(short(getattr(setting, name) / scale) if known else "-")
            share = f", {row.chosen.sampling_share:.0%}" if row.chosen else ""
            lines.append(
                f"{row.replicas:4}{row.batch_size:7,}"
                + "".join(f"{cell:>9}" for cell in cells)
                + f"{row.choice + share:>26}"
            )
    lines += [
        "",
        "Whole: each replica keeps all of both pools; sharded: another part, --pool_sharding.",
        "Kept: dictionaries and pools. Needed: with what sampling takes at its peak. Best: the",
        f"faster step of those that fit into --scaling_memory_gb={settings.scaling_memory_gb:g}, "
        f"of --scaling_step_seconds={settings.scaling_step_seconds:g}",
        f"for the encoders, sampling at --scaling_speed={settings.scaling_speed:g} times that of "
        f"these {cores.count()} cores, and exchange at",
        f"--scaling_bandwidth={settings.scaling_bandwidth:g} GB/s. K is --dictionary_size, or M "
        "where that is more; - where a",
        "pool holds less than K + M keys, or R is 1.",
    ]
    return "\n".join(lines[1:])


def basis(result: scaling.Result, settings: scaling_settings.Settings) -> str:
    """The unit costs, how well they foretell, and the bytes of each kind that are exchanged."""
    measured, counts = result.measured, result.counts
    costs = measured.costs
    largest = max(counts.modalities, key=lambda each: each.pool_row)
    numbers = largest.embedding_size + largest.num_features
    inside = [abs(found.ratio - 1) for found in check(measured.points, costs)]
    pools = settings.scaling_measured_pools
    lines = [
        f"Sampling one dictionary, D = {largest.embedding_size}, d = {largest.num_features}: "
        f"{1e3 * costs.sample.fixed:.2g} ms + {1e6 * costs.sample.of_key:.2g} us a key",
        f"+ {1e9 * costs.sample.of_key_and_pick:.2g} ns a key and pick "
        f"({1e12 * costs.sample.of_key_and_pick / numbers:.2g} ps for each of its D + d numbers) "
        f"+ {1e9 * costs.sample.of_picks:.2g} ns a pair of picks.",
        f"Fitted to {len(inside)} sizes (N {pools[0]:,} to {pools[-1]:,}), off by "
        f"{statistics.median(inside):.0%} in the median and {max(inside):.0%} at most.",
        "Sizes that it was not fitted to:",
        f"{'N a replica':>13}{'M':>7}{'R':>4}{'ms foretold':>13}{'measured':>10}{'ratio':>7}"
        f"{'MB foretold':>13}{'measured':>10}",
    ]
    for found in check(measured.held_out, costs):
        point = found.point
        memory = point.scratch_bytes
        known = "-" if memory is None else short(memory / 1e6)
        lines.append(
            f"{point.pool_size:13,}{point.picks:7,}{point.replicas:4}"
            f"{1e3 * found.seconds:13.1f}{1e3 * point.seconds:10.1f}{found.ratio:7.2f}"
            f"{short(found.scratch_bytes / 1e6):>13}{known:>10}"
        )
    lines.append(
        f"The largest pool of the table is {settings.scaling_pools[-1] / pools[-1]:,.1f} times the "
        "largest that was fitted to."
    )
    batch = settings.scaling_replica_batch
    replicas = settings.scaling_replicas[-1]
    items = scaling_counts.exchange(counts, batch, replicas, True)
    if items:
        given = ", ".join(
            f"{item.name} {short(item.num_bytes / 1e6)}"
            + (" (summed)" if item.how == scaling_counts.REDUCE else "")
            for item in items
        )
        lines.append(f"MB that each of {replicas} replicas gives at a step: {given}.")
    return "\n".join(lines)


def short(value: float) -> str:
    """Three figures, and no more than the number needs."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def advice(rows: Sequence[scaling.Row], settings: scaling_settings.Settings) -> str:
    """Which setting to choose when, as far as the rows say."""
    lines = ["Which to choose:"]
    limit = settings.scaling_memory_gb
    for pool_size, group in itertools.groupby(rows, lambda row: row.pool_size):
        lines.append(f"  N = {pool_size:,}")
        for (choice, _), found in itertools.groupby(group, _kind):
            run = list(found)
            first, last = run[0].replicas, run[-1].replicas
            replicas = f"R = {first}" if first == last else f"R = {first} to {last}"
            lines.append(f"    {replicas}: {_WORDS[choice]}{_why(run, limit)}{_share(run)}")
    return "\n".join([*lines, *_finalists_rule(rows)])


def _finalists_rule(rows: Sequence[scaling.Row]) -> list[str]:
    """From how many finalists on parts of pools take longer than whole ones."""
    faster, slower = [], []
    for row in rows:
        if row.sharded is not None:
            wins = row.sharded.step_seconds < row.whole.step_seconds
            ratio = row.replicas * row.batch_size / row.pool_size
            (faster if wins else slower).append(ratio)
    if not slower:
        return ["  A step with parts is the faster one throughout, memory apart."] if faster else []
    lines = [f"  A step with parts is the slower one from R M = {min(slower):.2g} N finalists on"]
    if not faster:
        return [f"{lines[0]}: throughout."]
    if max(faster) > min(slower):
        lines[0] += ", but for some settings"
    return [f"{lines[0]}; it is the faster one with up to {max(faster):.2g} N."]


_WORDS = {
    "whole": "whole pools",
    "sharded": _SHARDED,
    "none": "neither fits",
    "-": "too few keys",
}


def _kind(row: scaling.Row) -> tuple[str, bool | None]:
    """The choice, and whether memory alone makes it."""
    other = {"whole": row.sharded, "sharded": row.whole}.get(row.choice)
    return row.choice, None if other is None else other.fits


def _why(run: list[scaling.Row], limit: float) -> str:
    choice, other_fits = _kind(run[0])
    if choice == "-":
        row = run[0]
        return f" (K + M = {row.dictionary_size + row.batch_size:,})"
    if choice == "none":
        least = min(
            setting.memory_bytes
            for row in run
            for setting in (row.whole, row.sharded)
            if setting is not None
        )
        return f" (at least {short(least / 1e9)} GB of {limit:g})"
    if other_fits is None:
        return ""
    others = [row.sharded if choice == "whole" else row.whole for row in run]
    if not other_fits:
        least = min(other.memory_bytes for other in others)
        name = "parts" if choice == "whole" else "whole pools"
        return f" ({name} need {short(least / 1e9)} GB or more, of {limit:g})"
    gains = [
        other.step_seconds / row.chosen.step_seconds for row, other in zip(run, others, strict=True)
    ]
    low, high = (f"{bound(gains):.2f}" for bound in (min, max))
    return f" (a step is {low if low == high else f'{low} to {high}'} times as fast)"


def _share(run: list[scaling.Row]) -> str:
    shares = [row.chosen.sampling_share for row in run if row.chosen is not None]
    if not shares:
        return ""
    low, high = (f"{bound(shares):.0%}" for bound in (min, max))
    return f"; sampling is {low if low == high else f'{low} to {high}'} of the step"


def to_dict(result: scaling.Result, settings: scaling_settings.Settings) -> dict[str, Any]:
    """Everything as plain values, ready for JSON."""
    measured = result.measured
    rows = []
    for row in result.rows:
        pair = {
            name: None if setting is None else {**setting._asdict()}
            for name, setting in (("whole", row.whole), ("sharded", row.sharded))
        }
        rows.append({**row._asdict(), **pair, "choice": row.choice})
    held_out = [
        {**found.point._asdict(), "foretold_seconds": found.seconds}
        | {"foretold_scratch_bytes": found.scratch_bytes}
        for found in check(measured.held_out, measured.costs)
    ]
    costs = measured.costs._asdict()
    return {
        "settings": dataclasses.asdict(settings),
        "cores": cores.count(),
        "tensorflow": importlib.metadata.version("tensorflow"),
        "modalities": [each._asdict() for each in result.counts.modalities],
        "costs": {name: None if fit is None else fit._asdict() for name, fit in costs.items()},
        "points": [point._asdict() for point in measured.points],
        "held_out": held_out,
        "rows": rows,
    }
