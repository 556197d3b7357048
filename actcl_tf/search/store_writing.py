"""Adding to an index on disk, and taking away from it, so that it is whole at every moment."""

import contextlib
import json
import os
import pathlib
import re
import sqlite3
from collections.abc import Collection, Iterator

import numpy as np

from actcl_tf.search import store
from actcl_tf.search.segments import MODALITIES
from actcl_tf.search.store import Entry, Facts
from actcl_tf.storage import files, folder_lock
from actcl_tf.storage.errors import DataError

_OURS = re.compile(r"(video|audio)\.\d+\.vectors|\.index\.sqlite\..*")


class Writer:
    """Adds to an index, and takes away from it; a context manager, which keeps other writers out.

    Attributes:
      entries: path -> what counts now, or after the next `commit`.
    """

    def __init__(self, folder: files.PathLike, facts: Facts):
        """Takes the folder, which is made if need be, and the model of what will be added."""
        if files.is_remote(folder):
            raise DataError(f"--index={folder}: must be a folder of this machine")
        self._folder, self._facts = pathlib.Path(files.local(folder)), facts
        self._path = self._folder / store.INDEX
        self._open_files = contextlib.ExitStack()
        self._number = 1  # Of the matrices.
        self._rows = dict.fromkeys(MODALITIES, 0)
        self._new: list[tuple[Entry, int]] = []  # With their checksums.
        self.entries: dict[str, Entry] = {}

    def __enter__(self) -> "Writer":
        """Opens or makes the index.

        Raises:
          DataError: it is damaged, of another model, or being written; or cannot be written.
        """
        if self._folder.is_dir() and not self._path.exists():
            names = {path.name for path in self._folder.iterdir()} - {folder_lock.LOCK}
            # What a kill at the very beginning leaves is ours.
            if any(not (_OURS.fullmatch(name) or name.startswith(".")) for name in names):
                raise DataError(
                    f"--index={self._folder}: is a folder that holds no {store.INDEX} but other "
                    "files; name a new one"
                )
        with self._writing():
            self._folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            try:
                with self._writing():
                    stack.enter_context(
                        folder_lock.hold(str(self._folder), f"--index={self._folder}")
                    )
            except folder_lock.InUse as error:
                raise DataError(
                    f"--index={self._folder}: another program writes it now ({error})"
                ) from error
            if not self._path.exists():
                self._create()
            content = store.load(self._folder)
            store.check_model(self._folder, content.facts, self._facts.digest, self._facts.model)
            self.entries = {entry.path: entry for entry in content.entries}
            self._number = content.matrices
            self._rows = {modality: len(rows) for modality, rows in content.vectors.items()}
            self._remove_leftovers()
            self._open_files = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open_files.close()

    def append(self, entry: Entry, vectors: dict[str, np.ndarray]) -> None:
        """Adds a file; it counts after the next `commit`.

        Args:
          entry: of the file.
          vectors: modality -> [N, D] float32, unit vectors of its windows, by start.

        Raises:
          DataError: it cannot be written; what counted before still does.
        """
        for modality in MODALITIES:
            expected = (entry.num_rows(modality), self._facts.embedding_size)
            if vectors[modality].shape != expected:
                raise ValueError(
                    f"vectors of {modality} must be {expected}, got {vectors[modality].shape}"
                )
        for modality in MODALITIES:
            with self._writing(), open(self._matrix(modality), "rb+") as file:
                file.seek(4 * self._facts.embedding_size * self._rows[modality])
                file.write(np.ascontiguousarray(vectors[modality], "<f4"))
        for modality in MODALITIES:  # All or none, should a commit follow an error.
            self._rows[modality] += len(vectors[modality])
        self._new.append((entry, entry.checksum(vectors)))
        self.entries[entry.path] = entry

    def commit(self, *, anew: bool = False) -> None:
        """Makes what was appended count.

        Args:
          anew: whether nothing else counts any more.

        Raises:
          DataError: it cannot be written; what counted before still does.
        """
        with self._writing():
            for modality in MODALITIES:
                with open(self._matrix(modality), "rb+") as file:
                    os.fsync(file.fileno())
            with contextlib.closing(store.connect(self._path)) as database, database:
                if anew:
                    database.execute("UPDATE made_with SET matrices = ?", [self._number])
                    database.execute("DELETE FROM segments")
                    database.execute("DELETE FROM files")
                for entry, checksum in self._new:
                    _insert(database, entry, checksum)
        self._new = []

    def drop(self, paths: Collection[str]) -> None:
        """Takes files out, and commits.

        Args:
          paths: of the files.

        Raises:
          DataError: it cannot be written; what counted before still does.
        """
        content = store.load(self._folder)
        self._number += 1
        self._rows, self.entries = dict.fromkeys(MODALITIES, 0), {}
        self._make_matrices()
        for entry, vectors in content.by_entry():
            if entry.path not in paths:
                self.append(entry, vectors)
        self.commit(anew=True)
        self._remove_leftovers()

    def _create(self) -> None:
        """Makes an index without files, whole or not at all."""
        self._make_matrices()
        temporary = pathlib.Path(files.temporary_name(self._path))
        facts = self._facts
        with self._writing():
            temporary.touch()
            with contextlib.closing(store.connect(temporary)) as database, database:
                database.executescript(store.SCHEMA)
                database.execute(
                    "INSERT INTO made_with VALUES (?, ?, ?, ?, 1)",
                    [facts.digest, facts.model, facts.embedding_size, facts.window_seconds],
                )
            temporary.replace(self._path)

    def _make_matrices(self) -> None:
        with self._writing():
            for modality in MODALITIES:
                self._matrix(modality).write_bytes(b"")

    def _remove_leftovers(self) -> None:
        """Removes matrices that no longer count, and what a killed program left."""
        current = {store.matrix_name(modality, self._number) for modality in MODALITIES}
        with self._writing():
            for path in self._folder.iterdir():
                if _OURS.fullmatch(path.name) and path.name not in current:
                    path.unlink()

    def _matrix(self, modality: str) -> pathlib.Path:
        return self._folder / store.matrix_name(modality, self._number)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with files.naming(f"--index={self._folder}", "written"):
                yield
        except sqlite3.Error as error:
            raise DataError(f"--index={self._folder} cannot be written ({error})") from error


def _insert(database: sqlite3.Connection, entry: Entry, checksum: int) -> None:
    file = database.execute(
        "INSERT INTO files VALUES (NULL, ?, ?, ?, ?, ?, ?)",
        [
            store.to_blob(entry.root),
            store.to_blob(entry.name),
            entry.size,
            entry.modified,
            json.dumps(entry.left_out),
            checksum,
        ],
    ).lastrowid
    rows = [(file, float(start), seen, heard) for start, seen, heard in entry.segments]
    database.executemany("INSERT INTO segments VALUES (?, ?, ?, ?)", rows)
