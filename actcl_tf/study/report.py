"""What follows from a study: tables, sentences, figures; as a page, as Markdown and as CSV."""

import pathlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from actcl_tf.reporting import drawing, html_page, tables
from actcl_tf.storage import files
from actcl_tf.study import differences, measures, plan
from actcl_tf.study.differences import Difference

Results = dict[plan.Cell, measures.Measured]
_SIGNIFICANT = 0.05
_COLUMNS = 3  # Of the figure of differences.
# Figures of the dictionaries that are shown, mean of both.
_FIGURES = ("categories", "biased_keys", "ineffective_keys", "distinct_clips", "effective_rank")


class Comparison(NamedTuple):
    """A strategy beside the baseline, in one setting and one measure.

    Attributes:
      setting: of both.
      strategy: which.
      measure: of `measures.SCORES`.
      values: one a seed that both have.
      difference: to the baseline; None for the baseline itself.
      adjusted: p value with regard to all comparisons of the study.
    """

    setting: plan.Flags
    strategy: plan.Strategy
    measure: str
    values: list[float]
    difference: Difference | None
    adjusted: float | None = None


def compare(results: Results, baseline: plan.Strategy) -> list[Comparison]:
    """Compares each strategy with the baseline, by the seeds that both have finished.

    Args:
      results: of the cells that are done.
      baseline: one of the strategies.
    """
    settings = list(dict.fromkeys(cell.setting for cell in results))
    strategies = list(dict.fromkeys([baseline, *(cell.strategy for cell in results)]))
    found = []
    for setting in settings:
        for strategy in strategies:
            pairs = [
                (measured, results.get(cell._replace(strategy=baseline)))
                for cell, measured in results.items()
                if (cell.setting, cell.strategy) == (setting, strategy)
            ]
            pairs = [pair for pair in pairs if pair[1] is not None]
            for measure in measures.SCORES:
                both = [
                    (own.scores[measure], other.scores[measure])
                    for own, other in pairs
                    if measure in own.scores and measure in other.scores
                ]
                if not both:
                    continue
                values, others = map(list, zip(*both, strict=True))
                told = None if strategy == baseline else differences.paired(values, others)
                found.append(Comparison(setting, strategy, measure, values, told))
    p_values = [None if each.difference is None else each.difference.p_value for each in found]
    return [
        each._replace(adjusted=p)
        for each, p in zip(found, differences.adjusted(p_values), strict=True)
    ]


def sentences(comparisons: Sequence[Comparison], baseline: plan.Strategy) -> list[str]:
    """What follows and what does not, a line for each comparison with the baseline."""
    found = []
    for each in comparisons:
        if each.difference is None:
            continue
        where = f" with {plan.describe(each.setting)}" if each.setting else ""
        head = f"{each.measure}{where}: {each.strategy.name} less {baseline.name}"
        found.append(f"{head} is {_signed(each.difference)}; {_verdict(each)}.")
    return found


def _verdict(each: Comparison) -> str:
    told = each.difference
    if told.interval is None:
        return "nothing can be told of the spread"
    if not told.is_told:
        return f"no difference can be told ({told.wins} of {told.num_pairs} pairs are higher)"
    word = "higher" if told.mean > 0 else "lower"
    if each.adjusted is not None and each.adjusted > _SIGNIFICANT:
        return f"{word} taken alone, but not among all comparisons of this study"
    return f"{word}, in {max(told.wins, told.losses)} of {told.num_pairs} pairs"


def _signed(told: Difference) -> str:
    if told.interval is None:
        return f"{told.mean:+.3f}"
    return f"{told.mean:+.3f} [{told.interval[0]:+.3f}, {told.interval[1]:+.3f}]"


def _mean(values: Sequence[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.3f}"
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1) / len(values) ** 0.5:.3f}"


def build_tables(results: Results, comparisons: Sequence[Comparison]) -> list[tables.Table]:
    """A table for each measure, and one of the dictionaries."""
    found = []
    for measure in dict.fromkeys(each.measure for each in comparisons):
        rows = []
        for each in comparisons:
            if each.measure != measure:
                continue
            told, cells = each.difference, [_mean(each.values)]
            cells.append("" if told is None else _signed(told))
            has_interval = told is not None and told.bootstrap is not None
            cells.append(
                f"[{told.bootstrap[0]:+.3f}, {told.bootstrap[1]:+.3f}]" if has_interval else ""
            )
            cells.append("" if told is None else f"{told.wins} : {told.losses}")
            cells.append("" if each.adjusted is None else f"{each.adjusted:.3f}")
            rows.append([_row_name(each.setting, each.strategy), *cells])
        found.append(tables.Table(_HEADS, rows, measure))
    of_dictionaries = _means(
        results,
        "What the dictionaries hold in the end",
        lambda run: [
            (full.rsplit("/", 1)[1], value)
            for full, value in run.figures.items()
            if full.rsplit("/", 1)[1] in _FIGURES
        ],
    )
    read = _means(
        results,
        "R2 of the causes that a regression reads from the features",
        lambda run: list(run.read.items()),
    )
    return [*found, *of_dictionaries, *read]


_HEADS = ["", "mean ± s.e.", "difference, 95 % (t)", "95 % (bootstrap)", "won : lost", "adjusted p"]


def _row_name(setting: plan.Flags, strategy: plan.Strategy) -> str:
    return f"{plan.describe(setting)} {strategy.name}".strip()


def _means(
    results: Results,
    title: str,
    figures: Callable[[measures.Measured], list[tuple[str, float]]],
) -> list[tables.Table]:
    """A table of the mean of each figure over seeds and both modalities; none without figures.

    Args:
      results: of the cells that are done.
      title: of the table.
      figures: run -> names and values; of one name they are averaged.
    """
    groups: dict[tuple, dict[str, list[float]]] = {}
    for cell, measured in results.items():
        group = groups.setdefault((cell.setting, cell.strategy), {})
        for name, value in figures(measured):
            group.setdefault(name, []).append(value)
    names = list(dict.fromkeys(name for group in groups.values() for name in group))
    rows = [
        [
            _row_name(*key),
            *(f"{np.mean(group[name]):.3g}" if name in group else "" for name in names),
        ]
        for key, group in groups.items()
    ]
    heads = ["", *(name.replace("_", " ") for name in names)]
    return [tables.Table(heads, rows, title)] if names else []


def write(
    folder: pathlib.Path,
    results: Results,
    comparisons: Sequence[Comparison],
    baseline: plan.Strategy,
    *,
    command: str,
    num_cells: int,
) -> list[pathlib.Path]:
    """Writes study.html, study.md, study.csv and the figures.

    Args:
      folder: of the study.
      results: of the cells that are done, at least one.
      comparisons: of `compare`.
      baseline: the strategy that the others are compared with.
      command: that made it.
      num_cells: of the whole study.

    Returns:
      The paths of the page, the Markdown, the CSV and the figures.
    """
    lines, found = sentences(comparisons, baseline), build_tables(results, comparisons)
    seeds = len({cell.seed for cell in results})
    facts = [
        f"{len(results)} of {num_cells} runs are done, of {seeds} seed(s), by: {command}",
        f"Differences are to {baseline.name}, paired by seed: same data, same initial weights, "
        "same clips in the same order. Adjusted p bounds the share of false discoveries among all "
        f"{sum(each.difference is not None for each in comparisons)} comparisons of the study "
        "(Benjamini and Hochberg).",
    ]
    pictures = [
        ("Course of R@1, mean and standard error over seeds", _draw_courses(folder, results)),
        ("Differences to the baseline, 95 % intervals", _draw_differences(folder, comparisons)),
    ]
    pictures = [(caption, path) for caption, path in pictures if path is not None]
    page, text, sheet = (folder / f"study.{kind}" for kind in ("html", "md", "csv"))
    html_page.write(
        page,
        "Study of negatives",
        [
            html_page.Section("What follows", [*facts, *lines]),
            html_page.Section("Figures", pictures=pictures),
            html_page.Section("Tables", tables=found),
        ],
    )
    files.write_atomically(text, _markdown(facts, lines, found, pictures))
    files.write_atomically(sheet, _csv(results))
    return [page, text, sheet, *(path for _, path in pictures)]


def _markdown(
    facts: Sequence[str],
    lines: Sequence[str],
    found: Sequence[tables.Table],
    pictures: Sequence[tuple[str, pathlib.Path]],
) -> str:
    parts = ["# Study of negatives", *facts, "\n".join(f"- {line}" for line in lines)]
    parts += [f"![{caption}]({path.name})" for caption, path in pictures]
    parts += [f"## {table.title}\n\n{tables.to_markdown(table)}" for table in found]
    return "\n\n".join(parts) + "\n"


def _csv(results: Results) -> str:
    rows = [
        [plan.describe(cell.setting), cell.strategy.name, cell.seed, name, repr(value)]
        for cell, measured in results.items()
        for name, value in {**measured.scores, **measured.figures}.items()
    ]
    return tables.to_csv(["setting", "strategy", "seed", "measure", "value"], rows)


def _draw_courses(folder: pathlib.Path, results: Results) -> pathlib.Path | None:
    if not any(len(measured.course) > 1 for measured in results.values()):
        return None
    settings = list(dict.fromkeys(cell.setting for cell in results))
    strategies = list(dict.fromkeys(cell.strategy for cell in results))
    figure = drawing.new_figure(2.4 * len(settings) + 0.4, layout="constrained")
    for row, setting in enumerate(settings):
        axes = figure.add_subplot(len(settings), 1, row + 1)
        for index, strategy in enumerate(strategies):
            courses = [
                measured.course
                for cell, measured in results.items()
                if (cell.setting, cell.strategy) == (setting, strategy) and measured.course
            ]
            if not courses:
                continue
            steps = sorted(set.intersection(*(set(course) for course in courses)))
            values = np.array([[course[step] for step in steps] for course in courses])
            mean, colour = values.mean(0), drawing.CLASS_COLOURS[2 * index % 18]
            axes.plot(steps, mean, color=colour, label=drawing.shorten(strategy.name, 40))
            if len(values) > 1:
                error = values.std(0, ddof=1) / len(values) ** 0.5
                axes.fill_between(steps, mean - error, mean + error, color=colour, alpha=0.2)
        axes.set_title(drawing.shorten(plan.describe(setting), 60), fontsize=9)
        axes.set_ylabel(measures.COURSE)
        if row == 0:
            axes.legend(fontsize=8)
    axes.set_xlabel("step")
    return drawing.save(figure, folder / "courses.png")


def _draw_differences(
    folder: pathlib.Path, comparisons: Sequence[Comparison]
) -> pathlib.Path | None:
    told = [each for each in comparisons if each.difference is not None]
    if not told:
        return None
    shown = list(dict.fromkeys(each.measure for each in told))
    names = list(dict.fromkeys(_row_name(each.setting, each.strategy) for each in told))
    places = -np.arange(len(names))
    num_rows = -(-len(shown) // _COLUMNS)
    figure = drawing.new_figure(num_rows * (0.25 * len(names) + 0.7) + 0.2, layout="constrained")
    for index, measure in enumerate(shown):
        axes = figure.add_subplot(num_rows, _COLUMNS, index + 1)
        for each in told:
            if each.measure != measure:
                continue
            place = -names.index(_row_name(each.setting, each.strategy))
            mean, interval = each.difference.mean, each.difference.interval
            axes.plot([mean], [place], "o", markersize=4, color=drawing.DICTIONARY)
            if interval is not None:
                axes.plot(interval, [place, place], color=drawing.DICTIONARY)
        axes.axvline(0, color=drawing.POOL, linewidth=1)
        axes.set_title(measure, fontsize=9)
        axes.tick_params(labelsize=7)
        axes.locator_params(axis="x", nbins=4)
        is_first = not index % _COLUMNS
        axes.set_yticks(places, [drawing.shorten(name, 34) for name in names] if is_first else [])
        axes.set_ylim(places[-1] - 0.5, 0.5)
    return drawing.save(figure, folder / "differences.png")
