"""An index on disk: embeddings in mapped matrices, and a SQLite database of what they are of.

An index is a folder of three files:

  index.sqlite      the model it was made with, the files, and the segments of each
  video.1.vectors [P, D] float32, one row a window of video
  audio.1.vectors   [S, D] float32, one row a window of audio

Rows are in the order of the segments. New rows are appended and count once a transaction adds their
segments: whenever an indexing is killed, the last transaction stands, and what lies beyond it is
overwritten by the next. To leave rows out, both matrices are written anew under the next number.
"""

import contextlib
import dataclasses
import errno
import fcntl
import json
import os
import pathlib
import sqlite3
import urllib.parse
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from actcl_tf.search.segments import MODALITIES, VIDEO, Segment
from actcl_tf.storage import files, strict_json
from actcl_tf.storage.errors import DataError

INDEX = "index.sqlite"
VERSION = 2  # In SQLite's `user_version`.
SCHEMA = f"""
CREATE TABLE made_with (digest, model, embedding_size, window_seconds, matrices);
CREATE TABLE files (id INTEGER PRIMARY KEY, root, name, size, modified, left_out, checksum);
CREATE TABLE segments (file, start, has_video, has_audio);
PRAGMA user_version = {VERSION};
"""
# A row of `files`: root, name, bytes, time, what is left out.
_FILE = tuple[str, str, int, int, dict[str, dict[str, int]]]
_MOST_DIMENSIONS = 1 << 20
_NO_LOCKS = {errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK}


@dataclasses.dataclass(frozen=True)
class Facts:
    """What an index was made with.

    Attributes:
      digest: of the model.
      model: folder of the model.
      embedding_size: D.
      window_seconds: length of a segment.
    """

    digest: str
    model: str
    embedding_size: int
    window_seconds: float

    def __post_init__(self) -> None:
        if not 0 < self.embedding_size <= _MOST_DIMENSIONS or not self.window_seconds > 0:
            raise ValueError("embedding_size and window_seconds must be possible ones")


class Entry(NamedTuple):
    """A file of the collection.

    Attributes:
      root: folder that was indexed.
      name: of the file, relative to it.
      size: bytes.
      modified: when it was changed last, in whole nanoseconds.
      segments: what is known of it; none for a file that is left out.
      left_out: modality -> reason -> how many windows, or 1 for all there is.
    """

    root: str
    name: str
    size: int
    modified: int
    segments: tuple[Segment, ...]
    left_out: dict[str, dict[str, int]]

    @property
    def path(self) -> str:
        """Of the file."""
        return files.join(self.root, self.name)

    def num_rows(self, modality: str) -> int:
        """Its windows of one of MODALITIES."""
        field = "has_video" if modality == VIDEO else "has_audio"
        return sum(getattr(segment, field) for segment in self.segments)

    def checksum(self, vectors: dict[str, np.ndarray]) -> int:
        """CRC-32 of the file's rows in the database and in the matrices."""
        segments = [(float(start), *kinds) for start, *kinds in self.segments]
        found = zlib.crc32(json.dumps(self._replace(segments=segments)).encode())
        for modality in MODALITIES:
            found = zlib.crc32(np.ascontiguousarray(vectors[modality], "<f4"), found)
        return found


class Content(NamedTuple):
    """What an index holds.

    Attributes:
      facts: what it was made with.
      entries: of the files, in the order of their rows.
      vectors: modality -> [N, D] float32, unit vectors, mapped from the file.
      matrices: number in the names of the matrices.
    """

    facts: Facts
    entries: list[Entry]
    vectors: dict[str, np.ndarray]
    matrices: int

    def by_entry(self) -> Iterator[tuple[Entry, dict[str, np.ndarray]]]:
        """Each file with modality -> [N, D] float32, its own vectors."""
        first = dict.fromkeys(MODALITIES, 0)
        for entry in self.entries:
            rows = {}
            for modality, vectors in self.vectors.items():
                last = first[modality] + entry.num_rows(modality)
                rows[modality], first[modality] = vectors[first[modality] : last], last
            yield entry, rows


def matrix_name(modality: str, number: int) -> str:
    """Name of the file that holds the embeddings of one of MODALITIES."""
    return f"{modality}.{number}.vectors"


def load(folder: files.PathLike) -> Content:
    """Reads an index and checks every byte of it.

    Raises:
      DataError: there is none, it is damaged, or it is of another version.
    """
    place = pathlib.Path(files.local(folder))
    path = place / INDEX
    if not path.exists():
        raise DataError(f"--index={place}: there is no index; make one with tools/search.py index")
    try:
        with contextlib.closing(connect(path)) as database:
            facts, number, entries, checksums = _read(path, database)
    except (sqlite3.Error, TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} is damaged ({error}); index the collection anew") from error
    vectors = {}
    for modality in MODALITIES:
        rows = sum(entry.num_rows(modality) for entry in entries)
        vectors[modality] = _map(place / matrix_name(modality, number), rows, facts.embedding_size)
    content = Content(facts, entries, vectors, number)
    for (entry, rows), checksum in zip(content.by_entry(), checksums, strict=True):
        if entry.checksum(rows) != checksum:
            raise DataError(
                f"{place} is damaged (what it holds of {entry.name!r} is not what was written); "
                "index the collection anew"
            )
    return content


def check_model(folder: files.PathLike, facts: Facts, digest: str, model: str) -> None:
    """Refuses a model that an index was not made with.

    Raises:
      DataError: it is another.
    """
    if facts.digest != digest:
        raise DataError(
            f"--index={os.fspath(folder)}: was made with model {facts.digest} ({facts.model}), and "
            f"--model={model} is {digest}; take that model, or begin a new index"
        )


def connect(path: pathlib.Path) -> sqlite3.Connection:
    """Opens the database of an index, which is there, and undoes what a killed program began.

    Raises:
      DataError: the file cannot be read.
      sqlite3.Error: it is no database.
    """
    # Where the file system has no locks, SQLite must not ask for any; a reader that then meets a
    # writer finds wrong checksums.
    query = "mode=rw"
    with files.naming(path, "read"), path.open("rb") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                query += "&nolock=1"
    database = sqlite3.connect(f"file:{urllib.parse.quote(os.fsencode(path))}?{query}", uri=True)
    database.execute("PRAGMA trusted_schema = OFF")
    return database


def to_blob(text: str) -> bytes:
    """A name as SQLite keeps it: names of files need not be Unicode."""
    return text.encode("utf-8", "surrogatepass")


def _read(
    path: pathlib.Path, database: sqlite3.Connection
) -> tuple[Facts, int, list[Entry], list[int]]:
    """What the database holds; the last are the checksums of the entries."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version != VERSION:
        raise DataError(
            f"{path} is of version {version}, and this program reads {VERSION}; begin a new index"
        )
    for (problem,) in database.execute("PRAGMA integrity_check(1)"):
        if problem != "ok":
            raise ValueError(problem)
    database.execute("BEGIN")  # All tables as they are at one time.
    (row,) = database.execute("SELECT * FROM made_with")
    names = [field.name for field in dataclasses.fields(Facts)]
    facts = strict_json.build(Facts, dict(zip(names, row, strict=False)))
    number = strict_json.build(int, row[-1], "matrices")
    segments: dict[int, list[Segment]] = {}
    for file, *segment in database.execute("SELECT * FROM segments ORDER BY rowid"):
        segments.setdefault(file, []).append(_segment(*segment))
    entries, checksums = [], []
    for file, root, name, *sizes, left_out, checksum in database.execute(
        "SELECT * FROM files ORDER BY id"
    ):
        held = [_from_blob(root), _from_blob(name), *sizes, strict_json.loads(left_out)]
        *head, reasons = strict_json.build(_FILE, held, "a file")
        entries.append(Entry(*head, tuple(segments.pop(file, ())), reasons))
        checksums.append(checksum)
    if segments:
        raise ValueError(f"there are segments of {len(segments)} unknown files")
    return facts, number, entries, checksums


def _from_blob(held: Any) -> str:
    if not isinstance(held, bytes):
        raise ValueError(f"{held!r:.40} is no name")
    return held.decode("utf-8", "surrogatepass")


def _segment(start: Any, seen: Any, heard: Any) -> Segment:
    """A segment of the database; by hand, as there may be millions."""
    if type(start) is not float or not start >= 0 or seen not in (0, 1) or heard not in (0, 1):
        raise ValueError(f"{[start, seen, heard]!r:.40} is no segment")
    return Segment(start, bool(seen), bool(heard))


def _map(path: pathlib.Path, rows: int, size: int) -> np.ndarray:
    """The rows of a matrix that count."""
    with files.naming(path, "read"):
        found = path.stat().st_size
        if found < 4 * rows * size:
            raise DataError(
                f"{path} is damaged (it has {found} bytes, and {rows} rows of {size} numbers were "
                "written); index the collection anew"
            )
        if not rows:
            return np.zeros([0, size], np.float32)
        return np.memmap(path, "<f4", "r", shape=(rows, size))
