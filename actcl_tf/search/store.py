"""An index on disk: vectors in raw matrices, a table of what they are of, and what of it counts.

An index is a folder of four files:

  index.json             the model it was made with, and how many bytes of the others count
  picture-000001.vectors [P, D] float32, one row a window of picture
  sound-000001.vectors   [S, D] float32, one row a window of sound
  files-000001.jsonl     one line a file: its moments, whose windows have the next rows

What is new is appended to three of them and counts once index.json, replaced as a whole, says so:
whenever an indexing is killed, what was said last stands, and what lies beyond is overwritten by
the next. Rows that no longer count are left out by writing all three anew under the next number.
"""

import dataclasses
import json
import os
import pathlib
import re
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from actcl_tf.search.moments import MODALITIES, PICTURE, SOUND, Moment
from actcl_tf.storage import files, strict_json
from actcl_tf.storage.errors import DataError

INDEX = "index.json"
KIND, VERSION = "actcl_tf search index", 1
TABLE = "files"
SUFFIXES = {PICTURE: ".vectors", SOUND: ".vectors", TABLE: ".jsonl"}
# A line of the table: root, name, bytes, time, moments, what is left out.
_LINE = tuple[str, str, int, int, list[list], dict[str, dict[str, int]]]
_MOST_DIMENSIONS = 1 << 20
_BLOCK = 1 << 24  # Bytes that are read at once where a file is checked.


@dataclasses.dataclass(frozen=True)
class Facts:
    """What an index was made with.

    Attributes:
      digest: of the model.
      model: folder of the model.
      embedding_size: D.
      window_seconds: length of a moment.
    """

    digest: str
    model: str
    embedding_size: int
    window_seconds: float


class Entry(NamedTuple):
    """A file of the collection.

    Attributes:
      root: folder that was indexed.
      name: of the file, relative to it.
      size: bytes.
      modified: when it was changed last, in whole nanoseconds.
      moments: what is known of it; none for a file that is left out.
      left_out: modality -> reason -> how many windows, or 1 for all there is.
    """

    root: str
    name: str
    size: int
    modified: int
    moments: tuple[Moment, ...]
    left_out: dict[str, dict[str, int]]

    @property
    def path(self) -> str:
        """Of the file."""
        return files.join(self.root, self.name)

    def num_rows(self, modality: str) -> int:
        """Its windows of one of MODALITIES."""
        field = "has_picture" if modality == PICTURE else "has_sound"
        return sum(getattr(moment, field) for moment in self.moments)

    def to_line(self) -> bytes:
        """One line of the table."""
        kinds = [[m.start, int(m.has_picture), int(m.has_sound)] for m in self.moments]
        held = [self.root, self.name, self.size, self.modified, kinds, self.left_out]
        return (json.dumps(held, separators=(",", ":")) + "\n").encode()

    @classmethod
    def from_line(cls, line: bytes) -> "Entry":
        """What `to_line` wrote; a ValueError if it is not."""
        *head, kinds, left_out = strict_json.build(_LINE, strict_json.loads(line), "a line")
        return cls(*head, tuple(_moment(*kind) for kind in kinds), left_out)


def _moment(start: Any = None, seen: Any = None, heard: Any = None, *more: Any) -> Moment:
    """A moment of a line; by hand, as there may be millions."""
    is_time = type(start) in (int, float) and start >= 0
    if more or not is_time or seen not in (0, 1) or heard not in (0, 1):
        raise ValueError(f"{[start, seen, heard, *more]!r:.40} is no moment")
    return Moment(start, bool(seen), bool(heard))


class Part(NamedTuple):
    """What counts of a file of the index: its name, its first bytes, and their CRC-32."""

    name: str
    size: int
    checksum: int


class Content(NamedTuple):
    """What an index holds.

    Attributes:
      facts: what it was made with.
      entries: of the table, in the order of their rows.
      vectors: modality -> [N, D] float32, unit vectors, mapped from the file.
    """

    facts: Facts
    entries: list[Entry]
    vectors: dict[str, np.ndarray]


def load(folder: str) -> Content:
    """Reads an index and checks every byte of it.

    Raises:
      DataError: there is none, it is damaged, or it is of another version.
    """
    path = pathlib.Path(files.local(folder))
    facts, parts = read_state(path)
    return Content(facts, *read_parts(path, facts, parts))


def check_model(folder: os.PathLike, facts: Facts, digest: str, model: str) -> None:
    """Refuses a model that an index was not made with.

    Raises:
      DataError: it is another.
    """
    if facts.digest != digest:
        raise DataError(
            f"--index={os.fspath(folder)}: was made with model {facts.digest} ({facts.model}), and "
            f"--model={model} is {digest}; take that model, or begin a new index"
        )


def read_state(folder: pathlib.Path) -> tuple[Facts, dict[str, Part]]:
    """What index.json says: what the index was made with, and what counts of its other files.

    Raises:
      DataError: there is none, it is damaged, or it is of another version.
    """
    path = folder / INDEX
    if not path.exists():
        raise DataError(f"--index={folder}: there is no index; make one with tools/search.py index")
    try:
        held = strict_json.loads(files.read_text(path))
        if held.pop("kind") != KIND:
            raise ValueError("it is of another program")
        version = held.pop("version")
        if version != VERSION:
            raise DataError(
                f"{path} is of version {version!r:.40}, and this program reads {VERSION}; begin a "
                "new index"
            )
        parts = strict_json.build(dict[str, Part], held.pop("parts"), "parts")
        facts = strict_json.build(Facts, held)
        _check_state(facts, parts)
        return facts, parts
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} is damaged ({error}); index the collection anew") from error


def _check_state(facts: Facts, parts: dict[str, Part]) -> None:
    """Raises ValueError unless names are those of this folder and sizes are possible."""
    if parts.keys() != SUFFIXES.keys():
        raise ValueError(f"it must have the parts {', '.join(SUFFIXES)}")
    for key, part in parts.items():
        if not re.fullmatch(rf"{key}-\d{{6}}{re.escape(SUFFIXES[key])}", part.name):
            raise ValueError(f"{part.name!r:.40} is no name of its part {key}")
        if part.size < 0:
            raise ValueError(f"the size of {part.name} is {part.size}")
    if not 0 < facts.embedding_size <= _MOST_DIMENSIONS or facts.window_seconds <= 0:
        raise ValueError("embedding_size and window_seconds must be possible ones")


def read_parts(
    folder: pathlib.Path, facts: Facts, parts: dict[str, Part]
) -> tuple[list[Entry], dict[str, np.ndarray]]:
    """The table and the vectors, every byte of them checked.

    Raises:
      DataError: one of the files is damaged.
    """
    for part in parts.values():
        _check(folder / part.name, part)
    with open(folder / parts[TABLE].name, "rb") as file:
        table = file.read(parts[TABLE].size)
    try:
        entries = [Entry.from_line(line) for line in table.splitlines()]
    except ValueError as error:
        raise DataError(
            f"{folder / parts[TABLE].name} is damaged ({error}); index the collection anew"
        ) from error
    vectors = {}
    for modality in MODALITIES:
        part, rows = parts[modality], sum(entry.num_rows(modality) for entry in entries)
        shape = (rows, facts.embedding_size)
        if part.size != 4 * rows * facts.embedding_size:
            raise DataError(
                f"{folder / part.name} is damaged ({part.size} bytes for {rows} rows of "
                f"{facts.embedding_size}); index the collection anew"
            )
        vectors[modality] = (
            np.memmap(folder / part.name, "<f4", "r", shape=shape)
            if rows
            else np.zeros(shape, np.float32)
        )
    return entries, vectors


def _check(path: pathlib.Path, part: Part) -> None:
    checksum, left = 0, part.size
    for data in _blocks(path, part.size):
        checksum, left = zlib.crc32(data, checksum), left - len(data)
    if left:
        why = f"it has {part.size - left} bytes, and {part.size} were written"
    elif checksum != part.checksum:
        why = "its bytes are not those that were written"
    else:
        return
    raise DataError(f"{path} is damaged ({why}); index the collection anew")


def _blocks(path: pathlib.Path, size: int) -> Iterator[bytes]:
    """The first `size` bytes of a file, or as many as there are."""
    with files.naming(path, "read"), open(path, "rb") as file:
        while size > 0 and (data := file.read(min(size, _BLOCK))):
            yield data
            size -= len(data)
