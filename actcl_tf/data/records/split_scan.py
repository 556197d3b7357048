"""Finds the splits of a folder, of whoever made them, and reads every record of them."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from actcl_tf.console import bars
from actcl_tf.data.records import record_check, shard_files, shards
from actcl_tf.data.records.manifest import Manifest, load_manifest
from actcl_tf.storage import files
from actcl_tf.storage.errors import DataError
from actcl_tf.storage.files import PathLike

_UNNAMED = "shards"
_ABOVE = "../"


class SplitFiles(NamedTuple):
    """A split as it lies on disk.

    Attributes:
      name: of the split.
      folder: that holds its manifest, or will.
      shards: names of its shards, as seen from the folder.
      gaps: what is not there by the names of the shards.
      manifest: None if there is none.
    """

    name: str
    folder: str
    shards: list[str]
    gaps: list[str]
    manifest: Manifest | None = None

    def path(self, shard: str) -> str:
        """Of a shard; the split's own folder need not be there yet."""
        if shard.startswith(_ABOVE):
            return files.join(os.path.dirname(self.folder), shard[len(_ABOVE) :])
        return files.join(self.folder, shard)


class ShardFacts(NamedTuple):
    """What is in a shard.

    Attributes:
      name: as its split knows it.
      num_bytes: of the file.
      clips: of its good records.
      faults: one line for each thing that is wrong with it.
    """

    name: str
    num_bytes: int
    clips: list[record_check.RecordFacts]
    faults: list[str]


# Called with the split, the shard, the number in the shard, the record and what is in it.
OnRecord = Callable[[str, str, int, bytes, record_check.RecordFacts], None]


def find_splits(folder: PathLike) -> list[SplitFiles]:
    """Finds the splits of a folder, by name.

    A folder with a manifest, or with shards of one name, is a split; shards of several names in one
    folder (`train-00000-of-00002`, `test-00000-of-00001`) are a split a name; otherwise each
    subfolder that is a split is one.

    Args:
      folder: of a data set or of a split, local or of any file system that TensorFlow knows.

    Raises:
      DataError: there is no split.
    """
    folder = os.fspath(folder).rstrip("/") or "/"
    if not files.is_folder(folder):
        raise DataError(f"{folder} is not a folder: name one that holds a data set")
    here = _split_in(folder)
    if here:
        return [here]
    splits = {}
    for prefix, names in shard_files.shards_among(files.names_in(folder)).items():
        name = prefix or _UNNAMED
        above = [_ABOVE + shard for shard in names]
        gaps = shard_files.gaps_in(names)
        splits[name] = SplitFiles(name, files.join(folder, name), above, gaps)
    for name in files.names_in(folder):
        if not name.startswith(".") and files.is_folder(files.join(folder, name)):
            splits[name] = _split_in(files.join(folder, name)) or splits.get(name)
    found = [splits[name] for name in sorted(splits) if splits[name]]
    if not found:
        raise DataError(
            f"{folder} holds no data set: expected shards (*.tfrecord or *-00000-of-00001), or a "
            "folder of them for each split"
        )
    return found


def _split_in(folder: str) -> SplitFiles | None:
    """The one split whose manifest or shards lie in a folder, if that is what it holds."""
    groups = shard_files.shards_among(files.names_in(folder))
    manifest = load_manifest(folder)
    if manifest is None and len(groups) != 1:
        return None
    name = os.path.basename(folder if files.is_remote(folder) else os.path.abspath(folder))
    present = [shard for group in groups.values() for shard in group]
    gaps = [fault for group in groups.values() for fault in shard_files.gaps_in(group)]
    if manifest is not None:
        listed = [shard["name"] for shard in manifest.shards]
        present = listed + [shard for shard in present if shard not in listed]
        gaps = []  # The manifest knows better.
    return SplitFiles(name, folder, present, gaps, manifest)


def scan(
    splits: Sequence[SplitFiles],
    *,
    every_frame: bool = False,
    on_record: OnRecord | None = None,
    progress: bool = True,
) -> dict[str, list[ShardFacts]]:
    """Reads every record of some splits, with a progress bar; damage ends nothing.

    Args:
      splits: of `find_splits`.
      every_frame: whether to look at every frame, see `record_check.read_facts`.
      on_record: called with every good record.
      progress: whether to show the bar.

    Returns:
      Name of the split -> what is in its shards, in order.
    """
    sizes = {
        (split.name, shard): files.size(split.path(shard))
        for split in splits
        for shard in split.shards
    }
    found: dict[str, list[ShardFacts]] = {split.name: [] for split in splits}
    with bars.Bar(
        total=sum(filter(None, sizes.values())),
        desc="Reading",
        unit="B",
        unit_scale=True,
        disable=not progress,
        dynamic_ncols=True,
    ) as bar:
        clips = faults = done = 0
        for split in splits:
            for name in split.shards:
                path, size = split.path(name), sizes[split.name, name]
                facts = ShardFacts(name, size or 0, [], [])
                found[split.name].append(facts)
                if size is None:
                    facts.faults.append(f"{path} is missing")
                for index, record in _records(path, facts) if size else ():
                    try:
                        clip = record_check.read_facts(record, every_frame=every_frame)
                    except DataError as error:
                        facts.faults.append(f"{path}: record {index} {error}")
                    else:
                        facts.clips.append(clip)
                        if on_record:
                            on_record(split.name, name, index, record, clip)
                    bar.set_postfix_str(f"{clips + len(facts.clips)} clips", refresh=False)
                    bar.update(len(record))
                clips, faults = clips + len(facts.clips), faults + len(facts.faults)
                done += facts.num_bytes
                bar.set_postfix_str(f"{clips} clips, {faults} faults", refresh=False)
                bar.update(done - bar.n)  # Damage ends a shard early.
        bar.refresh()
    return found


def _records(path: str, facts: ShardFacts) -> Iterator[tuple[int, bytes]]:
    """The records of a shard and their numbers; what ends them early becomes a fault."""
    try:
        yield from enumerate(shards.whole_records(path))
    except DataError as error:
        facts.faults.append(str(error))
