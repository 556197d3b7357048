"""The search for the first bad record of a split, and what is wrong with it."""

import re

import numpy as np
import tensorflow as tf

from actcl_tf.config import DataConfig
from actcl_tf.console import bars
from actcl_tf.data.input import (
    clip_sources,
    clip_spec,
    evaluation_clips,
    media_reader,
    slots,
    tagged_errors,
    training_clips,
)
from actcl_tf.data.records import clip_order, record_check, records, shards


def find_bad_clip(
    config: DataConfig, *, seed: int, start_clip: int, num_clips: int, views: int = 1
) -> str:
    """Names the first bad record among clips of `pipeline.build_train_dataset`.

    Args:
      config: data section of the configuration.
      seed: seed of the run.
      start_clip: clips that came before those to look at.
      num_clips: how many to look at.
      views: as in `training_clips.TrainingClips`.

    Returns:
      A line that names the file, the record and what is wrong; "" if all are good.
    """
    manifest, paths = shards.open_split(
        config.data_dir, config.train_split, allow_index=True, check_shards=False
    )
    make_clip = training_clips.build_training_clips(config, manifest, seed=seed, views=views)
    return find(make_clip.slots(manifest, paths), start_clip, num_clips)


def find_bad_clip_of_split(config: DataConfig, split: str) -> str:
    """Names the first bad record of a split, as `pipeline.build_eval_dataset` reads it.

    Args:
      config: data section of the configuration.
      split: subfolder of `config.data_dir`.

    Returns:
      A line that names the file, the record and what is wrong; "" if all are good.
    """
    manifest, paths = shards.open_split(
        config.data_dir, split, allow_index=True, check_shards=False
    )
    make_clip = evaluation_clips.EvaluationClips(
        config=config,
        source=clip_sources.build_source(config, manifest),
        spec=clip_spec.build_clip_spec(config, manifest),
        num_windows=1,
    )
    order = clip_order.build_order(manifest, paths)
    return find(slots.Slots(order, make_clip, manifest.is_index), 0, manifest.num_clips)


def find(split: slots.Slots, start: int, num_clips: int) -> str:
    """Names the first bad record of some slots of a split.

    Args:
      split: to look through.
      start: slot to begin at.
      num_clips: how many clips to try.

    Returns:
      A line that names the file, the record and what is wrong; "" if all are good.
    """
    split = split._replace(make_clip=tf.function(split.make_clip, autograph=False))
    elements = split.elements(start).take(num_clips)
    looked_at = bars.Bar(elements, "looking for a bad record", num_clips, unit="clip", delay=2)
    for _, epoch, place, record, is_end in looked_at:
        why = ""
        if not is_end:
            why = what_is_wrong(split, place.numpy(), int(epoch), record.numpy(), unknown="")
        if why:
            return f"{split.order.paths[place[0]]}, record {int(place[1])}: {why}"
    return ""


def what_is_wrong(
    split: slots.Slots,
    place: np.ndarray,
    epoch: int,
    record: bytes = b"",
    unknown: str = "unreadable for a moment",
) -> str:
    """What is wrong with a record, read if it is not given; `unknown` if it is good."""
    try:
        record = record or split.read(place)
        if not split.is_index:
            record_check.read_facts(record, every_frame=True)
        split.make_clip(tf.constant(epoch, tf.int64), tf.constant(record))
    except records.DataError as error:
        return str(error)
    except tf.errors.OpError as error:
        return tagged_errors.message_of(error, media_reader.TAG) or _first_line(error)
    return unknown


def _first_line(error: tf.errors.OpError) -> str:
    """What TensorFlow says, without the names of operations."""
    text = str(error.message)
    # In a graph, what went wrong stands after a trace and before the name of the operation.
    text = text.rpartition("[[{{")[0].strip().rpartition("\n")[2] or text
    text = re.sub(r"\{\{.*?\}\}|\[Op:.*", "", text).strip()
    return text.splitlines()[0].strip() if text else "it cannot be decoded"
