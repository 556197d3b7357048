"""What one split of a data set holds, in a `manifest.json` beside its shards."""

import concurrent.futures
import dataclasses
import json
import os
from typing import Any, TypedDict

from actcl_tf import __version__
from actcl_tf.console import commands
from actcl_tf.data.records import shard_files
from actcl_tf.storage import files, strict_json
from actcl_tf.storage.errors import DataError
from actcl_tf.storage.files import PathLike

MANIFEST = "manifest.json"
_MOST_RATE = 1e6
TOOL_VERSION = __version__
# What of a record says what it is labelled.
LABELS_BY_INDEX, LABELS_BY_NAME, LABELS_NONE = LABELS = ("index", "name", "none")
# What the clips of a data set have: video and audio, the video alone, the audio alone.
STREAMS = ("both", "video", "audio")
_PREPARE = "prepare it with tools/prepare_data.py --input=VIDEOS --output=DATA_DIR"


class _ShardOfAnySize(TypedDict):
    name: str
    clips: int


class Shard(_ShardOfAnySize, total=False):
    """A shard of a split: its file's name, its clips, and its bytes where they were counted."""

    bytes: int


@dataclasses.dataclass
class Manifest:
    """What one split holds.

    Attributes:
      split: its name.
      num_clips: clips over all shards.
      num_shards: shards.
      shards: in order.
      classes: names of all classes of the data set, sorted; empty if it is unlabelled.
      frame_rate: frames a second, of every clip.
      sample_rate: samples a second, of every clip.
      min_frames: frames of the shortest clip.
      min_height: of the lowest clip, pixels.
      min_width: of the narrowest clip, pixels.
      height: of all clips, pixels; None if it differs.
      width: of all clips, pixels; None if it differs.
      duration: of all clips together, seconds.
      tool_version: version of the program that wrote the split.
      failures: reason to the sources that were left out for it, sorted.
      settings: the settings the split was prepared with.
      streams: what the clips have, of `STREAMS`.
      multi_label: whether a clip may have several labels.
      missing: clips of the data set's own list that were not on disk.
      min_samples: samples of the shortest clip; 0 without audio, or where nobody counted them.
      is_index: whether the records say where the clips are in their videos, and hold none.
      labels: of `LABELS`: what of a record counts as its labels: its indices (its names, where it
        has none), its names alone, or nothing.
    """

    split: str
    num_clips: int
    num_shards: int
    shards: list[Shard]
    classes: list[str]
    frame_rate: float
    sample_rate: float
    min_frames: int
    min_height: int
    min_width: int
    height: int | None
    width: int | None
    duration: float
    tool_version: str
    failures: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    streams: str = "both"
    multi_label: bool = False
    missing: int = 0
    min_samples: int = 0
    is_index: bool = False
    labels: str = LABELS_BY_INDEX


def write_manifest(split_dir: PathLike, manifest: Manifest) -> None:
    """Writes `manifest.json` of a split, atomically."""
    text = json.dumps(dataclasses.asdict(manifest), indent=1, ensure_ascii=False, sort_keys=True)
    files.write_atomically(files.join(split_dir, MANIFEST), text + "\n")


def load_manifest(split_dir: PathLike) -> Manifest | None:
    """Reads `manifest.json` of a split and leaves its shards alone; None if there is none.

    Raises:
      DataError: it is damaged.
    """
    path = files.join(split_dir, MANIFEST)
    if not files.exists(path):
        return None
    try:
        manifest = strict_json.build(Manifest, strict_json.loads(files.read_text(path)))
        _check_values(manifest)
    except ValueError as error:
        raise DataError(f"{path} is damaged ({error}): {_PREPARE}") from error
    return manifest


def _check_values(manifest: Manifest) -> None:
    """Raises ValueError unless names are names and numbers are from 0 on."""
    if manifest.labels not in LABELS:
        raise ValueError(f"labels must be one of {', '.join(LABELS)}, got {manifest.labels!r:.80}")
    for shard in manifest.shards:
        # Shards stand in the split's folder or beside it; a longer path would lead elsewhere.
        base = shard["name"].removeprefix("../")
        if base in ("", ".", "..") or os.path.basename(base) != base or "\0" in base:
            raise ValueError(f"the name of a shard must be a file name, got {shard['name']!r:.80}")
    if manifest.streams not in STREAMS:
        raise ValueError(f"streams must be one of {', '.join(STREAMS)}, got {manifest.streams!r}")
    needed = {"both": ("frame_rate", "sample_rate"), "video": ("frame_rate",), "audio": ()}
    for name in ("frame_rate", "sample_rate"):
        least = name in needed[manifest.streams] and manifest.num_clips > 0
        rate = getattr(manifest, name)
        if rate > _MOST_RATE or (least and not rate):
            raise ValueError(f"{name} must be above 0 and at most {_MOST_RATE:g}, got {rate:g}")
    for held in (vars(manifest), *manifest.shards):
        for name, value in held.items():
            if isinstance(value, (int, float)) and value < 0:
                raise ValueError(f"{name} must be at least 0, got {value}")


def read_manifest(
    split_dir: PathLike, *, allow_empty: bool = False, check_shards: bool = True
) -> Manifest:
    """Reads `manifest.json` of a split and checks that its shards are there, and whole.

    Args:
      split_dir: folder of the split, local or of any file system that TensorFlow knows.
      allow_empty: whether a split without clips will do.
      check_shards: whether the shards are looked at.

    Raises:
      DataError: the folder, the manifest or a shard is missing or damaged, or there is no clip.
    """
    manifest = load_manifest(split_dir)
    if manifest is None:
        raise _missing_error(os.fspath(split_dir).rstrip("/"))

    def check(shard: Shard) -> None:
        file = files.join(split_dir, shard["name"])
        size = files.size(file)
        if size is None:
            raise DataError(f"{file} is missing, {MANIFEST} lists it: {_PREPARE}")
        if size != shard.get("bytes", size):
            raise DataError(f"{file} has {size} bytes instead of {shard['bytes']}: {_PREPARE}")

    if check_shards:
        # Side by side: a remote file system takes its time for each.
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(check, manifest.shards))
    if not manifest.num_clips and not allow_empty:
        raise DataError(
            f"{split_dir} holds no clips ({MANIFEST} says why): {_more_of(manifest.split)}"
        )
    return manifest


def _missing_error(split_dir: str) -> DataError:
    """What to say of a split without a manifest: of what lies there, and beside it."""
    parent, name = os.path.split(split_dir)
    parent = parent or "."
    is_folder = files.is_folder(split_dir)
    what = f"{split_dir} " + (f"holds no {MANIFEST}" if is_folder else "is not a folder")
    if not is_folder and files.exists(files.join(parent, MANIFEST)):
        above = os.path.dirname(parent.rstrip("/")) or "."
        return DataError(f"{what}: {parent} is a split; name the folder above it, {above}")
    place = split_dir if is_folder else parent
    if shard_files.shards_among(files.names_in(place)):  # Made elsewhere, they never had one.
        command = commands.tool("inspect_records.py", place, "--write_manifest")
        return DataError(f"{what}: {place} holds shards without one, describe them with {command}")
    held = [
        other
        for other in files.names_in(parent)
        if files.exists(files.join(parent, other, MANIFEST))
    ]
    if held and not is_folder:
        return DataError(f"{parent} has no split {name}, only {', '.join(held)}: {_more_of(name)}")
    return DataError(f"{what}: {_PREPARE}")


def _more_of(split: str) -> str:
    """How to get clips of a split that was prepared without any."""
    flags = {
        "train": "--train_split",
        "test": "--eval_split in training, --test_split in an evaluation",
    }
    flag = flags.get(split, "--train_split, --eval_split or --test_split")
    draw = "prepare the data with a larger --test_fraction, or " if split == "test" else ""
    return f"{draw}name another split by {flag}"
