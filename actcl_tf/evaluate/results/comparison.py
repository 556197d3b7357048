"""Several results side by side: what is best, and what is not shown to be worse."""

import math
import pathlib
import tempfile
from collections.abc import Sequence
from typing import NamedTuple

from actcl_tf import config
from actcl_tf.evaluate.results import figures, results, score_tables
from actcl_tf.reporting import html_page, tables
from actcl_tf.storage import files

BEST, WORSE, OPEN, ALONE = "best", "worse", "not decided", ""
LEGEND = (
    "Ranked are rows on the same clips, label, size of training set and kind of score. Worse: the "
    "error bars of a row and of the best do not meet. An error bar is the 95 % interval over test "
    "videos; without one, 1.96 standard errors over folds; without either, nothing is decided."
)
_HEADS = ("result", "row", "score", "value", "low", "high", "verdict", "data", "folds")
_NORMAL_95 = 1.959963984540054


class ComparisonError(config.UserError, ValueError):
    """Results that cannot be compared; the message says why."""


class Entry(NamedTuple):
    """One row of the comparison.

    Attributes:
      result: name of the result.
      row: the measurement.
      data: digest of the clips.
      score: name of the score compared.
      verdict: best, worse, not decided, or empty where there is nothing to compare with.
    """

    result: str
    row: results.Measurement
    data: str
    score: str
    verdict: str


class Group(NamedTuple):
    """Rows that can be ranked.

    Attributes:
      title: what they have in common.
      entries: best first.
    """

    title: str
    entries: list[Entry]


def read(folders: Sequence[str]) -> list[results.Result]:
    """Reads the results of some folders; those of one name get the name of their folder too.

    Raises:
      ComparisonError: there is no folder, or one is named twice.
      results.ResultError: a result is missing, damaged or of another version.
    """
    if not folders:
        raise ComparisonError("name one folder of tools/evaluate.py or several: DIR [DIR...]")
    paths = [pathlib.Path(folder) for folder in folders]
    seen = {}
    for path in paths:
        real = path.resolve()
        if real in seen:
            raise ComparisonError(f"{path} is named twice")
        seen[real] = path
    found = [results.read(path) for path in paths]
    names = [result.name for result in found]
    return [
        result if names.count(result.name) == 1 else _named(result, f"{result.name} ({path})")
        for result, path in zip(found, paths, strict=True)
    ]


def _named(result: results.Result, name: str) -> results.Result:
    return results.Result(**{**result.__dict__, "name": name})


def compare(found: Sequence[results.Result], score: str = "") -> list[Group]:
    """Ranks all rows of some results, in groups within which that makes sense.

    Args:
      found: at least one result.
      score: name of the score to rank by; empty: the headline of each row.

    Raises:
      ComparisonError: no row has that score.
    """
    groups = {}
    for result in found:
        for row in result.measurements:
            name = score or row.headline
            if name in row.summary:
                direction = row.modality if not row.label else ""
                folds = tuple(fold.num_test for fold in row.folds)
                # Draws of one size are alike in all results; folds that differ are other clips.
                tests = (len(folds), sum(folds)) if not row.subset else row.subset
                key = (result.data["digest"], name, row.label, direction, tests)
                groups.setdefault(key, []).append((result, row))
    if not groups:
        known = sorted({n for each in found for row in each.measurements for n in row.summary})
        raise ComparisonError(f"--score={score}: must be one of {', '.join(known)}")
    return [_group(key[1], rows) for key, rows in groups.items()]


def _group(score: str, rows: Sequence[tuple[results.Result, results.Measurement]]) -> Group:
    sign = 1 if score in score_tables.LOWER_IS_BETTER else -1
    ranked = sorted(rows, key=lambda each: sign * each[1].summary[score].mean)
    best = ranked[0][1].summary[score]
    entries = []
    for place, (result, row) in enumerate(ranked):
        if len(ranked) == 1:
            verdict = ALONE
        elif place == 0:
            verdict = BEST
        else:
            verdict = WORSE if _apart(best, row.summary[score]) else OPEN
        entries.append(Entry(result.name, row, result.data["digest"], score, verdict))
    first, row = ranked[0]
    subset = f", {row.subset}" if row.subset else ""
    what = {"label": "classes", "": row.modality}.get(row.label, row.label)
    title = f"{first.data['path']}: {what}{subset}, by {score_tables.HEADS.get(score, score)}"
    return Group(title, entries)


def _apart(one: results.Summary, other: results.Summary) -> bool:
    bars = [error_bar(each) for each in (one, other)]
    if None in bars:
        return False
    return bars[0][0] > bars[1][1] or bars[1][0] > bars[0][1]


def error_bar(summary: results.Summary) -> tuple[float, float] | None:
    """Ends of a score's error bar, see `LEGEND`; None if there is none."""
    if summary.low is not None:
        return summary.low, summary.high
    if summary.std is None:
        return None
    half = _NORMAL_95 * summary.std / math.sqrt(summary.num)
    return summary.mean - half, summary.mean + half


def _table(group: Group) -> tables.Table:
    rows = [
        [
            entry.result,
            entry.row.name,
            score_tables.score(entry.score, entry.row.summary[entry.score]),
            entry.verdict,
        ]
        for entry in group.entries
    ]
    return tables.Table(
        ["result", "row", score_tables.HEADS.get(group.entries[0].score, "score"), "verdict"], rows
    )


def text(groups: Sequence[Group]) -> str:
    """All groups for the terminal."""
    shown = [f"{group.title}\n{tables.to_text(_table(group))}" for group in groups]
    return "\n\n".join([*shown, LEGEND])


def markdown(groups: Sequence[Group]) -> str:
    """All groups as Markdown; the best of each group is bold."""
    parts = []
    for group in groups:
        best = [place for place, each in enumerate(group.entries) if each.verdict == BEST]
        parts.append(f"### {group.title}\n\n{tables.to_markdown(_table(group), best)}")
    return "\n\n".join([*parts, LEGEND]) + "\n"


def csv_text(groups: Sequence[Group]) -> str:
    """All groups as comma-separated values, shares from 0 to 1."""
    rows = []
    for group in groups:
        for entry in group.entries:
            summary = entry.row.summary[entry.score]
            value = (entry.score, summary.mean, *(error_bar(summary) or ("", "")))
            rows.append(
                [entry.result, entry.row.name, *value, entry.verdict, entry.data, summary.num]
            )
    return tables.to_csv(_HEADS, rows)


def write(folder: pathlib.Path, groups: Sequence[Group]) -> list[pathlib.Path]:
    """Writes comparison.md, .csv, .html and .png to a folder, which is made; returns the paths.

    The figure is of the largest group; where rows learned from few clips, the page has their curves
    too.

    Raises:
      OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"comparison.{kind}" for kind in ("md", "csv", "html", "png")]
    files.write_atomically(paths[0], markdown(groups))
    files.write_atomically(paths[1], csv_text(groups))
    largest = max(groups, key=lambda group: len(group.entries))
    _draw(paths[3], largest)
    with tempfile.TemporaryDirectory() as pictures:
        sections = _low_shot(pathlib.Path(pictures), groups)
        for number, group in enumerate(groups):
            path = pathlib.Path(pictures) / f"{number}.png"
            _draw(path, group)
            shown = [_table(group)]
            sections.append(html_page.Section(group.title, [], shown, [("Error bars", path)]))
        sections.append(html_page.Section("How to read this", [LEGEND]))
        html_page.write(paths[2], "Comparison", sections)
    return paths


def _low_shot(folder: pathlib.Path, groups: Sequence[Group]) -> list[html_page.Section]:
    """Curves over the size of the training set, a picture for each data set and label."""
    by_data = {}
    for group in groups:
        for entry in group.entries:
            what = (entry.data, entry.row.label)
            by_data.setdefault(what, []).append((entry.result, entry.row))
    pictures = []
    for number, ((_, label), rows) in enumerate(by_data.items()):
        for kind, curves in figures.low_shot_curves(rows).items():
            path = folder / f"low_shot_{number}_{kind}.png"
            figures.draw_low_shot(path, curves)
            pictures.append((f"Few training clips, by {kind}: {label}", path))
    return [html_page.Section("Low-shot", [], [], pictures)] if pictures else []


def _draw(path: pathlib.Path, group: Group) -> None:
    labels = [f"{entry.result}: {entry.row.name}" for entry in group.entries]
    rows = [entry.row for entry in group.entries]
    figures.draw_bars(path, labels, rows, group.entries[0].score)
