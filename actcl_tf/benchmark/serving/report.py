"""What serving took, as figures of each form, as text and as JSON."""

from typing import Any, NamedTuple

import numpy as np

from actcl_tf.benchmark import arithmetic, turns
from actcl_tf.benchmark.serving import timing
from actcl_tf.benchmark.serving.timing import BATCH
from actcl_tf.config import cores


class Row(NamedTuple):
    """The figures of one form.

    Attributes:
      name: of the form.
      megabytes: of its files.
      p50: milliseconds that half of all requests of one clip took at most.
      p95: and 95 of 100.
      rates: clips a second at batch 1 and `BATCH`, medians of the rounds.
      ratios: at batch 1 and `BATCH`, how many times as fast as the first form.
      cosine: smallest of its embeddings with those of the first form.
    """

    name: str
    megabytes: float
    p50: float
    p95: float
    rates: tuple[float, float]
    ratios: tuple[turns.Ratio, turns.Ratio]
    cosine: float


def summarise(forms: list[timing.Turns]) -> list[Row]:
    """Figures of what was measured; ratios are to the first."""
    first, rows = forms[0], []
    for each in forms:
        p50, p95 = 1000 * np.percentile(each.single, [50, 95])
        size = each.single.shape[1]
        rates = np.median(size / each.single.sum(1)), np.median(BATCH / each.batch)
        ratios = (
            turns.ratio(first.single.sum(1), each.single.sum(1)),
            turns.ratio(first.batch, each.batch),
        )
        rows.append(
            Row(
                name=each.name,
                megabytes=each.num_bytes / 1e6,
                p50=float(p50),
                p95=float(p95),
                rates=tuple(map(float, rates)),
                ratios=ratios,
                cosine=each.cosine,
            )
        )
    return rows


def table(result: timing.Result) -> str:
    """The figures as text for the terminal."""
    lines = [f"Encoders {result.origin}."]
    for part in result.parts:
        size = " x ".join(map(str, part.shape))
        lines += [
            f"\n{part.modality} encoder, clips of {size}, "
            f"{part.multiply_adds / 1e9:.3f} G multiply-adds each",
            f"{'':26}{'MB':>7}{'p50 ms':>9}{'p95 ms':>9}{'clips/s':>9}{f'at {BATCH}':>9}"
            f"   {'times as fast':20}{f'at {BATCH}':20}{'cosine':>7}",
        ]
        for row in summarise(part.turns):
            one, many = map(str, row.ratios)
            lines.append(
                f"{row.name:26}{row.megabytes:7.2f}{row.p50:9.2f}{row.p95:9.2f}{row.rates[0]:9.1f}"
                f"{row.rates[1]:9.1f}   {one:20}{many:20}{row.cosine:7.4f}"
            )
        rates = (f"{rate:.1f} clips/s in {name}" for name, rate in as_products(part).items())
        lines.append(f"{'as matrix products':26}{', '.join(rates)}")
    first = result.parts[0].turns[0]
    lines += [
        f"\nMedians of {first.batch.size} rounds in turns, threads of each: {result.num_threads}; "
        f"times as fast as the {first.name}, in brackets quartiles.",
        f"At {BATCH}: {BATCH} clips a request; TFLite models take one clip, and are called {BATCH} "
        "times.",
        f"Cosine: the smallest of {result.num_clips} clips' embeddings with those of the "
        f"{first.name}.",
        "SavedModels check, cut and resize what they are sent; TFLite models take it as it is.",
        f"As matrix products: as many multiply-adds a second as for two matrices of "
        f"{arithmetic.MATRIX} rows and columns.",
    ]
    return "\n".join(lines)


def as_products(part: timing.Part) -> dict[str, float]:
    """Clips a second if the arithmetic went as fast as in the product of two large matrices.

    It is a yardstick and no bound: convolutions may leave out what they pad with, which is counted.

    Returns:
      Type of number -> clips a second.
    """
    return {
        name: float(np.median(rates)) / part.multiply_adds for name, rates in part.products.items()
    }


def to_dict(result: timing.Result) -> dict[str, Any]:
    """Everything as plain values, ready for JSON."""
    parts = {}
    for part in result.parts:
        forms = {
            row.name: {
                **row._asdict(),
                "single_seconds": form.single.tolist(),
                "batch_seconds": form.batch.tolist(),
            }
            for row, form in zip(summarise(part.turns), part.turns, strict=True)
        }
        parts[part.modality] = {
            "clip": list(part.shape),
            "multiply_adds": part.multiply_adds,
            "products": {name: rates.tolist() for name, rates in part.products.items()},
            "as_products": as_products(part),
            "forms": forms,
        }
    return {
        "origin": result.origin,
        "cores": cores.count(),
        "batch": BATCH,
        "threads": result.num_threads,
        "num_clips": result.num_clips,
        "encoders": parts,
    }
