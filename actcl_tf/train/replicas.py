"""What replicas exchange within a step, in an order that is the same on all of them."""

import tensorflow as tf


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
    # Gathering forgets the static shape; only the batch's size may differ between replicas.
    return tf.ensure_shape(context.all_gather(value, axis=0), [None, *value.shape[1:]])


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
