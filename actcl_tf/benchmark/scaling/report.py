"""What replicas and pools come to: the table, what it rests on, and what to choose when."""

import dataclasses
import importlib.metadata
import itertools
import operator
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from actcl_tf.benchmark.scaling import scaling, scaling_counts, scaling_settings
from actcl_tf.config import cores
from actcl_tf.reporting import tables


def _gigabytes(cost: dict[str, float]) -> float:
    """All that has to fit."""
    return (cost["kept_bytes"] + cost["scratch_bytes"]) / 1e9


_COLUMNS = {
    "MB gathered": lambda cost: cost["gathered_bytes"] / 1e6,
    "GB kept": lambda cost: cost["kept_bytes"] / 1e9,
    "GB needed": _gigabytes,
    "s of sampling": lambda cost: cost["sampling_seconds"],
}
_WORDS = {
    "whole": "whole pools",
    "sharded": "--pool_sharding",
    "none": "neither fits",
    "-": "too few keys",
}
_pool_size = operator.itemgetter("pool_size")


def _share(cost: dict[str, float]) -> float:
    """The part of the step that goes into sampling."""
    return cost["sampling_seconds"] / cost["step_seconds"]


def table(result: scaling.Result, settings: scaling_settings.Settings) -> str:
    """All rows in columns, one block for each size of the pools."""
    heads = ["", "", *(head for name in _COLUMNS for head in ("", name)), "best, share of sampling"]
    below = ["R", "M", *scaling.WAYS * len(_COLUMNS), ""]
    blocks = []
    for pool_size, rows in itertools.groupby(result.rows, _pool_size):
        found = tables.Table(heads, [below, *map(_cells, rows)])
        blocks.append(
            f"N = {pool_size:,}, at each step and replica\n"
            + tables.to_text(found, numbers=range(len(heads)))
        )
    blocks.append(
        "Whole: each replica keeps all of both pools; sharded: another part, --pool_sharding.\n"
        "Kept: dictionaries and pools. Needed: with what sampling takes at its peak. Best: the\n"
        f"faster step of those that fit into --scaling_memory_gb={settings.scaling_memory_gb:g}, "
        f"of --scaling_step_seconds={settings.scaling_step_seconds:g}\n"
        f"for the encoders, sampling at --scaling_speed={settings.scaling_speed:g} times that of "
        f"these {cores.count()} cores, and exchange at\n"
        f"--scaling_bandwidth={settings.scaling_bandwidth:g} GB/s. K is --dictionary_size, or M "
        "where that is more; - where a\n"
        "pool holds less than K + M keys, or R is 1."
    )
    return "\n\n".join(blocks)


def _cells(row: dict[str, Any]) -> list[str]:
    chosen = row.get(row["choice"])
    return [
        str(row["replicas"]),
        f"{row['batch_size']:,}",
        *(
            "-" if row[way] is None else short(figure(row[way]))
            for figure in _COLUMNS.values()
            for way in scaling.WAYS
        ),
        row["choice"] + (f", {_share(chosen):.0%}" if chosen else ""),
    ]


def basis(result: scaling.Result, settings: scaling_settings.Settings) -> str:
    """The unit costs, how well they foretell, and the bytes of each kind that are exchanged."""
    costs, largest = result.costs, result.counts.largest
    numbers = largest.embedding_size + largest.num_features
    inside = [
        abs(costs.foretell(point)["foretold_seconds"] / point["seconds"] - 1)
        for point in result.points
    ]
    pools = settings.scaling_measured_pools
    heads = ["N a replica", "M", "R", "ms foretold", "measured", "ratio", "MB foretold", "measured"]
    held_out = tables.Table(heads, list(map(_beside, result.held_out)))
    lines = [
        f"Sampling one dictionary, D = {largest.embedding_size}, d = {largest.num_features}: "
        f"{1e3 * costs.sample.fixed:.2g} ms + {1e6 * costs.sample.of_key:.2g} us a key",
        f"+ {1e9 * costs.sample.of_key_and_pick:.2g} ns a key and pick "
        f"({1e12 * costs.sample.of_key_and_pick / numbers:.2g} ps for each of its D + d numbers) "
        f"+ {1e9 * costs.sample.of_picks:.2g} ns a pair of picks.",
        f"Fitted to {len(inside)} sizes (N {pools[0]:,} to {pools[-1]:,}), off by "
        f"{statistics.median(inside):.0%} in the median and {max(inside):.0%} at most.",
        "Sizes that it was not fitted to:",
        tables.to_text(held_out, numbers=range(len(heads))),
        f"The largest pool of the table is {settings.scaling_pools[-1] / pools[-1]:,.1f} times the "
        "largest that was fitted to.",
    ]
    batch, replicas = settings.scaling_replica_batch, settings.scaling_replicas[-1]
    if replicas > 1:
        given = scaling_counts.exchange(result.counts, batch, replicas, sharded=True)
        items = [f"{name} {short(size / 1e6)}" for name, size in given.gathered.items()]
        items += [f"{name} {short(size / 1e6)} (summed)" for name, size in given.summed.items()]
        lines.append(f"MB that each of {replicas} replicas gives at a step: {', '.join(items)}.")
    return "\n".join(lines)


def _beside(point: dict[str, Any]) -> list[str]:
    """What was foretold, beside what was measured."""
    scratch = point["scratch_bytes"]
    return [
        f"{point['pool_size']:,}",
        f"{point['picks']:,}",
        str(point["replicas"]),
        f"{1e3 * point['foretold_seconds']:.1f}",
        f"{1e3 * point['seconds']:.1f}",
        f"{point['foretold_seconds'] / point['seconds']:.2f}",
        short(point["foretold_scratch_bytes"] / 1e6),
        "-" if scratch is None else short(scratch / 1e6),
    ]


def short(value: float) -> str:
    """Three figures, and no more than the number needs."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def advice(rows: Sequence[dict[str, Any]], settings: scaling_settings.Settings) -> str:
    """Which setting to choose when, as far as the rows say."""
    lines = ["Which to choose:"]
    for pool_size, group in itertools.groupby(rows, _pool_size):
        lines.append(f"  N = {pool_size:,}")
        for (choice, other_fits), found in itertools.groupby(group, _kind):
            run = list(found)
            replicas = _span([row["replicas"] for row in run], "d")
            why = _why(run, choice, other_fits, settings.scaling_memory_gb)
            lines.append(f"    R = {replicas}: {_WORDS[choice]}{why}")
    return "\n".join([*lines, *_finalists_rule(rows)])


def _kind(row: dict[str, Any]) -> tuple[str, bool | None]:
    """The choice, and whether the other way fits as well; None without one."""
    other = row.get(_other(row["choice"]))
    return row["choice"], None if other is None else other["fits"]


def _other(choice: str) -> str | None:
    return {"whole": "sharded", "sharded": "whole"}.get(choice)


def _span(values: Iterable[float], form: str) -> str:
    low, high = (format(bound(values), form) for bound in (min, max))
    return low if low == high else f"{low} to {high}"


def _why(run: list[dict[str, Any]], choice: str, other_fits: bool | None, limit: float) -> str:
    """What speaks for a choice that all rows share, whether or not the other way fits."""
    if choice == "-":
        return f" (K + M = {run[0]['dictionary_size'] + run[0]['batch_size']:,})"
    if choice == "none":
        least = min(_gigabytes(row[way]) for row in run for way in scaling.WAYS if row[way])
        return f" (at least {short(least)} GB of {limit:g})"
    sampling = f"; sampling is {_span([_share(row[choice]) for row in run], '.0%')} of the step"
    if other_fits is None:
        return sampling
    other = _other(choice)
    if other_fits:
        gains = [row[other]["step_seconds"] / row[choice]["step_seconds"] for row in run]
        return f" (a step is {_span(gains, '.2f')} times as fast){sampling}"
    least = min(_gigabytes(row[other]) for row in run)
    name = "parts" if choice == "whole" else "whole pools"
    return f" ({name} need {short(least)} GB or more, of {limit:g}){sampling}"


def _finalists_rule(rows: Sequence[dict[str, Any]]) -> list[str]:
    """From how many finalists on parts of pools take longer than whole ones."""
    faster, slower = [], []
    for row in rows:
        if row["sharded"] is not None:
            wins = row["sharded"]["step_seconds"] < row["whole"]["step_seconds"]
            ratio = row["replicas"] * row["batch_size"] / row["pool_size"]
            (faster if wins else slower).append(ratio)
    if not slower:
        return ["  A step with parts is the faster one throughout, memory apart."] if faster else []
    rule = f"  A step with parts is the slower one from R M = {min(slower):.2g} N finalists on"
    if not faster:
        return [f"{rule}: throughout."]
    if max(faster) > min(slower):
        rule += ", but for some settings"
    return [f"{rule}; it is the faster one with up to {max(faster):.2g} N."]


def to_dict(result: scaling.Result, settings: scaling_settings.Settings) -> dict[str, Any]:
    """Everything as plain values, ready for JSON."""
    costs = result.costs._asdict()
    return {
        "settings": dataclasses.asdict(settings),
        "cores": cores.count(),
        "tensorflow": importlib.metadata.version("tensorflow"),
        "modalities": [each._asdict() for each in result.counts.modalities],
        "costs": {name: None if fit is None else fit._asdict() for name, fit in costs.items()},
        "points": result.points,
        "held_out": result.held_out,
        "rows": result.rows,
    }
