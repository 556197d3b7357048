"""An evaluation as one HTML page that needs nothing beside it."""

import json
import pathlib
import tempfile
from collections.abc import Sequence
from typing import NamedTuple

from actcl_tf.evaluate.results import figures, results, score_tables
from actcl_tf.reporting import html_page, playable, tables

FILE_NAME = "report.html"
_ROWS_A_FIGURE = 30
_NEIGHBOURS = (
    "The first clip of each row is a test clip, the others are the training clips that are most "
    "like it: ✓ of the same class, ✗ of another. Click to play."
)


class Neighbours(NamedTuple):
    """A test clip and what is most like it.

    Attributes:
      stream: by which stream they were compared.
      query: the test clip.
      nearest: training clips, nearest first.
    """

    stream: str
    query: playable.Clip
    nearest: Sequence[playable.Clip]


def write(
    folder: pathlib.Path, result: results.Result, neighbours: Sequence[Neighbours] = ()
) -> pathlib.Path:
    """Writes FOLDER/report.html, whole or not at all; returns its path.

    Args:
      folder: of the result.
      result: what was measured.
      neighbours: clips to show.
    """
    path = folder / FILE_NAME
    with tempfile.TemporaryDirectory() as pictures:
        sections = [
            html_page.Section("", _facts(result)),
            *_overview(pathlib.Path(pictures), result),
            *_low_shot(pathlib.Path(pictures), result),
            *_details(pathlib.Path(pictures), result),
            *_neighbours(neighbours),
            _everything(result),
        ]
        html_page.write(path, result.name, sections)
    return path


def _facts(result: results.Result) -> list[str]:
    data, checkpoint = result.data, result.checkpoint
    facts = [
        f"Data: {data['path']}, {data['num_clips']} clips (digest {data['digest']}).",
        f"Took {sum(result.seconds.values()):.0f} seconds.",
    ]
    if checkpoint is not None:
        facts.insert(
            0,
            f"Encoders: {checkpoint['path']}, step {checkpoint['step']} "
            f"(digest {checkpoint['digest']}).",
        )
    return facts + [f"Warning: {line}." for line in result.warnings]


def _overview(folder: pathlib.Path, result: results.Result) -> list[html_page.Section]:
    sections = []
    kinds = {}
    for row in result.measurements:
        kinds.setdefault(tuple(row.summary), []).append(row)
    for number, (table, rows) in enumerate(
        zip(score_tables.build(result.measurements), kinds.values(), strict=True)
    ):
        pictures = []
        for place in range(0, len(rows), _ROWS_A_FIGURE):
            part = rows[place : place + _ROWS_A_FIGURE]
            path = folder / f"bars_{number}_{place}.png"
            figures.draw_bars(path, [row.name for row in part], part)
            pictures.append((score_tables.HEADS.get(rows[0].headline, rows[0].headline), path))
        title = "Scores" if not sections else "More scores"
        sections.append(html_page.Section(title, [score_tables.LEGEND], [table], pictures))
    return sections


def _low_shot(folder: pathlib.Path, result: results.Result) -> list[html_page.Section]:
    curves = figures.low_shot_curves(("", row) for row in result.measurements)
    pictures = []
    for kind, each in curves.items():
        path = folder / f"low_shot_{kind}.png"
        figures.draw_low_shot(path, each)
        pictures.append((f"Few training clips, by {kind}", path))
    return [html_page.Section("Low-shot", [], [], pictures)] if pictures else []


def _details(folder: pathlib.Path, result: results.Result) -> list[html_page.Section]:
    """Confusion and classes: of the best row of each modality and label at once, others folded."""
    best = {}
    for row in result.measurements:
        if row.per_class and not row.subset:
            key = (row.modality, row.label)
            if key not in best or _mean(row) > _mean(best[key]):
                best[key] = row
    sections = []
    for number, row in enumerate(result.measurements):
        if not row.per_class or row.subset:
            continue
        names = [each["name"] for each in row.per_class]
        head = score_tables.HEADS.get(row.headline, row.headline)
        pictures = []
        if row.confusion is not None:
            path = figures.draw_confusion(folder / f"confusion_{number}.png", row.confusion, names)
            pictures.append(("Confusion: clips over all folds, colours by row", path))
        score = head if row.confusion is None else "accuracy"
        path = figures.draw_classes(folder / f"classes_{number}.png", row.per_class, score)
        pictures.append(("Classes", path))
        cells = [
            [each["name"], str(each["count"]), score_tables.number("top1", each["score"])]
            for each in row.per_class
        ]
        table = tables.Table(["", "test clips", f"{score}, %"], cells)
        folded = best[row.modality, row.label] is not row
        sections.append(html_page.Section(row.name, [], [table], pictures, folded=folded))
    return sorted(sections, key=lambda section: section.folded)


def _mean(row: results.Measurement) -> float:
    return row.summary[row.headline].mean


def _neighbours(neighbours: Sequence[Neighbours]) -> list[html_page.Section]:
    by_stream = {}
    for each in neighbours:
        by_stream.setdefault(each.stream, []).append([each.query, *each.nearest])
    return [
        html_page.Section(f"Nearest neighbours by {stream}", [_NEIGHBOURS], clips=rows)
        for stream, rows in by_stream.items()
    ]


def _everything(result: results.Result) -> html_page.Section:
    groups = {"flags": result.flags, "versions": result.versions, "seconds": result.seconds}
    listed = [
        tables.Table(
            ["", "value"], [[key, _shown(value)] for key, value in sorted(values.items())], name
        )
        for name, values in groups.items()
    ]
    return html_page.Section("All flags and versions", [], listed, folded=True)


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
