"""Bytes that a run's replicas keep and exchange, from the shapes of what the run is built of."""

import math
from typing import NamedTuple

import tensorflow as tf

from actcl_tf import config
from actcl_tf.contrast import dictionary
from actcl_tf.data.input import clip_sampling
from actcl_tf.data.prepare import shard_writing
from actcl_tf.models import two_tower
from actcl_tf.train.model import dictionaries

GATHER, REDUCE = "gathered", "summed"
_MEDIA = shard_writing.PrepareSettings()  # What clips are prepared with unless told otherwise.
_NUMBER = 4  # Bytes of a float32.
_INTEGER = 8  # Bytes of an int64.


class Modality(NamedTuple):
    """The sizes that count of one tower and of the dictionary of its keys.

    Attributes:
      embedding_size: D.
      num_features: d.
      gradient_bytes: of the gradient of all that is trained.
      queue_row: bytes of each key in the dictionary.
      pool_row: bytes of each key in the pool, which are sent of each finalist as well.
      fixed: bytes of dictionary and pool beside their rows.
    """

    embedding_size: int
    num_features: int
    gradient_bytes: int
    queue_row: int
    pool_row: int
    fixed: int


class Counts(NamedTuple):
    """All that bytes are worked out of.

    Attributes:
      modalities: of both towers.
      clip_bytes: of one clip as it is sent by --shuffle_batch_norm; 0 without.
    """

    modalities: tuple[Modality, ...]
    clip_bytes: int


class Item(NamedTuple):
    """What replicas exchange at a step under one name.

    Attributes:
      name: in words.
      how: `GATHER`, each gets what all give; or `REDUCE`, each gets the sum.
      num_bytes: what one replica gives.
    """

    name: str
    how: str
    num_bytes: int

    def received(self, replicas: int) -> float:
        """Bytes that a replica receives, and as many that it sends, in a ring of all replicas."""
        if self.how == GATHER:
            return (replicas - 1) * self.num_bytes
        return 2 * (replicas - 1) / replicas * self.num_bytes


def count(run: config.PretrainConfig) -> Counts:
    """Builds the towers of a run, and dictionaries of a few rows, and looks at their variables."""
    num_samples = clip_sampling.num_audio_samples(
        run.data.num_frames, run.data.frame_stride, _MEDIA.frame_rate, _MEDIA.sample_rate
    )
    towers = two_tower.build_towers(
        run.model, run.data, sample_rate=_MEDIA.sample_rate, num_audio_samples=num_samples
    )
    clip_bytes = 0
    if run.train.shuffle_batch_norm:
        # Pixels travel in half precision; with each clip, two int32 of its seed.
        pixels = run.data.num_frames * run.data.image_size**2 * 3
        clip_bytes = 2 * pixels + _NUMBER * num_samples + 2 * 4
    return Counts(tuple(of_tower(tower, run.contrast) for tower in towers), clip_bytes)


def of_tower(tower: tf.keras.Model, contrast: config.ContrastConfig) -> Modality:
    """What counts of a tower that is built."""
    num_features, size = tower.head.last_layer.kernel.shape
    few = dictionary.Dictionary(
        1,
        size,
        sampler=dictionaries.build_sampler(contrast),
        pool_size=1,
        num_features=num_features,
    )
    queues = (few.queue, few.pool)
    rows = [sum(map(_bytes, (queue.ids, *queue.columns.values()))) for queue in queues]
    return Modality(
        size,
        num_features,
        sum(map(_bytes, tower.trainable_variables)),
        *rows,
        sum(_bytes(queue.pointer) for queue in queues),
    )


def _bytes(variable: tf.Variable) -> int:
    return variable.dtype.size * math.prod(variable.shape)


def kept_bytes(counts: Counts, dictionary_size: int, pool_size: int) -> int:
    """Bytes of the dictionaries and pools of both modalities on one replica.

    Args:
      counts: of the run.
      dictionary_size: K.
      pool_size: keys that this replica keeps of each pool: N, or its part of them.
    """
    return sum(
        each.fixed + dictionary_size * each.queue_row + pool_size * each.pool_row
        for each in counts.modalities
    )


def exchange(counts: Counts, batch: int, replicas: int, sharded: bool) -> list[Item]:
    """What a replica gives to the others at a step; statistics of --sync_batch_norm left out.

    Args:
      counts: of the run.
      batch: B, clips of this replica.
      replicas: R.
      sharded: whether the pools are kept in parts.
    """
    if replicas == 1:
        return []
    sizes = sum(each.embedding_size for each in counts.modalities)
    features = sum(each.num_features for each in counts.modalities)
    items = [
        Item("clip ids and labels", GATHER, batch * 2 * _INTEGER),
        Item("keys", GATHER, batch * _NUMBER * sizes),
        Item("features", GATHER, batch * _NUMBER * features),
        Item("queries", GATHER, batch * _NUMBER * sizes),
    ]
    if counts.clip_bytes:
        items.append(Item("clips, shuffled", GATHER, batch * counts.clip_bytes + 4))
    if sharded:
        rows = sum(each.pool_row for each in counts.modalities)
        items.append(Item("finalists", GATHER, replicas * batch * rows))
    gradients = sum(each.gradient_bytes for each in counts.modalities)
    return [
        *items,
        # Scale and offset of the normalisation behind each last layer.
        Item("last layers' statistics", REDUCE, 2 * _NUMBER * sizes),
        Item("gradients", REDUCE, gradients),
    ]
