"""Figures of the training step, and how they are told."""

from typing import Any, NamedTuple

import numpy as np

from actcl_tf.benchmark import arithmetic, turns
from actcl_tf.benchmark.step import step_parts, timing
from actcl_tf.config import cores

REST = "everything else"
# Share of its best rate at which the matrix product of a round shows that nothing else runs.
CALM = 0.9
_COLUMN = 19


class Figures(NamedTuple):
    """Figures of one way to train.

    Attributes:
      seconds: of a step, on a batch that is there.
      clips_per_second: of such steps.
      product_share: of the rate at which large matrices are multiplied in the same precision, the
        share that the encoders' arithmetic reaches over the whole step.
      part_seconds: part -> seconds.
      shares: part -> share of a step and its input, REST included; they add up to 1.
      part_product_shares: part of the encoders -> share of that rate within the part.
      peak_gigabytes: resident memory at its peak; None where that was not measured.
    """

    seconds: float
    clips_per_second: float
    product_share: float
    part_seconds: dict[str, float]
    shares: dict[str, float]
    part_product_shares: dict[str, float]
    peak_gigabytes: float | None


def calm(result: timing.Result) -> timing.Result:
    """The rounds in which matrices were multiplied about as fast as ever, in every precision.

    In the others, other programs had a part of the device, and of each step another part.
    """
    kept = calm_rounds(result.products)
    if not kept.any():
        return result
    ways = [
        way._replace(
            whole=way.whole[kept], parts={part: values[kept] for part, values in way.parts.items()}
        )
        for way in result.ways
    ]
    products = {name: values[kept] for name, values in result.products.items()}
    return result._replace(ways=ways, products=products)


def calm_rounds(products: dict[str, np.ndarray]) -> np.ndarray:
    """Which rounds are calm: [rounds] bool, of precision -> [rounds] rates of matrix products."""
    rates = np.array(list(products.values()))
    return (rates >= CALM * rates.max(axis=1, keepdims=True)).all(axis=0)


def summarise(way: timing.Way, result: timing.Result) -> Figures:
    """The figures of one way: medians of its rounds.

    Shares are medians of the rounds' own, so that a machine whose speed drifts from round to round
    spoils none; REST is what they leave of 1.
    """
    seconds = float(np.median(way.whole))
    total = way.whole + (result.input_seconds or 0.0)
    rounds = {**way.parts}
    rounds[step_parts.DATA] = total - way.whole + way.parts[step_parts.DATA]
    parts = {part: float(np.median(values)) for part, values in rounds.items()}
    shares = {part: float(np.median(values / total)) for part, values in rounds.items()}
    shares[REST] = 1.0 - sum(shares.values())
    parts[REST] = shares[REST] * float(np.median(total))
    rates = result.products[way.precision]

    def product_share(work: int, values: np.ndarray) -> float:
        return float(np.median(work / values / rates))

    return Figures(
        seconds=seconds,
        clips_per_second=result.batch_size / seconds,
        product_share=product_share(sum(way.multiply_adds.values()), way.whole),
        part_seconds=parts,
        shares=shares,
        part_product_shares={
            part: product_share(work, way.parts[part]) for part, work in way.multiply_adds.items()
        },
        peak_gigabytes=None if way.peak_bytes is None else way.peak_bytes / 1e9,
    )


def speed_up(way: timing.Way, other: timing.Way) -> dict[str, turns.Ratio]:
    """How many times as fast a way is as another, round by round: the whole step and its parts."""
    pairs = {"step": (way.whole, other.whole)}
    pairs.update({part: (way.parts[part], other.parts[part]) for part in step_parts.ENCODERS})
    return {name: turns.ratio(theirs, ours) for name, (ours, theirs) in pairs.items()}


def comparisons(result: timing.Result) -> dict[str, dict[str, Any]]:
    """Paired ratios: precision to precision of the same negatives, negatives to negatives.

    Returns:
      "times_as_fast": "bfloat16 / float32, active" -> `speed_up`; "times_as_long": "active /
      random, float32" -> `turns.Ratio` of whole steps.
    """
    ways = {(way.precision, way.negatives): way for way in result.ways}
    first, *others = dict.fromkeys(way.precision for way in result.ways)
    *names, last = dict.fromkeys(way.negatives for way in result.ways)
    return {
        "times_as_fast": {
            f"{precision} / {first}, {name}": speed_up(ways[precision, name], ways[first, name])
            for precision in others
            for name in (*names, last)
        },
        "times_as_long": {
            f"{name} / {last}, {precision}": turns.ratio(
                ways[precision, name].whole, ways[precision, last].whole
            )
            for precision in (first, *others)
            for name in names
        },
    }


def table(result: timing.Result) -> str:
    """The figures of the calm rounds as text for the terminal."""
    num_rounds = len(result.ways[0].whole)
    result = calm(result)
    found = [summarise(way, result) for way in result.ways]
    lines = [
        _row("", [way.precision for way in result.ways]),
        _row("", [way.negatives for way in result.ways]),
        _row("clips/s", [f"{each.clips_per_second:.2f}" for each in found]),
        _row("s a step", [f"{each.seconds:.4f}" for each in found]),
        _row("of matrix products", [f"{each.product_share:.1%}" for each in found]),
    ]
    if all(each.peak_gigabytes is not None for each in found):
        lines.append(_row("peak memory, GB", [f"{each.peak_gigabytes:.2f}" for each in found]))
    for part in (*step_parts.PARTS, REST):
        cells = [f"{each.part_seconds[part]:.4f} s {each.shares[part]:6.1%}" for each in found]
        lines.append(_row(part, cells))
    lines.append("")
    compared = comparisons(result)
    for name, ratios in compared["times_as_fast"].items():
        each = ", ".join(f"{part} {ratio}" for part, ratio in ratios.items())
        lines.append(f"{name}: times as fast: {each}")
    for name, ratio in compared["times_as_long"].items():
        lines.append(f"{name}: {ratio} times as long")
    rates = (f"{2e-9 * np.median(rate):.0f} in {name}" for name, rate in result.products.items())
    work = sum(result.ways[0].multiply_adds.values())
    origin = "no data was named, so that data is none of it"
    if result.input_seconds is not None:
        origin = "data is the input by itself, and counts as if the step waited for it"
    return "\n".join(
        [
            *lines,
            f"Medians of {len(result.ways[0].whole)} of {num_rounds} rounds in turns, those with "
            f"matrix products at {CALM:.0%} of their best rate or above; in brackets, quartiles "
            f"of paired ratios; {origin}.",
            f"The encoders take {2e-9 * work:.1f} GFLOP a step; products of matrices of "
            f"{arithmetic.MATRIX} rows and columns, GFLOP/s: {', '.join(rates)}.",
        ]
    )


def _row(name: str, cells: list[str]) -> str:
    return f"{name:20}" + "".join(f"{cell:>{_COLUMN}}" for cell in cells)


def to_dict(result: timing.Result) -> dict[str, Any]:
    """Figures of the calm rounds, and the seconds of all, as plain values, ready for JSON."""
    figures: dict[str, dict[str, Any]] = {}
    quiet = calm(result)
    for way, kept in zip(result.ways, quiet.ways, strict=True):
        figures.setdefault(way.precision, {})[way.negatives] = {
            **summarise(kept, quiet)._asdict(),
            "whole_seconds": way.whole.tolist(),
            "rounds": {part: values.tolist() for part, values in way.parts.items()},
            "multiply_adds": way.multiply_adds,
        }
    compared = comparisons(quiet)
    return {
        "figures": figures,
        "times_as_fast": {
            name: {part: ratio._asdict() for part, ratio in ratios.items()}
            for name, ratios in compared["times_as_fast"].items()
        },
        "times_as_long": {
            name: ratio._asdict() for name, ratio in compared["times_as_long"].items()
        },
        "products": {name: rates.tolist() for name, rates in result.products.items()},
        "input_seconds": result.input_seconds,
        "batch_size": result.batch_size,
        "cores": cores.count(),
    }
