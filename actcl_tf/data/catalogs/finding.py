"""Official lists of data sets, read and matched with the media that are on disk.

Lists have up to two million rows, so that files are looked up by name in what `walking` found, and
never one by one on disk.
"""

import collections
import csv
import posixpath
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from actcl_tf.data.catalogs import file_types, walking
from actcl_tf.data.catalogs.catalog import Catalog, Clip, composed
from actcl_tf.storage import files
from actcl_tf.storage.errors import DataError

Span = tuple[float, float | None] | None
_SHOWN_TEXT = 200  # Characters of a line.
_SHOWN = 8  # Names that an error shows of what it found.


class Row(NamedTuple):
    """One clip of an official list.

    Attributes:
      name: what the list calls it, for people.
      files: what its file may be called (see `key_of`), the likeliest first, each with the start
        and end in seconds that such a file is to be cut at; None: it is cut.
      labels: machine names of its classes.
      split: that it belongs to.
      folds: its part in each official split.
    """

    name: str
    files: Iterable[tuple[str, Span]]
    labels: tuple[str, ...]
    split: str
    folds: tuple[str, ...] = ()


def key_of(name: str, folders: int = 0) -> str:
    """What a file is looked up by: its name, without its ending, in one case and Unicode form.

    Args:
      name: of the file, with `/` between folders.
      folders: how many of the folders it is in belong to the key.
    """
    parts = posixpath.splitext(name)[0].split("/")
    return _folded("/".join(parts[-1 - folders :]))


def _folded(text: str) -> str:
    return composed(composed(text).casefold())


def read_text(path: str) -> str:
    """A text file of UTF-8, without a byte order mark.

    Raises:
      DataError: it cannot be read, or is no UTF-8.
    """
    text = files.read_text(path)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(f"{path} is no UTF-8 text ({error.reason})") from error
    return text.lstrip("\ufeff")


def read_lines(path: str) -> list[str]:
    """The lines of a text file that are not empty, without what ends them; see `read_text`."""
    return [line.rstrip() for line in composed(read_text(path)).splitlines() if line.strip()]


def read_rows(path: str, **options: Any) -> Iterator[tuple[str, list[str]]]:
    """The rows of a CSV file that has no header, one by one, each with its place, FILE:LINE.

    Args:
      path: of the file; empty lines and those that begin with # do not count.
      **options: of `csv.reader`.

    Raises:
      DataError: it cannot be read, or is no CSV.
    """
    lines = [
        "" if line.startswith("#") else line for line in composed(read_text(path)).splitlines()
    ]
    reader = csv.reader(lines, **options)
    try:
        for row in reader:
            if any(row):
                yield f"{path}:{reader.line_num}", row
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: is no line of a CSV file ({error})") from error


def read_table(path: str, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """As `read_rows`, of a CSV file whose first line names its columns.

    Args:
      path: of the file.
      columns: that it must have; there may be more.

    Yields:
      Places, and column -> text; what a row lacks is empty.

    Raises:
      DataError: it cannot be read, is no CSV, or lacks a column.
    """
    rows = read_rows(path)
    _, header = next(rows, ("", []))
    if not set(columns) <= set(header):
        raise DataError(
            f"{path}: expected the columns {', '.join(columns)}, got "
            f"{', '.join(header)[:_SHOWN_TEXT] or 'nothing'}"
        )
    empty = dict.fromkeys(header, "")
    for where, row in rows:
        yield where, {**empty, **dict(zip(header, row, strict=False))}


def build_catalog(
    rows: Iterable[Row],
    classes: tuple[str, ...],
    folder: str,
    layout: str,
    *,
    kinds: Sequence[str] = walking.MEDIA,
    key: Callable[[str], str] = key_of,
    **facts: Any,
) -> Catalog:
    """The catalog of a list: its clips that are on disk, and the names of those that are not.

    Of two files of one key a video is taken before an audio file, as it has the audio too. A file
    that could be any of several clips, such as one called by the id of a video that the list has
    two spans of, is nobody's: its label would be a guess.

    Args:
      rows: of the list.
      classes: machine names of all classes, sorted.
      folder: that holds the media, at any depth.
      layout: how the folder should look, for the error.
      kinds: of files to look for, of `walking`.
      key: what a file is looked up by.
      **facts: other fields of the catalog.

    Raises:
      DataError: not one clip of the list is on disk.
    """
    on_disk = walking.find(folder, kinds)
    by_key: dict[str, str] = {}
    for name in sorted(on_disk.names, key=file_types.is_audio):
        by_key.setdefault(key(name), name)
    found = [(row, _first(row.files, by_key)) for row in rows]
    uses = collections.Counter(file for _, file in found)
    clips, missing = [], []
    for row, file in found:
        if file is None or uses[file] > 1:
            missing.append(row.name)
            continue
        name, span = file
        start, end = span or (0.0, None)
        clips.append(
            Clip(
                path=files.join(folder, name),
                name=name,
                start=start,
                end=end,
                labels=row.labels,
                split=row.split,
                folds=row.folds,
            )
        )
    if not clips:
        first = f", such as {missing[0]}" if missing else ""
        raise layout_error(
            folder, layout, f"none of the {len(missing)} clips of the list is there{first}"
        )
    return Catalog(tuple(clips), classes, tuple(missing), found=on_disk, **facts)


def _first(wanted: Iterable[tuple[str, Span]], by_key: dict[str, str]) -> tuple[str, Span] | None:
    """The first file of those wanted that is there, and its span."""
    for key, span in wanted:
        name = by_key.get(_folded(key))
        if name is not None:
            return name, span
    return None


def layout_error(root: str, layout: str, why: str) -> DataError:
    """An error that says how the folder should look, and what is there."""
    names = files.names_in(root)
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return DataError(f"--input={root}: {why}; it holds {shown or 'nothing'}. Expected:\n{layout}")


def find_one(root: str, places: Sequence[str]) -> str | None:
    """The first of several paths below a folder that exists; None if none does."""
    for place in places:
        path = files.join(root, place) if place else root
        if files.exists(path):
            return path
    return None
