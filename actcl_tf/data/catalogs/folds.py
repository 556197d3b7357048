"""Data sets that come with several official splits of the same clips."""

from collections.abc import Iterable
from typing import Union

from actcl_tf import config
from actcl_tf.data.catalogs.catalog import ALL
from actcl_tf.data.catalogs.finding import Row

Fold = Union[int, str]


def check_fold(fold: Fold, count: int) -> Fold:
    """The fold as a number from 1 to `count`, or "all".

    Raises:
      ConfigError: it is neither.
    """
    if fold == ALL:
        return ALL
    if str(fold).isdecimal() and 1 <= int(fold) <= count:
        return int(fold)
    raise config.ConfigError(f"--fold={fold}: must be from 1 to {count}, or {ALL}")


def choose(rows: Iterable[Row], fold: Fold) -> list[Row]:
    """Gives rows the split they belong to in one fold; those without a part in it go.

    With "all" every row is of a split called all, and its parts stand in `folds` only.
    """
    if fold == ALL:
        return [row._replace(split=ALL) for row in rows]
    chosen = (row._replace(split=row.folds[fold - 1]) for row in rows)
    return [row for row in chosen if row.split]
