"""What an inspection came to, and how it is told: on the console, as JSON and as a report."""

import json
import pathlib
from typing import Any, NamedTuple

import numpy as np

from actcl_tf.inspection import numbers
from actcl_tf.reporting import html_page, tables
from actcl_tf.storage import files

_ROWS = {
    "keys": ("keys", "{:.0f}"),
    "distinct_clips": ("distinct clips, share of the keys", "{:.3f}"),
    "categories": ("distinct categories", "{:.0f}"),
    "cosine_mean": ("cosine of two keys, mean", "{:.3f}"),
    "cosine_p95": ("cosine of two keys, 95th percentile", "{:.3f}"),
    "effective_rank": ("effective rank", "{:.1f}"),
}
_MISSING = "-"


class Sampling(NamedTuple):
    """Repeated sampling in numbers.

    Attributes:
      draws: how often was drawn, each time with other queries and another seed.
      candidates: keys that could be picked each time.
      picked: keys picked each time, on average.
      never: candidates that were never picked.
      never_if_uniform: how many that would be on average if all were alike.
      most: times that the candidate picked most often was picked.
      batches: training batches that were encoded; draws beyond have queries of all of them.
    """

    draws: int
    candidates: int
    picked: float
    never: int
    never_if_uniform: float
    most: int
    batches: int


class DictionaryFindings(NamedTuple):
    """What one dictionary is like.

    Attributes:
      modality: of its keys.
      serves: modality of the queries that they are negatives of.
      figures: "dictionary", "pool" and "pool sample", as far as there are.
      sampling: None without a pool.
      shares: set of keys -> class -> share; empty without labels.
      notes: sentences about what could not be shown.
      pictures: caption and file of each.
    """

    modality: str
    serves: str
    figures: dict[str, numbers.Figures]
    sampling: Sampling | None
    shares: dict[str, dict[str, float]]
    notes: list[str]
    pictures: list[tuple[str, pathlib.Path]]

    @property
    def title(self) -> str:
        """Which dictionary it is."""
        return f"{self.modality.capitalize()} keys, serving {self.serves} queries"


class Findings(NamedTuple):
    """What an inspection came to.

    Attributes:
      run_dir: of the run.
      step: of the checkpoint.
      negatives: the run's strategy.
      dictionaries: one for each modality.
      files: all files written, the report first.
    """

    run_dir: str
    step: int
    negatives: str
    dictionaries: list[DictionaryFindings]
    files: list[pathlib.Path]


def sampling_of(counts: np.ndarray, draws: int, batches: int) -> Sampling:
    """Repeated sampling in numbers.

    Args:
      counts: [n] int64, how often each candidate was picked; n at least 1.
      draws: how often was drawn, at least once.
      batches: training batches that the queries were of.
    """
    picked = counts.sum() / draws
    return Sampling(
        draws=draws,
        candidates=len(counts),
        picked=float(picked),
        never=int(np.count_nonzero(counts == 0)),
        never_if_uniform=float(len(counts) * (1 - picked / len(counts)) ** draws),
        most=int(counts.max()),
        batches=batches,
    )


def sampling_sentences(found: Sampling) -> list[str]:
    """What the counts are of, and what they are."""
    queries = "each with the queries of another training batch and"
    if found.batches < found.draws:
        queries = (
            f"the first {found.batches} with the queries of a training batch each, the others with "
            "as many queries drawn from all of these, and each"
        )
    return [
        f"The counts are of repeated sampling from the pool of this checkpoint: {found.draws} "
        f"draws, {queries} with another seed, every key of the pool being a candidate each time. "
        "In training the pool moves on with each step, and keys whose clip is in the dictionary "
        "already are passed over.",
        f"Each draw picked {found.picked:.0f} of {found.candidates} candidates. "
        f"{found.never} were never picked ({found.never_if_uniform:.1f} on average if all were "
        f"equally likely); one was picked {found.most} times (mean "
        f"{found.picked * found.draws / found.candidates:.1f}).",
    ]


def console_table(findings: Findings) -> str:
    """The figures for the console, at most 80 columns wide."""
    lines = []
    for each in findings.dictionaries:
        columns, rows = _cells(each)
        lines += [each.title, f"{'':37}" + "".join(f"{column:>14}" for column in columns)]
        lines += [f"  {name:35}" + "".join(f"{cell:>14}" for cell in row) for name, row in rows]
        if each.sampling:
            lines.append(
                f"  {each.sampling.draws} draws: {each.sampling.never} of "
                f"{each.sampling.candidates} candidates never picked "
                f"({each.sampling.never_if_uniform:.1f} if uniform)"
            )
        lines += [f"  {note}" for note in each.notes]
        lines.append("")
    return "\n".join(lines)


def write(findings: Findings, output: pathlib.Path) -> None:
    """Writes inspection.json and report.html.

    Args:
      findings: with all pictures written.
      output: folder that is there.
    """
    result: dict[str, Any] = {
        "run": findings.run_dir,
        "step": findings.step,
        "negatives": findings.negatives,
        "dictionaries": {
            each.modality: {
                "serves": each.serves,
                "figures": {name: figures._asdict() for name, figures in each.figures.items()},
                "sampling": each.sampling._asdict() if each.sampling else None,
                "class_shares": each.shares,
                "notes": each.notes,
                "pictures": [path.name for _, path in each.pictures],
            }
            for each in findings.dictionaries
        },
    }
    text = json.dumps(result, indent=2, allow_nan=False)
    files.write_atomically(output / "inspection.json", text + "\n")
    introduction = html_page.Section(
        "",
        [
            f"Run {findings.run_dir}, step {findings.step}, --negatives={findings.negatives}. "
            "Class labels are used for this report and for nothing else.",
            "The dictionary holds the keys that queries are contrasted with. "
            + (
                "It is filled from the pool by the sampler; a sample of the pool, drawn uniformly "
                "and as large as the dictionary, shows what chance would have put there."
                if any(each.sampling for each in findings.dictionaries)
                else f"With --negatives={findings.negatives} there is no sampling from a pool to "
                "be shown."
            ),
        ],
    )
    sections = [introduction, *map(_section, findings.dictionaries)]
    html_page.write(output / "report.html", "What is in the dictionaries", sections)


def _section(each: DictionaryFindings) -> html_page.Section:
    columns, rows = _cells(each)
    paragraphs = list(each.notes)
    if each.sampling:
        paragraphs += sampling_sentences(each.sampling)
    table = tables.Table(["", *columns], [[name, *cells] for name, cells in rows], "In numbers")
    return html_page.Section(each.title, paragraphs, [table], each.pictures)


def _cells(each: DictionaryFindings) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Heads of the columns, and rows of formatted figures."""
    rows = []
    for field, (name, form) in _ROWS.items():
        values = [getattr(figures, field) for figures in each.figures.values()]
        rows.append((name, [_MISSING if v is None else form.format(v) for v in values]))
    return list(each.figures), rows
