"""Data sets that come with several official splits of the same clips."""

from collections.abc import Iterable

from actcl_tf.config.dataset_choice import ALL, Fold
from actcl_tf.data.catalogs.finding import Row


def choose(rows: Iterable[Row], fold: Fold) -> list[Row]:
    """Gives rows the split they belong to in one fold; those without a part in it go.

    With "all" every row is of a split called all, and its parts stand in `folds` only.
    """
    if fold == ALL:
        return [row._replace(split=ALL) for row in rows]
    chosen = (row._replace(split=row.folds[fold - 1]) for row in rows)
    return [row for row in chosen if row.split]
