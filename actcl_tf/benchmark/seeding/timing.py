"""Measures time, traffic and memory of the ways of k-means++ seeding, in turns in one run."""

import dataclasses
import importlib.metadata
import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from actcl_tf.benchmark import fresh_process, host, turns
from actcl_tf.benchmark.seeding import seeding_ways
from actcl_tf.benchmark.seeding.seeding_settings import EXPLICIT, OURS, TENSORFLOW, Settings
from actcl_tf.config import cores
from actcl_tf.console import bars

_COPY = "copy"  # That the copy bandwidth is measured takes a turn as well.
# The rounds of a ladder are short, so there are so many for each one of the table.
_LADDER_ROUNDS = 4
# Peak memory on explicit points does not grow with the picks, and few take scikit-learn less time.
_EXPLICIT_PICKS = 4


def measure(settings: Settings) -> dict[str, Any]:
    """Measures all that the settings ask for; shows progress bars.

    Within each round the copy bandwidth is measured, and then every way has its turn with the same
    seed: ours first, so that it finds the caches cold. What needs compiling has been called before.

    Returns:
      Plain values, ready for JSON. Each of the "rows" is of a kind of points, a size and a way:
        seconds: of each call.
        ratio, ratio_quartiles: of its time to that of ours in the same round, over the rounds.
        passes, columns, proposals: medians of `seeding_ways.Picked`.
        gigabytes_moved: median, worked out.
        copy_share: bytes moved a second, over the copy bandwidth.
        extra_bytes: peak memory above the factors; None where the system does not tell.
        factor_bytes: size of the two factors.
      Each of the "ladder" is of a kind of points and a size; its "ratio", None for the first size,
      is that to the time at half the size.
    """
    places = [(size, way) for size in settings.sizes for way in settings.ways_at(size)]
    extra_bytes = {
        place: fresh_process.peak(_peak, settings, *place)
        for place in bars.Bar(places, "peak memory", unit="turn")
    }
    meter = host.CopyMeter()
    timed = {
        (kind, size): _take_turns(settings, kind, size, meter)
        for kind, size in itertools.product(settings.points, settings.sizes)
    }
    copies = [rate for found in timed.values() for _, rate in found.pop(_COPY)]
    rows = [
        {
            "points": kind,
            "num_points": size,
            "way": way,
            **_figures(found[way], found[OURS], float(np.median(copies))),
            "extra_bytes": extra_bytes[size, way],
            "factor_bytes": 4 * size * (settings.embedding + settings.features),
        }
        for (kind, size), found in timed.items()
        for way in found
    ]
    ladders = [_climb(settings, kind) for kind in settings.points if settings.ladder]
    packages = ("tensorflow", "numpy", "scikit-learn")
    return {
        "settings": dataclasses.asdict(settings),
        "cores": cores.count(),
        "versions": {name: importlib.metadata.version(name) for name in packages},
        "copy_bytes_per_second": copies,
        "rows": rows,
        "ladder": list(itertools.chain(*ladders)),
    }


def _factors(settings: Settings, kind: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    return seeding_ways.make_factors(
        kind, size, settings.embedding, settings.features, settings.seed
    )


def _peak(settings: Settings, size: int, way: str) -> int | None:
    """Peak of the resident memory above its level before a call; runs in a fresh process.

    It is that of the second call where the first compiles; of the building of explicit points as
    well where a way needs them. It hardly depends on the kind of points.
    """
    factors = _factors(settings, settings.points[-1], size)
    if way in TENSORFLOW:
        call = seeding_ways.build(way, *factors, settings.picks)
        call(settings.seed)
        return host.peak_extra_bytes(lambda: call(settings.seed + 1))
    picks, trials = settings.picks, 0
    if way in EXPLICIT:
        trials = seeding_ways.local_trials(picks)
        picks = min(picks, _EXPLICIT_PICKS)
    return host.peak_extra_bytes(
        lambda: seeding_ways.build(way, *factors, picks, trials=trials)(settings.seed)
    )


def _ready(settings: Settings, kind: str, size: int, ways: Iterable[str]) -> dict[str, Callable]:
    """The ways as functions of the number of a round, compiled."""
    factors = _factors(settings, kind, size)
    calls = {}
    for way in ways:
        pick = seeding_ways.build(way, *factors, settings.picks)
        calls[way] = lambda index, pick=pick: pick(settings.seed + index)
        if way in TENSORFLOW:
            calls[way](0)
    return calls


def _take_turns(
    settings: Settings, kind: str, size: int, meter: host.CopyMeter
) -> dict[str, list[tuple[float, Any]]]:
    """Way -> (seconds, what was picked) of each round; and the copying, in bytes a second."""
    place = f"{kind}, N = {size:,}"
    ways = sorted(settings.ways_at(size), key=lambda way: way != OURS)
    compiling = bars.Bar(ways, f"{place}, compiling", unit="turn")
    calls = {_COPY: lambda _: meter.measure(), **_ready(settings, kind, size, compiling)}
    rounds = dict.fromkeys(calls, settings.repeats)
    for way in rounds.keys() & set(EXPLICIT):
        rounds[way] = min(settings.sklearn_repeats, settings.repeats)
    return turns.take(calls, rounds, place)


def _figures(found: list, ours: list, bandwidth: float) -> dict[str, Any]:
    """What a row says of the turns of a way; the bandwidth is in bytes a second."""
    seconds = [seconds for seconds, _ in found]
    ratio = turns.ratio(seconds, [seconds for seconds, _ in ours[: len(seconds)]])
    counts = {
        name: np.array([getattr(picked, name) for _, picked in found])
        for name in ("passes", "columns", "proposals", "bytes_moved")
    }
    moved = counts.pop("bytes_moved")
    return {
        "seconds": seconds,
        "ratio": ratio.median,
        "ratio_quartiles": [ratio.low, ratio.high],
        **{name: float(np.median(values)) for name, values in counts.items()},
        "gigabytes_moved": float(np.median(moved)) / 1e9,
        "copy_share": float(np.median(moved / seconds)) / bandwidth,
    }


def _climb(settings: Settings, kind: str) -> list[dict[str, Any]]:
    """Times ours alone at each size of the ladder; the sizes take turns."""
    calls = {
        size: _ready(settings, kind, size, [OURS])[OURS]
        for size in bars.Bar(settings.ladder, f"{kind}, ladder, compiling", unit="turn")
    }
    rounds = dict.fromkeys(calls, _LADDER_ROUNDS * settings.repeats)
    found = turns.take(calls, rounds, f"{kind}, ladder")
    seconds = {size: [each for each, _ in found[size]] for size in settings.ladder}
    ratios = [turns.ratio(seconds[2 * size], seconds[size]).median for size in settings.ladder[:-1]]
    return [
        {"points": kind, "num_points": size, "seconds": seconds[size], "ratio": ratio}
        for size, ratio in zip(settings.ladder, [None, *ratios], strict=True)
    ]
