"""Measurements as rows of text: for the terminal, for pages and for comparisons."""

from collections.abc import Sequence

from actcl_tf.evaluate.results import results
from actcl_tf.reporting import tables

# Name in a result -> head of a column. What is not a share of clips is shown as it is.
HEADS = {
    "top1": "top-1",
    "top5": "top-5",
    "mean_class_accuracy": "class mean",
    "map": "mAP",
    "d_prime": "d'",
    "r1": "R@1",
    "r5": "R@5",
    "r10": "R@10",
    "r20": "R@20",
    "median_rank": "median rank",
}
_NOT_SHARES = ("d_prime", "median_rank")
LOWER_IS_BETTER = ("median_rank",)
LEGEND = (
    "Shares in percent: mean ± deviation over folds [95 % interval, by bootstrap over test videos]."
)
# What tells rows apart, in the order of the columns.
_IDENTITY = ("protocol", "modality", "label", "features", "preprocessing", "subset")


def number(name: str, value: float | None) -> str:
    """A score as text: a share in percent with one decimal, others with two; "-" for none."""
    if value is None:
        return "-"
    return f"{100 * value:.1f}" if is_share(name) else f"{value:.2f}"


def is_share(name: str) -> bool:
    """Whether a score is a share, shown in percent."""
    return name not in _NOT_SHARES


def score(name: str, summary: results.Summary | None) -> str:
    """Mean, deviation over folds and interval of a score, as far as there are any."""
    if summary is None:
        return "-"
    text = number(name, summary.mean)
    if summary.std is not None:
        text += f" ± {number(name, summary.std)}"
    if summary.low is not None:
        text += f" [{number(name, summary.low)}, {number(name, summary.high)}]"
    return text


def build(measurements: Sequence[results.Measurement]) -> list[tables.Table]:
    """Tables of measurements: one for each kind of scores, shares in percent.

    What is the same in all rows of a table is left out, but for features and modality.

    Args:
      measurements: at least one.
    """
    kinds = {}
    for row in measurements:
        kinds.setdefault(tuple(row.summary), []).append(row)
    return [_table(names, rows) for names, rows in kinds.items()]


def _table(names: tuple[str, ...], rows: Sequence[results.Measurement]) -> tables.Table:
    parts = [
        part
        for part in _IDENTITY
        if part in ("features", "modality") or len({getattr(row, part) for row in rows}) > 1
    ]
    heads = [
        *parts,
        *(HEADS.get(name, name) for name in names),
        "by chance",
        "folds",
        "train",
        "test",
    ]
    cells = []
    for row in rows:
        clips = [
            _range([getattr(fold, side) for fold in row.folds])
            for side in ("num_train", "num_test")
        ]
        cells.append(
            [
                *(getattr(row, part) or "-" for part in parts),
                *(score(name, row.summary[name]) for name in names),
                number(names[0], row.chance.get(names[0])),
                str(len(row.folds)),
                *clips,
            ]
        )
    return tables.Table(heads, cells)


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low}-{high}"


def text(result: results.Result) -> str:
    """All tables of a result, for the terminal."""
    shown = "\n\n".join(map(tables.to_text, build(result.measurements)))
    warnings = "".join(f"\nWarning: {line}." for line in result.warnings)
    there = result.checkpoint
    trained = "" if there is None else f"trained: step {there['step']} of {there['path']}\n"
    return f"{result.name}\n{trained}{shown}\n{LEGEND}{warnings}"
