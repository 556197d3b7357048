"""What is on disk below a folder: the media, and what else there is, counted by kind.

Nothing is passed over in silence: what is no media, what is hidden and what cannot be listed is
told.
"""

import os
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from actcl_tf.data.catalogs import file_types
from actcl_tf.data.media.containers.errors import MediaError
from actcl_tf.data.media.containers.opening import open_container
from actcl_tf.storage import files
from actcl_tf.storage.errors import DataError
from actcl_tf.storage.printable import printable

VIDEOS = (file_types.VIDEO,)
MEDIA = (file_types.VIDEO, file_types.AUDIO)
_SHOWN_KINDS = 8
# FFmpeg's formats of still images and of text: none is a video, though some open as one.
_STILL = ("image2", "_pipe", "tty", "ico", "apng", "gif", "jpegxl_anim")
_OTHERS = {file_types.VIDEO: "video", file_types.AUDIO: "audio", file_types.UNSURE: "no media"}


class Found(NamedTuple):
    """What is below a folder; names are relative to it, with `/` between folders.

    Attributes:
      names: of the media that were looked for, sorted.
      ignored: kind to the names of the files and folders of it that do not count, sorted.
      unlisted: name to reason, of the folders that cannot be listed.
    """

    names: tuple[str, ...] = ()
    ignored: Mapping[str, tuple[str, ...]] = {}
    unlisted: Mapping[str, str] = {}


NOTHING = Found()


def find(root: str, kinds: Sequence[str]) -> Found:
    """Looks through a folder and its subfolders.

    Links to folders are followed, each folder once. A file whose ending says nothing is opened.

    Args:
      root: the folder, local or of any file system that TensorFlow knows.
      kinds: VIDEOS or MEDIA.

    Raises:
      DataError: there is no such folder, or it cannot be listed.
    """
    if not files.is_folder(root):
        if files.exists(root):
            raise DataError(f"--input={root}: is a file; name the folder that holds it")
        raise DataError(f"--input={root}: there is no such folder")
    ignored: dict[str, list[str]] = {}
    unlisted: dict[str, str] = {}
    walk = _walk_remote if files.is_remote(root) else _walk_local
    names = []
    for name in walk(root, ignored, unlisted):
        kind = file_types.kind_of(posixpath.basename(name))
        if kind == file_types.UNSURE:
            kind = _look(files.join(root, name))
        if kind in kinds:
            names.append(name)
        else:
            ignored.setdefault(_OTHERS.get(kind, kind), []).append(name)
    return Found(
        tuple(sorted(names)),
        {kind: tuple(sorted(held)) for kind, held in sorted(ignored.items())},
        dict(sorted(unlisted.items())),
    )


def _walk_local(
    root: str, ignored: dict[str, list[str]], unlisted: dict[str, str]
) -> Iterator[str]:
    root = files.local(root)
    seen = set()
    todo = [""]
    while todo:
        below = todo.pop()
        current = os.path.join(root, below) if below else root
        real = os.path.realpath(current)
        if real in seen:
            continue
        seen.add(real)
        try:
            with os.scandir(current) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            why = error.strerror or str(error)
            if not below:
                raise DataError(f"--input={root}: cannot be listed ({why})") from error
            unlisted[below] = why
            continue
        for entry in entries:
            name = posixpath.join(below, entry.name)
            if _is(entry.is_dir):
                kind = file_types.folder_kind(entry.name)
                if kind is None:
                    todo.append(name)
                else:
                    ignored.setdefault(kind, []).append(name)
            elif _is(entry.is_file) or entry.is_symlink():
                yield name  # Of a link that leads nowhere, whoever opens it tells.
            else:
                ignored.setdefault("no regular file", []).append(name)


def _is(ask: Callable[[], bool]) -> bool:
    """What an entry says of itself; False where that cannot be looked up."""
    try:
        return ask()
    except OSError:
        return False


def _walk_remote(
    root: str, ignored: dict[str, list[str]], unlisted: dict[str, str]
) -> Iterator[str]:
    todo = [""]
    while todo:
        below = todo.pop()
        current = files.join(root, below) if below else root
        try:
            listed = files.names_in(current)
        except DataError as error:
            if not below:
                raise
            unlisted[below] = str(error)
            continue
        for part in listed:
            name = posixpath.join(below, part)
            if not files.is_folder(files.join(root, name)):
                yield name
            elif (kind := file_types.folder_kind(part)) is None:
                todo.append(name)
            else:
                ignored.setdefault(kind, []).append(name)


def _look(path: str) -> str:
    """From what is in a file: VIDEO, AUDIO, UNSURE if it is no media, or why that is not known."""
    try:
        with open_container(path) as container:
            if container.format.name.endswith(_STILL):
                return file_types.UNSURE
            if container.streams.video:
                return file_types.VIDEO
            return file_types.AUDIO if container.streams.audio else file_types.UNSURE
    except MediaError as error:
        return "file that cannot be read" if error.reason == "missing" else file_types.UNSURE


def unlisted_lines(found: Found) -> list[str]:
    """A line for each folder that cannot be listed."""
    return [
        f"error: {printable(name)}/ cannot be listed ({why}): nothing in it was taken."
        for name, why in found.unlisted.items()
    ]


def ignored_lines(found: Found) -> list[str]:
    """A line on what is there and does not count, by kind; none if there is no such thing."""
    if not found.ignored:
        return []
    kinds = sorted(found.ignored.items(), key=lambda item: (-len(item[1]), item[0]))
    parts = [f"{len(names)} {kind} ({printable(names[0])})" for kind, names in kinds[:_SHOWN_KINDS]]
    rest = sum(len(names) for _, names in kinds[_SHOWN_KINDS:])
    parts += [f"{rest} of other kinds"] if rest else []
    return [f"Not taken: {', '.join(parts)}."]
