"""Adding to an index on disk, and taking away from it, so that it is whole at every moment."""

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import zlib
from collections.abc import Collection

import numpy as np

from actcl_tf.search import store
from actcl_tf.search.moments import MODALITIES
from actcl_tf.search.store import Entry, Facts
from actcl_tf.storage import files, folder_lock
from actcl_tf.storage.errors import DataError

_OURS = re.compile(r"(picture|sound|files)-\d+\.(vectors|jsonl)|\.index\.json\..*\.tmp")


class Writer:
    """Adds to an index, and takes away from it; a context manager, which keeps other writers out.

    Attributes:
      entries: path -> what counts now.
    """

    def __init__(self, folder: str, facts: Facts):
        """Takes the folder, which is made if need be, and the model of what will be added."""
        if files.is_remote(folder):
            raise DataError(f"--index={folder}: must be a folder of this machine")
        self._folder, self._facts = pathlib.Path(files.local(folder)), facts
        self._lock = contextlib.ExitStack()
        self._parts: dict[str, store.Part] = {}
        self.entries: dict[str, Entry] = {}

    def __enter__(self) -> "Writer":
        """Opens or makes the index.

        Raises:
          DataError: it is damaged, of another model, or being written; or cannot be written.
        """
        if self._folder.is_dir() and not (self._folder / store.INDEX).exists():
            names = {path.name for path in self._folder.iterdir()} - {folder_lock.LOCK}
            # What a kill at the very beginning leaves is ours.
            if any(not (_OURS.fullmatch(name) or name.startswith(".")) for name in names):
                raise DataError(
                    f"--index={self._folder}: is a folder that holds no {store.INDEX} but other "
                    "files; name a new one"
                )
        with files.naming(f"--index={self._folder}", "written"):
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.enter_context(
                    folder_lock.hold(str(self._folder), f"--index={self._folder}")
                )
            except folder_lock.InUse as error:
                raise DataError(
                    f"--index={self._folder}: another program writes it now ({error})"
                ) from error
        try:
            self._open()
        except BaseException:
            self._lock.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def append(self, entry: Entry, vectors: dict[str, np.ndarray]) -> None:
        """Adds a file; it counts after the next `commit`.

        Args:
          entry: of the table.
          vectors: modality -> [N, D] float32, unit vectors of its windows, by start.
        """
        data = {store.TABLE: entry.to_line()}
        for modality in MODALITIES:
            rows = np.ascontiguousarray(vectors[modality], "<f4")
            expected = (entry.num_rows(modality), self._facts.embedding_size)
            if rows.shape != expected:
                raise ValueError(f"vectors of {modality} must be {expected}, got {rows.shape}")
            data[modality] = rows.tobytes()
        # All or none, should a commit follow an error.
        self._parts = {key: self._added(part, data[key]) for key, part in self._parts.items()}
        self.entries[entry.path] = entry

    def commit(self) -> None:
        """Makes what was appended count.

        Raises:
          DataError: it cannot be written; what counted before still does.
        """
        with files.naming(f"--index={self._folder}", "written"):
            for part in self._parts.values():
                with open(self._folder / part.name, "rb+") as file:
                    os.fsync(file.fileno())
        held = dataclasses.asdict(self._facts)
        held.update(kind=store.KIND, version=store.VERSION)
        held["parts"] = {key: part._asdict() for key, part in self._parts.items()}
        files.write_atomically(self._folder / store.INDEX, json.dumps(held, indent=1) + "\n")

    def drop(self, paths: Collection[str]) -> None:
        """Takes files out, and commits.

        Args:
          paths: of the files.

        Raises:
          DataError: it cannot be written; what counted before still does.
        """
        content = store.load(self._folder)
        old = [part.name for part in self._parts.values()]
        self._begin(int(old[0].split("-")[1].split(".")[0]) + 1)
        first = dict.fromkeys(MODALITIES, 0)
        for entry in content.entries:
            rows = {}
            for modality in MODALITIES:
                last = first[modality] + entry.num_rows(modality)
                rows[modality] = content.vectors[modality][first[modality] : last]
                first[modality] = last
            if entry.path not in paths:
                self.append(entry, rows)
        self.commit()
        for name in old:
            files.remove(self._folder / name)

    def _open(self) -> None:
        if not (self._folder / store.INDEX).exists():
            self._begin(1)
            self.commit()
            return
        facts, self._parts = store.read_state(self._folder)
        store.check_model(self._folder, facts, self._facts.digest, self._facts.model)
        entries, _ = store.read_parts(self._folder, facts, self._parts)
        self.entries = {entry.path: entry for entry in entries}
        with files.naming(f"--index={self._folder}", "written"):
            for part in self._parts.values():  # What a killed indexing left beyond.
                os.truncate(self._folder / part.name, part.size)
            known = {part.name for part in self._parts.values()}
            for path in self._folder.iterdir():
                if _OURS.fullmatch(path.name) and path.name not in known:
                    path.unlink()

    def _begin(self, number: int) -> None:
        """Begins with empty files."""
        self.entries = {}
        for key, suffix in store.SUFFIXES.items():
            name = f"{key}-{number:06d}{suffix}"
            self._parts[key] = store.Part(name, 0, 0)
            with files.naming(self._folder / name, "written"):
                (self._folder / name).write_bytes(b"")

    def _added(self, part: store.Part, data: bytes) -> store.Part:
        """What a file is once `data` was added to it."""
        path = self._folder / part.name
        with files.naming(path, "written"), open(path, "rb+") as file:
            file.seek(part.size)
            file.write(data)
        return store.Part(part.name, part.size + len(data), zlib.crc32(data, part.checksum))
