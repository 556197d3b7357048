"""The end of a preparation: duplicates go, shards take their places, manifests are written.

Doing any of it again after an interruption gives the same.
"""

import collections
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from actcl_tf.data import catalogs
from actcl_tf.data.media import clip_filters
from actcl_tf.data.prepare.shard_writing import ClipFacts, PrepareSettings, ShardReport, ShardTask
from actcl_tf.data.records import records
from actcl_tf.data.records.records import Manifest
from actcl_tf.storage import files

Reports = Mapping[ShardTask, ShardReport]


def merge_failures(parts: Iterable[Mapping[str, Sequence[str]]]) -> dict[str, list[str]]:
    """Reason to sources, over several parts; sorted."""
    merged = collections.defaultdict(list)
    for part in parts:
        for reason, sources in part.items():
            merged[reason].extend(sources)
    return {reason: sorted(merged[reason]) for reason in sorted(merged)}


def find_duplicates(tasks: Sequence[ShardTask], reports: Reports) -> dict[ShardTask, set[int]]:
    """Places of the clips of each shard that an earlier clip has already.

    Splits that are not for training come first: of a pair, the training clip goes.
    """
    order = sorted(tasks, key=lambda task: (task.split == catalogs.TRAIN, task.split, task.index))
    places = [(task, place) for task in order for place in range(len(reports[task].clips))]
    marks = [reports[task].clips[place].fingerprint for task, place in places]
    found: dict[ShardTask, set[int]] = {task: set() for task in tasks}
    if any(mark is not None for mark in marks):
        for (task, place), earlier in zip(places, clip_filters.find_duplicates(marks), strict=True):
            if earlier is not None:
                found[task].add(place)
    return found


def finish_split(
    output: str,
    split: str,
    *,
    tasks: Sequence[ShardTask],
    reports: Reports,
    duplicates: Mapping[ShardTask, set[int]],
    catalog: catalogs.Catalog,
    settings: PrepareSettings,
    described: dict[str, Any],
) -> Manifest:
    """Moves the shards of a split to their places, without duplicates, and writes its manifest.

    Args:
      output: folder of the data set.
      split: name of the split.
      tasks: all shards of the data set.
      reports: of each.
      duplicates: of `find_duplicates`.
      catalog: what the data set was made from.
      settings: how.
      described: of `plan.describe`.
    """
    folder = files.join(output, split)
    files.make_folder(folder)
    mine = [task for task in tasks if task.split == split]
    kept = {task: _kept(reports[task].clips, duplicates[task]) for task in mine}
    filled = [task for task in mine if kept[task]]
    shards = []
    for index, task in enumerate(filled):
        name = records.shard_name(split, index, len(filled))
        path = files.join(folder, name)
        _place(task, path, duplicates[task])
        shards.append({"name": name, "clips": len(kept[task]), "bytes": files.size(path)})
    dropped = [reports[task].clips[place].source for task in mine for place in duplicates[task]]
    failures = [reports[task].failures for task in mine]
    splits = {task.split for task in tasks}
    unlisted = [name for name in catalog.found.unlisted if _split_of_folder(name, splits) == split]
    manifest = Manifest(
        split=split,
        num_shards=len(shards),
        shards=shards,
        classes=list(catalog.classes),
        frame_rate=settings.frame_rate,
        sample_rate=settings.sample_rate,
        **_measures([facts for task in filled for facts in kept[task]]),
        tool_version=records.TOOL_VERSION,
        failures=merge_failures([*failures, *_reasons(duplicate=dropped, unlisted=unlisted)]),
        settings=described,
        streams=settings.streams,
        multi_label=catalog.multi_label,
        missing=len(catalog.missing),
        is_index=settings.is_index,
    )
    records.write_manifest(folder, manifest)
    return records.read_manifest(folder, allow_empty=True)


def _kept(clips: Sequence[ClipFacts], duplicates: set[int]) -> list[ClipFacts]:
    return [facts for place, facts in enumerate(clips) if place not in duplicates]


def _measures(clips: Sequence[ClipFacts]) -> dict[str, Any]:
    """What the manifest says of the number, the length and the size of clips."""
    heights, widths = ({getattr(facts, side) for facts in clips} for side in ("height", "width"))
    return {
        "num_clips": len(clips),
        "min_frames": min((facts.frames for facts in clips), default=0),
        "min_samples": min((facts.samples for facts in clips), default=0),
        "min_height": min(heights, default=0),
        "min_width": min(widths, default=0),
        "height": heights.pop() if len(heights) == 1 else None,
        "width": widths.pop() if len(widths) == 1 else None,
        "duration": sum(facts.seconds for facts in clips),
    }


def _reasons(**sources: list[str]) -> list[dict[str, list[str]]]:
    return [{reason: names} for reason, names in sources.items() if names]


def _split_of_folder(name: str, splits: Collection[str]) -> str:
    """The split whose manifest is to name a folder: its own, or else the first."""
    split = catalogs.split_of(name.split("/")[0])
    return (
        split if split in splits else min(splits, key=lambda each: (each != catalogs.TRAIN, each))
    )


def _place(task: ShardTask, path: str, duplicates: set[int]) -> None:
    """Moves a shard, or what is left of it, unless that was done before."""
    if files.size(task.data_path) is None:
        return
    if not duplicates:
        files.move(task.data_path, path)
        return
    temporary = files.temporary_name(path)
    with files.naming(path, "written"), tf.io.TFRecordWriter(temporary) as writer:
        for place, record in enumerate(tf.data.TFRecordDataset(task.data_path)):
            if place not in duplicates:
                writer.write(record.numpy())
    files.move(temporary, path)
    files.remove(task.data_path)
