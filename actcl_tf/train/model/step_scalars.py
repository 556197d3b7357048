"""The scalars of a training step, for the progress bar and TensorBoard."""

import tensorflow as tf

from actcl_tf.contrast import dictionary, losses
from actcl_tf.train.model import diagnosis, replicas
from actcl_tf.train.model import scalar_names as names


def summarise(
    results: dict[str, losses.InfoNCE],
    dictionaries: dict[str, dictionary.Dictionary],
    sampling: dict[str, diagnosis.Sampling],
    global_batch: tf.Tensor,
) -> dict[str, tf.Tensor]:
    """Means over the global batch, the same on every replica.

    Args:
      results: "video_to_audio" and so on -> InfoNCE of this replica's queries.
      dictionaries: modality -> dictionary; empty for in_batch.
      sampling: modality -> how it was refreshed; empty where there is no pool.
      global_batch: int32 scalar, M.

    Returns:
      Name -> float32 scalar.
    """
    values = {}
    for direction, result in results.items():
        values[names.loss(direction)] = result.loss
        values[names.of(names.TOP1, direction)] = tf.cast(result.rank < 1, tf.float32)
        values[names.of(names.TOP5, direction)] = tf.cast(result.rank < 5, tf.float32)
        values[names.of(names.BOUND, direction)] = result.bound
        values[names.of(names.POSITIVE, direction)] = result.positive
        negatives = tf.cast(result.mask, tf.float32)
        total = tf.reduce_sum(result.similarity * negatives, axis=1)
        values[names.of(names.NEGATIVE, direction)] = tf.math.divide_no_nan(
            total, tf.reduce_sum(negatives, axis=1)
        )
    sums = replicas.sum_over([tf.reduce_sum(value) for value in values.values()])
    count = tf.cast(global_batch, tf.float32)
    scalars = {name: total / count for name, total in zip(values, sums, strict=True)}
    scalars[names.LOSS] = tf.add_n([scalars[names.loss(direction)] for direction in results])
    for modality, target in dictionaries.items():
        filled = tf.cast(target.queue.filled(), tf.float32)
        scalars[names.of(names.FILLED, modality)] = filled / target.queue.size
    for modality, drawn in sampling.items():
        scalars[names.of(names.PICKED, modality)] = tf.cast(drawn.sampled.picks.count, tf.float32)
    return scalars
