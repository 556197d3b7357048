"""Adding to an index on disk, and taking away from it, so that it is whole at every moment."""

import contextlib
import dataclasses
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
        self._path, self._name = self._folder / store.INDEX, f"--index={files.local(folder)}"
        self._open = contextlib.ExitStack()
        self._number, self._rows = 1, dict.fromkeys(MODALITIES, 0)  # Of the matrices.
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
                    f"{self._name}: is a folder that holds no {store.INDEX} but other files; name "
                    "a new one"
                )
        with contextlib.ExitStack() as stack:
            try:
                with self._writing():
                    self._folder.mkdir(parents=True, exist_ok=True)
                    stack.enter_context(folder_lock.hold(str(self._folder), self._name))
            except folder_lock.InUse as error:
                raise DataError(f"{self._name}: another program writes it now ({error})") from error
            if not self._path.exists():
                self._create()
            content = store.load(self._folder)
            store.check_model(self._folder, content.facts, self._facts.digest, self._facts.model)
            self.entries = {entry.path: entry for entry in content.entries}
            self._number = content.matrices
            self._rows = {modality: len(rows) for modality, rows in content.vectors.items()}
            self._remove_leftovers()
            self._database = stack.enter_context(contextlib.closing(store.connect(self._path)))
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def append(self, entry: Entry, vectors: dict[str, np.ndarray]) -> None:
        """Adds a file; it counts after the next `commit`.

        Args:
          entry: of the file.
          vectors: modality -> [N, D] float32, unit vectors of its windows, by start.

        Raises:
          DataError: it cannot be written; what counted before still does.
        """
        for modality, rows in vectors.items():
            expected = (entry.num_rows(modality), self._facts.embedding_size)
            if rows.shape != expected:
                raise ValueError(f"vectors of {modality} must be {expected}, got {rows.shape}")
        with self._writing():
            for modality, rows in vectors.items():
                with open(self._matrix(modality), "rb+") as file:
                    file.seek(4 * self._facts.embedding_size * self._rows[modality])
                    file.write(np.ascontiguousarray(rows, "<f4"))
            self._insert(entry, entry.checksum(vectors))
        # All or none, should a commit follow an error.
        self._rows = {
            modality: self._rows[modality] + len(vectors[modality]) for modality in MODALITIES
        }
        self.entries[entry.path] = entry

    def commit(self) -> None:
        """Makes what was appended count.

        Raises:
          DataError: it cannot be written; what counted before still does.
        """
        with self._writing():
            for modality in MODALITIES:
                with open(self._matrix(modality), "rb+") as file:
                    os.fsync(file.fileno())
            self._database.commit()

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
        with self._writing():
            self._database.execute("UPDATE made_with SET matrices = ?", [self._number])
            self._database.execute("DELETE FROM segments")
            self._database.execute("DELETE FROM files")
        for entry, vectors in content.by_entry():
            if entry.path not in paths:
                self.append(entry, vectors)
        self.commit()
        self._remove_leftovers()

    def _insert(self, entry: Entry, checksum: int) -> None:
        root, name = store.to_blob(entry.root), store.to_blob(entry.name)
        facts = (root, name, entry.size, entry.modified, json.dumps(entry.left_out), checksum)
        try:
            cursor = self._database.execute(
                "INSERT INTO files VALUES (NULL, ?, ?, ?, ?, ?, ?)", facts
            )
            rows = [(cursor.lastrowid, float(start), *kinds) for start, *kinds in entry.segments]
            self._database.executemany("INSERT INTO segments VALUES (?, ?, ?, ?)", rows)
        except sqlite3.Error:
            self._database.rollback()  # A commit that follows must not make half a file count.
            raise

    def _create(self) -> None:
        """Makes an index without files, whole or not at all."""
        self._make_matrices()
        temporary = pathlib.Path(files.temporary_name(self._path))
        with self._writing():
            temporary.touch()
            with contextlib.closing(store.connect(temporary)) as database, database:
                database.executescript(store.SCHEMA)
                facts = dataclasses.astuple(self._facts)
                database.execute("INSERT INTO made_with VALUES (?, ?, ?, ?, 1)", facts)
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
            with files.naming(self._name, "written"):
                yield
        except sqlite3.Error as error:
            raise DataError(f"{self._name} cannot be written ({error})") from error
