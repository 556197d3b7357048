"""Scores as a reader wants them: a table for the terminal or a README, a JSON file, a figure.

All take scores as `monitor.Evaluator` gives them, of the encoders as initialised and as trained;
either may be empty, and its column then shows dashes.
"""

import pathlib
import re
import textwrap
from typing import NamedTuple

from actcl_tf.evaluate.metrics import retrieval
from actcl_tf.evaluate.results import score_tables

Scores = dict[str, float]

_DIRECTIONS = {
    "video_to_audio": "video finds audio",
    "audio_to_video": "audio finds video",
}
_ENCODERS = {"video": "video encoder", "audio": "audio encoder"}
_RETRIEVAL = {name: score_tables.HEADS[name] for name in ("r1", "r5", "r10", "r20", "median_rank")}
_COLUMNS = ("initialised", "trained", "chance")
_MISSING = "-"


class Row(NamedTuple):
    """One line of a table; None where a number is not known."""

    name: str
    initialised: float | None
    trained: float | None
    chance: float | None
    note: str = ""


class Group(NamedTuple):
    """Rows that belong together."""

    title: str
    rows: list[Row]


def groups(initialised: Scores, trained: Scores) -> list[Group]:
    """Sorts scores into the groups and rows of a table.

    Args:
      initialised: scores of the encoders as initialised; may be empty.
      trained: scores of the trained encoders; may be empty.

    Returns:
      Two groups of retrieval, if there is any, then one group of probes for each encoder.
    """
    both = {**initialised, **trained}
    found = []
    if "retrieval/num_clips" in both:
        num = int(both["retrieval/num_clips"])
        chance = retrieval.chance(num)._asdict()
        for direction, title in _DIRECTIONS.items():
            rows = []
            for key, name in _RETRIEVAL.items():
                full = f"retrieval/{direction}/{key}"
                rows.append(Row(name, initialised.get(full), trained.get(full), chance[key]))
            found.append(Group(f"Retrieval: {title} among {num} clips", rows))
    names = [re.fullmatch(r"probe/video/(.*)/accuracy", name) for name in both]
    labels = [match[1] for match in names if match]
    for encoder, title in _ENCODERS.items():
        rows = []
        for label in labels:
            prefix = f"probe/{encoder}/{label}"
            rows.append(
                Row(
                    label,
                    initialised.get(f"{prefix}/accuracy"),
                    trained.get(f"{prefix}/accuracy"),
                    both[f"{prefix}/chance"],
                    _interval(trained or initialised, prefix),
                )
            )
        if rows:
            num = int(both[f"probe/{encoder}/{labels[0]}/num_test"])
            found.append(Group(f"Linear probe of the {title}, accuracy on {num} clips", rows))
    return found


def summary_table(initialised: Scores, trained: Scores) -> str:
    """The table for the terminal, at most 80 columns wide.

    Args:
      initialised: scores of the encoders as initialised; may be empty.
      trained: scores of the trained encoders; may be empty.
    """
    lines = [f"{'':26}{_COLUMNS[0]:>12}{_COLUMNS[1]:>12}{_COLUMNS[2]:>12}", "-" * 80]
    shown = groups(initialised, trained)
    for group in shown:
        lines.append(group.title)
        for row in group.rows:
            cells = "".join(f"{cell:>12}" for cell in _cells(row))
            lines.append(f"  {row.name:24.24}{cells}  {row.note}".rstrip())
        lines.append("-" * 80)
    for note in _notes({**initialised, **trained}, trained):
        lines += textwrap.wrap(note, 80)
    return "\n".join(lines)


def write_figure(path: pathlib.Path, initialised: Scores, trained: Scores) -> None:
    """Draws shares and accuracies as bars, initialised beside trained, with a line for chance.

    Args:
      path: of the PNG file.
      initialised: scores of the encoders as initialised; may be empty.
      trained: scores of the trained encoders; may be empty.
    """
    # A canvas of its own: no display needed, no state shared with other figures.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [
        (f"{row.name}\n{group.title.split(',')[0].split(' among')[0]}", row)
        for group in groups(initialised, trained)
        for row in group.rows
        if row.name != _RETRIEVAL["median_rank"]  # No share.
    ]
    figure = Figure(figsize=(8, 1.2 + 0.5 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for offset, name, color in ((-0.2, "initialised", "#b8b8b8"), (0.2, "trained", "#2a6fb0")):
        numbers = [getattr(row, name) for _, row in rows]
        known = [(index, number) for index, number in enumerate(numbers) if number is not None]
        if not known:
            continue
        places, values = zip(*((index + offset, number) for index, number in known), strict=True)
        bars = axes.barh(places, values, height=0.38, color=color, label=name)
        axes.bar_label(bars, fmt="%.2f", padding=2, fontsize=7)
    for index, (_, row) in enumerate(rows):
        label = "chance" if index == 0 else None
        axes.plot([row.chance] * 2, [index - 0.4, index + 0.4], "k:", linewidth=1, label=label)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows], fontsize=8)
    axes.set_xlim(0.0, 1.08)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel("share of held-out clips")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower right", ncols=3, fontsize=8, frameon=False)
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    figure.savefig(temporary, format="png", dpi=120)
    temporary.replace(path)


def _interval(scores: Scores, prefix: str) -> str:
    if f"{prefix}/low" not in scores:
        return ""
    return f"[{scores[f'{prefix}/low']:.2f}, {scores[f'{prefix}/high']:.2f}]"


def _cells(row: Row) -> list[str]:
    """The three numbers of a row: ranks with one digit behind the point, shares with three."""
    digits = 1 if row.name == _RETRIEVAL["median_rank"] else 3
    numbers = (row.initialised, row.trained, row.chance)
    return [_MISSING if number is None else f"{number:.{digits}f}" for number in numbers]


def _notes(scores: Scores, trained: Scores) -> list[str]:
    """What a reader must know of the probes shown."""
    probes = [name.split("/")[2] for name in scores if re.fullmatch("probe/video/.*/c", name)]
    if not probes:
        return []
    column = "trained" if trained else "initialised"
    notes = [f"In brackets: 95 % interval of '{column}'. Chance of a probe: one constant answer."]
    ordered = [name for name in probes if scores[f"probe/video/{name}/windows_in_order"]]
    averaged = [name for name in probes if name not in ordered]
    if averaged:
        notes.append(f"Features averaged over a clip's windows: {', '.join(averaged)}.")
    if ordered:
        notes.append(f"Features of a clip's windows side by side: {', '.join(ordered)}.")
    return notes
