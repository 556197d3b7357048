"""What replicas exchange within a step, in an order that is the same on all of them."""

from typing import NamedTuple

import tensorflow as tf


class Shuffle(NamedTuple):
    """An order of the global batch's clips, the same on every replica.

    Attributes:
      order: [M] int32, which clip stands at each place.
      start: int32 scalar, the first place of this replica.
      size: int32 scalar, B.
    """

    order: tf.Tensor
    start: tf.Tensor
    size: tf.Tensor

    def mine(self, values: tf.Tensor) -> tf.Tensor:
        """The clips [B, ...] that this replica is dealt, of those [B, ...] that each holds."""
        return tf.gather(gather(values), self.order[self.start : self.start + self.size])

    def restore(self, values: tf.Tensor) -> tf.Tensor:
        """Values [M, ...] in the batch's own order, of those [B, ...] that each was dealt."""
        return tf.gather(gather(values), tf.argsort(self.order))


def shuffle(ids: tf.Tensor, seed: tf.Tensor) -> Shuffle:
    """Draws an order of the global batch.

    Args:
      ids: [B], of this replica's clips; how many there are is all that matters.
      seed: [2] int32, stateless seed, the same on every replica.
    """
    sizes = gather(tf.shape(ids)[:1])
    start = tf.cumsum(sizes, exclusive=True)[replica_id()]
    chances = tf.random.stateless_uniform([tf.reduce_sum(sizes)], seed)
    return Shuffle(tf.argsort(chances), start, tf.shape(ids)[0])


def replica_id() -> tf.Tensor:
    """The number of this replica, int32 scalar."""
    return tf.distribute.get_replica_context().replica_id_in_sync_group


def gather(value: tf.Tensor) -> tf.Tensor:
    """Concatenates a [B, ...] tensor over replicas, in replica order, on every replica.

    Args:
      value: [B, ...]; B may differ between replicas.

    Returns:
      [M, ...], the same on every replica.
    """
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return value
    # What comes straight from the input has no device yet, by which the others find it. Bytes are
    # not among what devices exchange; half precision holds them exactly.
    sent = tf.cast(value, tf.float16) if value.dtype == tf.uint8 else tf.identity(value)
    gathered = tf.cast(context.all_gather(sent, axis=0), value.dtype)
    # Gathering forgets the static shape; only the batch's size may differ between replicas.
    return tf.ensure_shape(gathered, [None, *value.shape[1:]])


def sum_over(values: list[tf.Tensor]) -> list[tf.Tensor]:
    """Sums tensors of one shape each over replicas."""
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return values
    return context.all_reduce(tf.distribute.ReduceOp.SUM, values)


def mean_over(values: list[tf.Tensor]) -> list[tf.Tensor]:
    """Means of tensors of one shape each over replicas."""
    replicas = tf.distribute.get_replica_context().num_replicas_in_sync
    return [value / replicas for value in sum_over(values)]


def counter(initial: int, name: str) -> tf.Variable:
    """An int64 variable that every replica counts up alike."""
    return tf.Variable(
        initial,
        dtype=tf.int64,
        trainable=False,
        name=name,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )
