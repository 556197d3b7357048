"""What is on disk: all media below a folder in one walk, and official lists matched with them.

Lists have up to two million rows, so that files are looked up by name in what the walk found, and
never one by one on disk.
"""

import collections
import csv
import os
import pathlib
import posixpath
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Optional

import tensorflow as tf

from actcl_tf.data import files
from actcl_tf.data.catalogs.catalog import Clip
from actcl_tf.data.files import DataError

VIDEO_SUFFIXES = (
    *(".3g2", ".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg"),
    *(".mpg", ".mts", ".mxf", ".ogv", ".qt", ".ts", ".vob", ".webm", ".wmv", ".y4m"),
)
AUDIO_SUFFIXES = (".aac", ".aif", ".aiff", ".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav")
MEDIA_SUFFIXES = VIDEO_SUFFIXES + AUDIO_SUFFIXES
Span = Optional[tuple[float, Optional[float]]]
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


def find_files(root: str, suffixes: Sequence[str]) -> list[str]:
    """Names of the files below a folder, relative to it, sorted; hidden ones are left out.

    Args:
      root: the folder, local or of any file system that TensorFlow knows.
      suffixes: endings that count, in lower case, with the dot.

    Raises:
      DataError: there is no such folder.
    """
    if not files.is_folder(root):
        raise DataError(f"--input={root}: there is no such folder")
    walk = _walk_remote(root) if files.is_remote(root) else _walk_local(files.local(root))
    return sorted(
        name
        for name in walk
        if not posixpath.basename(name).startswith(".")
        and posixpath.splitext(name)[1].lower() in suffixes
    )


def _walk_local(root: str) -> Iterator[str]:
    """Files below a folder of this machine; links to folders are followed, each folder once."""
    seen = set()
    for current, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(current)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            yield (pathlib.Path(current) / name).relative_to(root).as_posix()


def _walk_remote(root: str) -> Iterator[str]:
    root = root.rstrip("/")
    with files.naming(root, "listed"):
        for current, _, names in tf.io.gfile.walk(root):
            below = current.rstrip("/")[len(root) + 1 :]
            if not any(part.startswith(".") for part in below.split("/")):
                for name in names:
                    yield posixpath.join(below, name)


def key_of(name: str, folders: int = 0) -> str:
    """What a file is looked up by: its name without its ending, in one case.

    Args:
      name: of the file, with `/` between folders.
      folders: how many of the folders it is in belong to the key.
    """
    parts = posixpath.splitext(name)[0].split("/")
    return "/".join(parts[-1 - folders :]).casefold()


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
    return [line.rstrip() for line in read_text(path).splitlines() if line.strip()]


def read_rows(path: str, **options: Any) -> Iterator[tuple[str, list[str]]]:
    """The rows of a CSV file that has no header, one by one, each with its place, FILE:LINE.

    Args:
      path: of the file; empty lines and those that begin with # do not count.
      **options: of `csv.reader`.

    Raises:
      DataError: it cannot be read, or is no CSV.
    """
    lines = ["" if line.startswith("#") else line for line in read_text(path).splitlines()]
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
        yield where, {**empty, **dict(zip(header, row))}


def match(
    rows: Iterable[Row], root: str, names: Iterable[str], key: Callable[[str], str] = key_of
) -> tuple[list[Clip], list[str]]:
    """The clips of a list that are on disk, and the names of those that are not.

    Of two files of one key a video is taken before a sound, which it holds too. A file that could
    be any of several clips, such as one called by the id of a video that the list has two spans of,
    is nobody's: its label would be a guess.

    Args:
      rows: of the list.
      root: that `names` are relative to.
      names: of the files, of `find_files`.
      key: what a file is looked up by.
    """
    by_key: dict[str, str] = {}
    for name in sorted(names, key=_is_sound):
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
                path=files.join(root, name),
                name=name,
                start=start,
                end=end,
                labels=row.labels,
                split=row.split,
                folds=row.folds,
            )
        )
    return clips, missing


def _is_sound(name: str) -> bool:
    return posixpath.splitext(name)[1].lower() in AUDIO_SUFFIXES


def _first(
    wanted: Iterable[tuple[str, Span]], by_key: dict[str, str]
) -> Optional[tuple[str, Span]]:
    """The first file of those wanted that is there, and its span."""
    for key, span in wanted:
        name = by_key.get(key.casefold())
        if name is not None:
            return name, span
    return None


def layout_error(root: str, layout: str, why: str) -> DataError:
    """An error that says how the folder should look, and what is there."""
    names = files.names_in(root)
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return DataError(f"--input={root}: {why}; it holds {shown or 'nothing'}. Expected:\n{layout}")


def require_some(clips: Sequence[Clip], missing: Sequence[str], root: str, layout: str) -> None:
    """Raises DataError if not one clip of the list is on disk."""
    if not clips:
        first = f", such as {missing[0]}" if missing else ""
        raise layout_error(
            root, layout, f"none of the {len(missing)} clips of the list is there{first}"
        )


def find_one(root: str, places: Sequence[str]) -> Optional[str]:
    """The first of several paths below a folder that exists; None if none does."""
    for place in places:
        path = files.join(root, place) if place else root
        if files.exists(path):
            return path
    return None
