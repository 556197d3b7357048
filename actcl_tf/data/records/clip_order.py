"""The order in which the clips of a split are read, epoch after epoch: a seed decides it."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from actcl_tf.data.records import records

# Shards read side by side.
_CYCLE_LENGTH = 16

Read = Callable[[tf.Tensor], tf.data.Dataset]  # Of a number [] int64, of a shard or an epoch.


def epoch_seed(seed: int, stream: int | tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
    """The stateless seed [2] int64 of an epoch of a stream: of its order and its clips."""
    return tf.random.fold_in(tf.convert_to_tensor([seed, stream], tf.int64), epoch)


class ClipOrder(NamedTuple):
    """The clips of a split, each once an epoch.

    Attributes:
      paths: shards that hold clips.
      clips: of each shard.
      seed: of the run.
      stream: streams of different numbers have unrelated orders; None for the stored order.
      shuffle_buffer: raw records held by the shuffle buffer.
    """

    paths: list[str]
    clips: list[int]
    seed: int = 0
    stream: int | None = None
    shuffle_buffer: int = 1

    @property
    def num_clips(self) -> int:
        """Clips of an epoch (N)."""
        return sum(self.clips)

    def records(self, start: int = 0, num_epochs: int | None = None) -> tf.data.Dataset:
        """Epoch after epoch of raw records, see `epochs`: ([] int64 epoch, [] string record)."""
        return self.epochs(self.epoch_records, start, num_epochs)

    def epoch_records(self, epoch: tf.Tensor) -> tf.data.Dataset:
        """The records of one epoch: ([] int64 epoch, [] string serialized record)."""
        raw = self.in_epoch(
            epoch, lambda shard: tf.data.TFRecordDataset(tf.gather(tf.constant(self.paths), shard))
        )
        return raw.map(lambda record: (epoch, record))

    def epochs(
        self, read_epoch: Read, start: int = 0, num_epochs: int | None = None
    ) -> tf.data.Dataset:
        """What `read_epoch` gives of epoch after epoch, from any clip on.

        Args:
          read_epoch: number of an epoch -> an element for each clip of it, and more at its end.
          start: clips already used: whole epochs are not read at all, the rest is read and dropped.
          num_epochs: to end after; None for no end.
        """
        first, used = divmod(start, self.num_clips)
        end = tf.int64.max if num_epochs is None else first + num_epochs
        dataset = tf.data.Dataset.range(first, end).flat_map(read_epoch)
        return dataset.skip(used) if used else dataset

    def in_epoch(self, epoch: tf.Tensor, read: Read) -> tf.data.Dataset:
        """What `read` gives of each shard, an element for each clip, in the order of an epoch.

        The order of the shards is drawn, up to 16 of them are read side by side, and a buffer
        shuffles what they give.
        """
        num_shards = len(self.paths)
        if self.stream is None:
            return tf.data.Dataset.range(num_shards).flat_map(read)
        seed = epoch_seed(self.seed, self.stream, epoch)
        seeds = tf.random.stateless_uniform([3], seed, 0, 2**31 - 1, tf.int64)
        shards = tf.range(num_shards, dtype=tf.int64)
        order = tf.random.experimental.stateless_shuffle(shards, seeds[:2])
        dataset = tf.data.Dataset.from_tensor_slices(order).interleave(
            read,
            cycle_length=min(_CYCLE_LENGTH, num_shards),
            block_length=1,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        # `shuffle` mixes the seed of the graph it is built in into its own: fixed here, so that a
        # call of tf.random.set_seed elsewhere cannot change the order.
        tf.compat.v1.get_default_graph().seed = 1
        buffer = min(self.shuffle_buffer, self.num_clips)
        return dataset.shuffle(buffer, seed=seeds[2], reshuffle_each_iteration=False)


def build_order(
    manifest: records.Manifest,
    paths: list[str],
    *,
    seed: int = 0,
    stream: int | None = None,
    shuffle_buffer: int = 1,
) -> ClipOrder:
    """The order of the clips of a split that `shards.open_split` gave; see `ClipOrder`."""
    clips = [shard["clips"] for shard in manifest.shards if shard["clips"]]
    return ClipOrder(paths, clips, seed, stream, shuffle_buffer)
