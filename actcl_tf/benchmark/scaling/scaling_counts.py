"""Bytes that a run's replicas keep and exchange, from the shapes of what the run is built of."""

import math
from typing import NamedTuple

import tensorflow as tf

from actcl_tf import config
from actcl_tf.benchmark import default_data
from actcl_tf.contrast import dictionary
from actcl_tf.train.model import dictionaries
from actcl_tf.train.runs import loading

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

    @property
    def largest(self) -> Modality:
        """The one whose keys take the most."""
        return max(self.modalities, key=lambda each: each.pool_row)


class Exchange(NamedTuple):
    """What each replica gives to the others at a step: in words -> bytes.

    Attributes:
      gathered: of which each gets what all give.
      summed: of which each gets the sum.
    """

    gathered: dict[str, int]
    summed: dict[str, int]


def count(run: config.PretrainConfig) -> Counts:
    """Builds the towers of a run, and dictionaries of a few rows, and looks at their variables."""
    facts = default_data.facts(run)
    clip_bytes = 0
    if run.train.shuffle_batch_norm:
        # Pixels travel in half precision; with each clip, two int32 of its seed.
        pixels = run.data.num_frames * run.data.image_size**2 * 3
        clip_bytes = 2 * pixels + _NUMBER * facts.num_audio_samples + 2 * 4
    towers = loading.build_towers(run, facts).values()
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


def exchange(counts: Counts, batch: int, replicas: int, sharded: bool) -> Exchange:
    """What a replica gives to the others at a step; statistics of --sync_batch_norm left out.

    Args:
      counts: of the run.
      batch: B, clips of this replica.
      replicas: R; what a single one gives, nobody receives.
      sharded: whether the pools are kept in parts.
    """
    sizes = sum(each.embedding_size for each in counts.modalities)
    gathered = {
        "clip ids and labels": batch * 2 * _INTEGER,
        "keys": batch * _NUMBER * sizes,
        "features": batch * _NUMBER * sum(each.num_features for each in counts.modalities),
        "queries": batch * _NUMBER * sizes,
    }
    if counts.clip_bytes:
        gathered["clips, shuffled"] = batch * counts.clip_bytes + 4
    if sharded:
        rows = sum(each.pool_row for each in counts.modalities)
        gathered["finalists"] = replicas * batch * rows
    summed = {
        # Scale and offset of the normalisation behind each last layer.
        "last layers' statistics": 2 * _NUMBER * sizes,
        "gradients": sum(each.gradient_bytes for each in counts.modalities),
    }
    return Exchange(gathered, summed)
