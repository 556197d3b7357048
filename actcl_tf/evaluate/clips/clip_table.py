"""All clips that an evaluation knows, with their labels: read from records, nothing decoded."""

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from actcl_tf.data.records import records, shards
from actcl_tf.evaluate.clips import label_patterns
from actcl_tf.storage import files

ALL = "all"  # The split of data prepared with --fold=all.
LABEL = label_patterns.LABEL
_BATCH = 256

Progress = Callable[[str, int, int], None]


@dataclasses.dataclass(frozen=True)
class ClipTable:
    """n clips of one split or several, in stored order.

    Attributes:
      splits: n names of the splits they are in.
      clip_ids: [n] int64.
      filenames: n names of the videos that they were cut from.
      parts: [n, F] str, each clip's part ("train", "test" or "") in each official fold; F is 0
        where the data has no folds.
      labels: n lists of class indices.
      classes: names of all classes.
      multi_label: whether clips may have several labels.
      manifests: split to its manifest.
      digest: fingerprint of the splits' manifests.
    """

    splits: list[str]
    clip_ids: np.ndarray
    filenames: list[str]
    parts: np.ndarray
    labels: list[list[int]]
    classes: list[str]
    multi_label: bool
    manifests: dict[str, records.Manifest]
    digest: str

    @property
    def manifest(self) -> records.Manifest:
        """Of the first split; those of the others say the same of rates and streams."""
        return next(iter(self.manifests.values()))


class Targets(NamedTuple):
    """What is predicted.

    Attributes:
      name: "label" for the classes of the data, or a group of --label_pattern.
      classes: C names.
      values: [n] int64, -1 for clips without a label; or [n, C] bool, where clips may have several.
    """

    name: str
    classes: list[str]
    values: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """[n] bool: which clips have a label."""
        return self.values >= 0 if self.values.ndim == 1 else self.values.any(axis=1)


def read(data_dir: str, splits: Sequence[str], progress: Progress | None = None) -> ClipTable:
    """Reads what the records of some splits say of their clips.

    Args:
      data_dir: folder of prepared data.
      splits: at least one.
      progress: called now and then with a split, the clips of it read so far, and all of them.

    Raises:
      records.DataError: a split is missing, damaged or only an index; or splits do not go together;
        or two clips have one name.
    """
    manifests, rows = {}, []
    for split in splits:
        manifest, paths = shards.open_split(data_dir, split)
        manifests[split] = manifest
        _require_alike(data_dir, next(iter(manifests.values())), manifest)
        done = 0
        try:
            for batch in _said(paths, manifest):
                ids, names, parts, labels = batch
                rows += [
                    (split, int(i), name.decode("utf-8", "surrogateescape"), part, label)
                    for i, name, part, label in zip(ids, names, parts, labels, strict=True)
                ]
                done += len(ids)
                if progress is not None:
                    progress(split, done, manifest.num_clips)
        except tf.errors.DataLossError as error:
            raise shards.damage_error(error, data_dir, split) from error
    columns = list(zip(*rows, strict=True))
    clip_ids = np.array(columns[1], np.int64)
    _require_unique(data_dir, clip_ids, columns[2])
    first = next(iter(manifests.values()))
    return ClipTable(
        splits=list(columns[0]),
        clip_ids=clip_ids,
        filenames=list(columns[2]),
        parts=_parts(data_dir, columns[3]),
        labels=list(columns[4]),
        classes=list(first.classes),
        multi_label=first.multi_label,
        manifests=manifests,
        digest=fingerprint(data_dir, splits),
    )


def fingerprint(data_dir: str, splits: Sequence[str]) -> str:
    """What tells the clips of some splits from others: of their manifests.

    Raises:
      records.DataError: a manifest cannot be read.
    """
    digest = hashlib.sha256()
    for split in splits:
        text = files.read_text(files.join(data_dir, split, records.MANIFEST))
        digest.update(text.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]


def find_targets(table: ClipTable, pattern: str = "") -> list[Targets]:
    """What can be predicted of the clips.

    Args:
      table: of `read`.
      pattern: --label_pattern; empty: the classes of the data.

    Raises:
      config.ConfigError: the pattern is wrong, or a file name does not match it.
      records.DataError: the data has no labels.
    """
    compiled = label_patterns.compile_pattern(pattern, "label_pattern")
    if compiled is not None:
        named = label_patterns.labels_from_names(compiled, table.filenames, "label_pattern")
        found = []
        for name, labels in named.items():
            classes, values = np.unique(labels, return_inverse=True)
            found.append(Targets(name, classes.tolist(), values.astype(np.int64)))
        return found
    if not any(table.labels):
        raise records.DataError(
            f"the clips of {', '.join(table.manifests)} have no labels to predict: prepare the "
            "data with labels, or read them off file names with --label_pattern"
        )
    num = len(table.classes) or 1 + max(max(each, default=0) for each in table.labels)
    classes = table.classes or [str(index) for index in range(num)]
    if table.multi_label:
        values = np.zeros([len(table.labels), num], bool)
        for row, labels in enumerate(table.labels):
            values[row, labels] = True
        return [Targets(LABEL, classes, values)]
    values = [each[0] if len(each) == 1 else records.NO_LABEL for each in table.labels]
    return [Targets(LABEL, classes, np.array(values, np.int64))]


def _said(paths: list[str], manifest: records.Manifest) -> Iterator[tuple]:
    """Batches of clip ids, file names, parts and labels, as NumPy arrays and lists."""

    def parse(record: tf.Tensor) -> tuple[tf.Tensor, ...]:
        clip = records.parse_example(record, manifest)
        return clip["clip_id"], clip["filename"], clip["folds"], clip["labels"]

    dataset = tf.data.TFRecordDataset(paths).map(parse, tf.data.AUTOTUNE, deterministic=True)
    for batch in dataset.ragged_batch(_BATCH).prefetch(2):
        ids, names, parts, labels = batch
        decoded = [[part.decode("utf-8") for part in each] for each in parts.to_list()]
        yield ids.numpy(), names.numpy(), decoded, labels.to_list()


def _parts(data_dir: str, parts: Sequence[list[str]]) -> np.ndarray:
    counts = {len(each) for each in parts}
    if len(counts) > 1:
        raise records.DataError(
            f"{data_dir}: some clips have {min(counts)} folds and some {max(counts)}: prepare the "
            "data again"
        )
    return np.array(parts, str).reshape(len(parts), counts.pop())


def _require_alike(data_dir: str, first: records.Manifest, other: records.Manifest) -> None:
    for name in ("classes", "streams", "multi_label", "sample_rate", "frame_rate"):
        one, two = getattr(first, name), getattr(other, name)
        if one != two:
            raise records.DataError(
                f"{data_dir}: {name} of split {first.split!r} and {other.split!r} differ: prepare "
                "both with the same settings"
            )


def _require_unique(data_dir: str, clip_ids: np.ndarray, filenames: Sequence[str]) -> None:
    found, counts = np.unique(clip_ids, return_counts=True)
    if (counts > 1).any():
        row = int(np.flatnonzero(clip_ids == found[counts.argmax()])[0])
        raise records.DataError(
            f"{data_dir}: a clip of {filenames[row]!r} stands there twice; on both sides of a "
            "split it would be known beforehand: prepare the data again"
        )
