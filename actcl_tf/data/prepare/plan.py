"""What a preparation is to do, and whether a folder holds it already.

The plan is a function of the clips and the settings alone: the clips of each split, in an order
drawn by the seed, dealt to shards. Its description stands in `OUTPUT/.partial/plan.json` while the
work is going on and in the manifests afterwards, and is compared before anything is added.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
from typing import Any

from actcl_tf.data import catalogs
from actcl_tf.data.prepare.shard_writing import PrepareSettings, ShardTask
from actcl_tf.data.records import records
from actcl_tf.storage import files, folder_lock
from actcl_tf.storage.errors import DataError

PARTIAL = ".partial"
PLAN = "plan.json"
MISSING = "missing.txt"
MIN_SHARDS = 8  # A split has at least so many, if it has so many videos: they are shuffled over.


def describe(catalog: catalogs.Catalog, settings: PrepareSettings) -> dict[str, Any]:
    """All that decides what comes out, ready for JSON."""
    described = {**dataclasses.asdict(settings), "sources": _digest(catalog)}
    if not settings.is_index:
        del described["is_index"]  # Of what is usual, nothing is said.
    return described


def _digest(catalog: catalogs.Catalog) -> str:
    """A fingerprint of the clips and, where it costs nothing, of the sizes of their files."""
    sizes = {clip.path: None for clip in catalog.clips}
    for path in sizes:
        if not files.is_remote(path):
            try:
                sizes[path] = os.stat(files.local(path)).st_size
            except OSError:
                sizes[path] = -1
    rows = [
        [*dataclasses.astuple(dataclasses.replace(clip, path="")), sizes[clip.path]]
        for clip in catalog.clips
    ]
    rows.sort(key=json.dumps)
    text = json.dumps([rows, catalog.classes])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def plan_shards(
    catalog: catalogs.Catalog, settings: PrepareSettings, folder: str
) -> list[ShardTask]:
    """Deals the clips of each split to shards.

    Args:
      catalog: the clips.
      settings: `clips_per_shard` and `seed` count here.
      folder: that shards are written to.
    """
    texts = tuple(catalog.text_of(name) for name in catalog.classes)
    members: dict[str, list[catalogs.Clip]] = {}
    for clip in catalog.clips:
        members.setdefault(clip.split, []).append(clip)
    tasks = []
    for split, clips in sorted(members.items()):
        clips = sorted(
            clips,
            key=lambda clip: catalogs.draw_key(
                f"{clip.name}#{clip.start}-{clip.end}", settings.seed
            ),
        )
        size = len(clips)
        count = max(-(-size // settings.clips_per_shard), min(size, MIN_SHARDS))
        for index in range(count):
            part = clips[index * size // count : (index + 1) * size // count]
            tasks.append(
                ShardTask(
                    split=split,
                    index=index,
                    clips=tuple(part),
                    classes=catalog.classes,
                    class_texts=texts,
                    folder=folder,
                )
            )
    return tasks


def check_contents(output: str) -> None:
    """Refuses a folder of other things, before anything is written into it.

    Raises:
      DataError: it holds other files and no data set, or is no folder.
    """
    if files.exists(output) and not files.is_folder(output):
        raise DataError(f"--output={output}: is a file; name a new or empty folder")
    names = files.names_in(output)
    held = any(files.exists(files.join(output, name, records.MANIFEST)) for name in names)
    if names and PARTIAL not in names and not held:
        raise DataError(
            f"--output={output}: holds other files and no data set; name a new or empty folder"
        )


class Lock:
    """Makes a data set's working folder and keeps other runs out of it; a context manager.

    On remote file systems such as gs:// it keeps nobody out.
    """

    def __init__(self, output: str):
        """Takes the data set's folder, local or remote."""
        self._output = output
        self._held = contextlib.ExitStack()

    def __enter__(self) -> "Lock":
        folder = files.join(self._output, PARTIAL)
        try:
            files.make_folder(folder)
            if not files.is_remote(folder):
                local = files.local(folder)
                self._held.enter_context(folder_lock.hold(local, f"--output={self._output}"))
        except folder_lock.InUse as error:
            raise DataError(
                f"--output={self._output}: another run is writing it now ({error})"
            ) from error
        except (OSError, DataError) as error:
            raise DataError(f"--output={self._output}: cannot be written ({error})") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()


def begin(output: str, described: dict[str, Any]) -> None:
    """Begins a plan, or checks that the one that was begun is the same.

    Raises:
      DataError: it is another.
    """
    path = files.join(output, PARTIAL, PLAN)
    if files.exists(path):
        _check_same(output, json.loads(files.read_text(path)), described)
    else:
        files.write_atomically(path, json.dumps(described, indent=1))


def finished_manifests(
    output: str, described: dict[str, Any]
) -> dict[str, records.Manifest] | None:
    """The manifests of the whole data set, by split, if it is there already; else None.

    Raises:
      DataError: what is there is damaged, or was made otherwise.
    """
    partial = files.join(output, PARTIAL)
    if files.exists(files.join(partial, PLAN)):
        return None
    manifests = {}
    for name in files.names_in(output):
        if files.exists(files.join(output, name, records.MANIFEST)):
            folder = files.join(output, name)
            try:
                manifests[name] = records.read_manifest(folder, allow_empty=True)
            except DataError as error:
                raise DataError(
                    f"--output={output}: {error}, after removing this folder"
                ) from error
    if not manifests:
        return None
    try:
        for manifest in manifests.values():
            _check_same(output, manifest.settings, described)
    finally:
        files.remove(partial)  # It held the lock only.
    return manifests


def _check_same(output: str, held: dict[str, Any], described: dict[str, Any]) -> None:
    differing = [key for key in described if held.get(key) != described[key]]
    if not differing:
        return
    what = ", ".join(
        "other videos or labels"
        if key == "sources"
        else f"--{key}={held.get(key)} instead of {described[key]}"
        for key in differing
    )
    raise DataError(
        f"--output={output}: holds a data set with {what}; name another folder, or remove this one"
    )
