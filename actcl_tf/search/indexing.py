"""A folder of videos and audio -> an index, or an index brought up to date.

What is new is read, encoded and added, file by file; what has changed is read anew; what has
vanished is taken out; and nothing else is touched. Finished files count every few seconds, so that
an indexing that was stopped goes on from there.
"""

import contextlib
import dataclasses
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf

from actcl_tf.config import cores
from actcl_tf.console import bars
from actcl_tf.data.catalogs import walking
from actcl_tf.search import reading, store, store_writing
from actcl_tf.search.assembling import Assembler
from actcl_tf.search.encoding import Encoder
from actcl_tf.search.store import Entry
from actcl_tf.storage import files
from actcl_tf.storage.errors import DataError

_COMMIT_SECONDS = 2.0  # How often what is finished is made to count.


class _File(NamedTuple):
    """A file of the folder: its name in it, its path, its size in bytes and its time stamp."""

    name: str
    path: str
    size: int
    modified: int


@dataclasses.dataclass
class Summary:
    """What an indexing came to.

    Attributes:
      entries: all files of the index.
      added: paths of those that are new.
      changed: of those that were there and are other files now.
      vanished: of those that are no more.
      windows: how many this run encoded.
      seconds: that this run took to read and encode.
      found: what is in the folder beside the files that count.
    """

    entries: list[Entry]
    added: list[str]
    changed: list[str]
    vanished: list[str]
    windows: int
    seconds: float
    found: walking.Found = walking.NOTHING


def index_folder(
    folder: str,
    encoder: Encoder,
    index: str,
    *,
    num_workers: int = 0,
    timeout: float = 120.0,
    progress: bool = True,
) -> Summary:
    """Indexes what is in a folder and its subfolders.

    Args:
      folder: of videos and audio.
      encoder: what encodes them.
      index: folder of the index, made if it is not there; it may hold other folders' files, too.
      num_workers: files that are read at a time; 0: one a core.
      timeout: seconds that a window may take.
      progress: whether to show a progress bar.

    Raises:
      DataError: there is nothing to index, or the index is damaged, of another model, or cannot be
        written; what was finished before stays.
    """
    root = folder if files.is_remote(folder) else os.path.abspath(files.local(folder))
    if not files.is_folder(root):
        what = "is a file" if files.exists(root) else "there is no such folder"
        raise DataError(f"{folder}: {what}; name the folder to index")
    on_disk = walking.find(root, walking.MEDIA)
    found = {file.path: file for file in _look_up(root, on_disk.names)}
    if not found:  # What vanished with a drive that is not mounted stays in the index.
        raise _nothing_found(folder, on_disk)
    facts = store.Facts(
        digest=encoder.digest,
        model=os.path.abspath(encoder.folder),
        embedding_size=encoder.embedding_size,
        window_seconds=encoder.shape.seconds,
    )
    with store_writing.Writer(index, facts) as writer:
        unseen = tuple(files.join(root, name, "") for name in on_disk.unlisted)
        vanished, changed = _compare(writer.entries, root, found, unseen)
        if vanished or changed:
            writer.drop({*vanished, *changed})
        todo = [file for path, file in found.items() if path not in writer.entries]
        begun = time.monotonic()
        events = reading.read_files(
            [file.path for file in todo],
            encoder.shape,
            num_workers=num_workers or cores.count(),
            timeout=timeout,
        )
        with contextlib.closing(events), _bar(len(found), len(todo), progress) as bar:
            windows = _add(todo, root, events, Assembler(encoder), writer=writer, bar=bar)
        return Summary(
            entries=list(writer.entries.values()),
            added=[file.path for file in todo if file.path not in changed],
            changed=changed,
            vanished=vanished,
            windows=windows,
            seconds=time.monotonic() - begun,
            found=on_disk,
        )


def _nothing_found(folder: str, on_disk: walking.Found) -> DataError:
    others = [*walking.unlisted_lines(on_disk), *walking.ignored_lines(on_disk)]
    return DataError(
        f"{folder}: no video or audio in it or its subfolders. "
        + (" ".join(others) or "It is empty.")
    )


def _bar(num_files: int, num_todo: int, progress: bool) -> bars.Bar:
    return bars.Bar(
        total=num_files,
        initial=num_files - num_todo,
        unit="file",
        desc="Indexing",
        disable=not progress,
        dynamic_ncols=True,
    )


def _look_up(root: str, names: Sequence[str]) -> Iterator[_File]:
    for name in names:
        path = files.join(root, name)
        with contextlib.suppress(OSError, tf.errors.OpError):  # It has just vanished.
            if files.is_remote(path):
                facts = tf.io.gfile.stat(path)
                yield _File(name, path, facts.length, facts.mtime_nsec)
            else:
                facts = os.stat(path)
                yield _File(name, path, facts.st_size, facts.st_mtime_ns)


def _compare(
    entries: Mapping[str, Entry], root: str, found: Mapping[str, _File], unseen: tuple[str, ...]
) -> tuple[list[str], list[str]]:
    """Paths of an index below `root` that are no more, and of those that are other files now.

    What is in a folder of `unseen`, which cannot be listed, may well be there.
    """
    below = files.join(root, "")
    known = {path: entry for path, entry in entries.items() if path.startswith(below)}
    vanished = [path for path in known if path not in found and not path.startswith(unseen)]
    changed = [path for path, entry in known.items() if _has_changed(entry, found.get(path))]
    return vanished, changed


def _has_changed(entry: Entry, file: _File | None) -> bool:
    return file is not None and (entry.size, entry.modified) != (file.size, file.modified)


def _add(
    todo: Sequence[_File],
    root: str,
    events: Iterator[reading.Event],
    assembler: Assembler,
    *,
    writer: store_writing.Writer,
    bar: bars.Bar,
) -> int:
    """Encodes files as they are read and adds them; the number of windows."""
    committed, is_dirty = time.monotonic(), False
    try:
        for done in assembler.run(events):
            file = todo[done.file]
            rate = assembler.num_windows / max(bar.format_dict["elapsed"], 1e-3)
            bar.set_postfix_str(f"{assembler.num_windows} windows, {rate:.0f}/s", refresh=False)
            bar.update()
            if any("missing" in reasons for reasons in done.left_out.values()):
                continue  # It may be back, or readable, by the next time.
            writer.append(
                Entry(
                    root=root,
                    name=file.name,
                    size=file.size,
                    modified=file.modified,
                    segments=done.segments,
                    left_out=done.left_out,
                ),
                done.vectors,
            )
            is_dirty = True
            if time.monotonic() > committed + _COMMIT_SECONDS:
                writer.commit()
                committed, is_dirty = time.monotonic(), False
    finally:  # Whatever stops the work, what is finished counts.
        if is_dirty:
            writer.commit()
    return assembler.num_windows
