"""Looks clips up by the ids that dictionaries keep of them, in records or in an index of videos."""

import collections
import os
import pathlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from actcl_tf.console import bars
from actcl_tf.data.input import clip_sources
from actcl_tf.data.records import records, shards

# Shards read side by side.
_CYCLE_LENGTH = 4


class Place(NamedTuple):
    """Where a clip is stored.

    Attributes:
      label: index of the class; -1 for none.
      path: of the shard.
      index: of the record in it.
    """

    label: int
    path: str
    index: int


class Clip(NamedTuple):
    """What is shown of a clip.

    Attributes:
      frame: [H, W, 3] uint8, the middle frame.
      waveform: [S] float32, the whole audio.
      filename: of the video that it was cut from.
    """

    frame: np.ndarray
    waveform: np.ndarray
    filename: str


def find(data_dir: str, split: str, ids: Iterable[int]) -> dict[int, Place]:
    """Finds clips by their ids, with a progress bar; reads no further than the last of them.

    Args:
      data_dir: folder of prepared data.
      split: subfolder of it.
      ids: clip ids, of `records.clip_id_of`.

    Returns:
      Clip id -> place, for all that are there.

    Raises:
      records.DataError: the split is missing or damaged.
    """
    manifest, paths = shards.open_split(data_dir, split, allow_index=True)
    source = clip_sources.of_split(manifest)
    wanted, found = set(map(int, ids)), {}
    dataset = tf.data.Dataset.from_tensor_slices(paths).interleave(
        lambda path: (
            tf.data.TFRecordDataset(path)
            .enumerate()
            .map(lambda index, record: (path, index, *_id_and_label(source, record)))
        ),
        cycle_length=_CYCLE_LENGTH,
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    bar = bars.Bar(total=manifest.num_clips, desc="looking up clips", unit="clip")
    with bar:
        try:
            for batch in dataset.batch(64).prefetch(2):
                path, index, clip_id, label = (value.numpy() for value in batch)
                for row in np.flatnonzero(np.isin(clip_id, list(wanted))):
                    where = path[row].decode("utf-8", "surrogateescape"), int(index[row])
                    found[int(clip_id[row])] = Place(int(label[row]), *where)
                bar.update(len(path))
                if len(found) == len(wanted):
                    break
        except tf.errors.DataLossError as error:
            raise shards.damage_error(error, data_dir, split) from error
    return found


def read(places: dict[int, Place]) -> dict[int, Clip]:
    """Reads clips: the shards that hold them, and of these no further than the last one.

    Args:
      places: clip id -> place, of `find`.

    Returns:
      Clip id -> clip.

    Raises:
      records.DataError: a shard is damaged.
    """
    by_shard = collections.defaultdict(dict)
    for clip_id, place in places.items():
        by_shard[place.path][place.index] = clip_id
    clips = {}
    with bars.Bar(total=len(places), desc="reading clips", unit="clip") as bar:
        for path, wanted in by_shard.items():
            source = clip_sources.of_split(records.read_manifest(os.path.dirname(path)))
            dataset = tf.data.TFRecordDataset(path).take(max(wanted) + 1).enumerate()
            try:
                for index, record in dataset:
                    if int(index) in wanted:
                        clips[wanted[int(index)]] = _shown(source, record)
                        bar.update()
            except tf.errors.DataLossError as error:
                folder = pathlib.Path(path).parent
                raise shards.damage_error(error, folder.parent, folder.name) from error
    return clips


def _id_and_label(source: clip_sources.Source, record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Clip id and label of a record, as the training input has them."""
    parsed = source.parse(record)
    return parsed["clip_id"], parsed["label"]


def _shown(source: clip_sources.Source, record: tf.Tensor) -> Clip:
    parsed = source.parse(record)
    frames_jpeg, waveform = source.whole(parsed)
    middle = frames_jpeg[len(frames_jpeg) // 2]
    return Clip(
        frame=tf.io.decode_jpeg(middle, channels=3).numpy(),
        waveform=waveform.numpy(),
        filename=parsed["filename"].numpy().decode("utf-8", "replace"),
    )
