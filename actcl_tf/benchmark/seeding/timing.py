"""Measures time, traffic and memory of the ways of k-means++ seeding, in turns in one run."""

import dataclasses
import importlib.metadata
import itertools
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from actcl_tf.benchmark import host
from actcl_tf.benchmark.seeding import memory, seeding_settings, seeding_ways
from actcl_tf.config import cores
from actcl_tf.console import bars

# The rounds of a ladder are short, so there are so many for each one of the table.
_LADDER_ROUNDS = 4


class Row(NamedTuple):
    """One line of the table.

    Attributes:
      points: kind of points.
      num_points: N.
      way: one of `seeding_settings.WAYS`.
      seconds: of each call.
      ratio: median over the rounds of its time over that of ours in the same round.
      ratio_quartiles: of the same.
      passes: median number of times that all points were read.
      columns: median number of points to which the distances of all were worked out.
      proposals: median number of points that were drawn.
      gigabytes_moved: median, worked out.
      copy_share: gigabytes moved a second, over the copy bandwidth.
      extra_bytes: peak memory above the factors; None where not measured.
      factor_bytes: size of the two factors.
    """

    points: str
    num_points: int
    way: str
    seconds: list[float]
    ratio: float
    ratio_quartiles: list[float]
    passes: float
    columns: float
    proposals: float
    gigabytes_moved: float
    copy_share: float
    extra_bytes: int | None
    factor_bytes: int


class Rung(NamedTuple):
    """What ours takes at one size of the ladder.

    Attributes:
      points: kind of points.
      num_points: N.
      seconds: of each call.
      ratio: median over the rounds of its time over that at N / 2; None on the first rung.
    """

    points: str
    num_points: int
    seconds: list[float]
    ratio: float | None


class Result(NamedTuple):
    """All that a run measured; of the copy bandwidth, one number a round."""

    rows: list[Row]
    ladder: list[Rung]
    copy_bytes_per_second: list[float]


def measure(settings: seeding_settings.Settings) -> Result:
    """Measures all that the settings ask for; shows a progress bar.

    Within each round the copy bandwidth is measured, and then every way has its turn with the same
    seed: ours first, so that it finds the caches cold. So a machine whose speed drifts treats all
    alike. What needs compiling has been called once before.
    """
    keys = list(itertools.product(settings.points, settings.sizes))
    meter = host.CopyMeter()
    copies, extra, timed, ladder = [], {}, {}, []
    with bars.Bar(total=_num_turns(settings), unit="turn", desc="peak memory") as bar:
        for way, size, peak in memory.measure(settings):
            extra[way, size] = peak
            bar.update()
        for kind, size in keys:
            timed[kind, size] = _time_ways(
                settings, kind, size, meter=meter, copies=copies, bar=bar
            )
        for kind in settings.points if settings.ladder else ():
            ladder += _time_ladder(settings, kind, bar)
    bandwidth = float(np.median(copies))
    rows = []
    for (kind, size), ways in timed.items():
        ours = [seconds for seconds, _ in ways[seeding_settings.OURS]]
        factor_bytes = 4 * size * (settings.embedding + settings.features)
        rows += [
            Row(
                points=kind,
                num_points=size,
                way=way,
                extra_bytes=extra[way, size],
                factor_bytes=factor_bytes,
                **_figures(turns, ours, bandwidth),
            )
            for way, turns in ways.items()
        ]
    return Result(rows, ladder, copies)


def _rounds(settings: seeding_settings.Settings, way: str) -> int:
    explicit = way in seeding_settings.EXPLICIT
    return min(settings.sklearn_repeats, settings.repeats) if explicit else settings.repeats


def _num_turns(settings: seeding_settings.Settings) -> int:
    """All calls that the progress bar counts."""
    ways = [way for size in settings.sizes for way in settings.ways_at(size)]
    # Each is called to compile as well, where it needs that, and once for its memory.
    calls = sum(_rounds(settings, way) + (way in seeding_settings.TENSORFLOW) for way in ways)
    climbs = len(settings.ladder) * (1 + _LADDER_ROUNDS * settings.repeats)
    return len(ways) + len(settings.points) * (calls + climbs)


def _time(call: Callable[[int], seeding_ways.Picked], seed: int) -> tuple:
    started = time.perf_counter()
    picked = call(seed)
    return time.perf_counter() - started, picked


def _time_ways(
    settings: seeding_settings.Settings,
    kind: str,
    size: int,
    meter: host.CopyMeter,
    copies: list[float],
    bar: bars.Bar,
) -> dict[str, list[tuple[float, seeding_ways.Picked]]]:
    """Way -> (seconds, what was picked) of each round."""
    factors = seeding_ways.factors_of(settings, kind, size)
    names = sorted(settings.ways_at(size), key=lambda way: way != seeding_settings.OURS)
    bar.set_description(f"{kind}, N = {size:,}, compiling")
    calls = {way: seeding_ways.build(way, *factors, settings.picks) for way in names}
    for way in names:
        if way in seeding_settings.TENSORFLOW:
            calls[way](settings.seed)
            bar.update()
    turns = {way: [] for way in names}
    for index in range(settings.repeats):
        copies.append(meter.measure())
        for way in names:
            if index < _rounds(settings, way):
                bar.set_description(f"{kind}, N = {size:,}, {way}")
                turns[way].append(_time(calls[way], settings.seed + 1 + index))
                bar.update()
    return turns


def _figures(
    turns: list[tuple[float, seeding_ways.Picked]], ours: list[float], bandwidth: float
) -> dict[str, Any]:
    """The fields of a row that were measured; the bandwidth is in bytes a second."""
    seconds = [seconds for seconds, _ in turns]
    ratios = np.array(seconds) / ours[: len(seconds)]
    low, ratio, high = (float(x) for x in np.percentile(ratios, [25, 50, 75]))
    picked = [picked for _, picked in turns]
    moved = np.array([each.bytes_moved for each in picked])
    return {
        "seconds": seconds,
        "ratio": ratio,
        "ratio_quartiles": [low, high],
        "passes": float(np.median([each.passes for each in picked])),
        "columns": float(np.median([each.columns for each in picked])),
        "proposals": float(np.median([each.proposals for each in picked])),
        "gigabytes_moved": float(np.median(moved)) / 1e9,
        "copy_share": float(np.median(moved / seconds)) / bandwidth,
    }


def _time_ladder(settings: seeding_settings.Settings, kind: str, bar: bars.Bar) -> list[Rung]:
    """Times ours alone at each size of the ladder; the sizes take turns."""
    calls = []
    for size in settings.ladder:
        bar.set_description(f"{kind}, ladder, N = {size:,}")
        calls.append(
            seeding_ways.build(
                seeding_settings.OURS,
                *seeding_ways.factors_of(settings, kind, size),
                settings.picks,
            )
        )
        calls[-1](settings.seed)
        bar.update()
    seconds = np.zeros([_LADDER_ROUNDS * settings.repeats, len(calls)])
    for index in range(len(seconds)):
        for column, call in enumerate(calls):
            seconds[index, column], _ = _time(call, settings.seed + 1 + index)
            bar.update()
    ratios = [None, *np.median(seconds[:, 1:] / seconds[:, :-1], axis=0).tolist()]
    return [
        Rung(kind, size, seconds[:, column].tolist(), ratios[column])
        for column, size in enumerate(settings.ladder)
    ]


def to_dict(settings: seeding_settings.Settings, result: Result) -> dict[str, Any]:
    """Everything as plain values, ready for JSON."""
    packages = ("tensorflow", "numpy", "scikit-learn")
    return {
        "settings": dataclasses.asdict(settings),
        "cores": cores.count(),
        "versions": {name: importlib.metadata.version(name) for name in packages},
        "copy_bytes_per_second": result.copy_bytes_per_second,
        "rows": [row._asdict() for row in result.rows],
        "ladder": [rung._asdict() for rung in result.ladder],
    }
