"""Draws indices in proportion to weights: many at once, out of many, without a host or a loop.

Weights are summed up in a tree; a draw walks down from its root. So a draw reads a few short rows
instead of all weights, no long cumulative sum is needed, and since each level takes a random number
of its own, small weights among many keep their exact share.
"""

import tensorflow as tf

_FAN_OUT = 128


def uniform(shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Uniform numbers in (0, 1] that are the same eager, in a graph and under XLA.

    TensorFlow's own uniform floats differ under XLA; the random bits do not.

    Args:
      shape: int32 vector.
      seed: [2] int32, stateless seed.

    Returns:
      float32 of that shape, multiples of 2^-32 near 0.
    """
    bits = tf.random.stateless_uniform(
        shape, seed, minval=None, maxval=None, dtype=tf.uint32, alg="philox"
    )
    return (tf.cast(bits, tf.float32) + 0.5) * 2.0**-32


def fold_in(seed: tf.Tensor, data: tf.Tensor) -> tf.Tensor:
    """A seed [2] int32 that depends on another one and on a number, alike in every mode."""
    return tf.random.experimental.stateless_fold_in(
        tf.cast(seed, tf.int32), tf.cast(data, tf.int32), alg="philox"
    )


def draw(weights: tf.Tensor, num_draws: int, seed: tf.Tensor) -> tf.Tensor:
    """Draws indices, independently and with replacement, in proportion to their weights.

    Args:
      weights: [N] float32, not negative, at least one of them positive; N is static.
      num_draws: b, static.
      seed: [2] int32, stateless seed.

    Returns:
      [b] int32; an index of weight 0 is never drawn. Without any positive weight they mean nothing.
    """
    return draw_by(weights, uniform([num_draws, num_levels(weights)], seed))


def num_levels(weights: tf.Tensor) -> int:
    """How many random numbers a draw among weights [N] takes, one for each level of their tree."""
    levels, reach = 1, _FAN_OUT
    while reach < weights.shape[0]:
        levels, reach = levels + 1, reach * _FAN_OUT
    return levels


def draw_by(weights: tf.Tensor, chances: tf.Tensor) -> tf.Tensor:
    """Draws as `draw` does, with random numbers that the caller made.

    Args:
      weights: [N] float32, not negative, at least one of them positive; N is static.
      chances: [b, L] float32, uniform in (0, 1], where L = `num_levels(weights)`.

    Returns:
      [b] int32.
    """
    levels = _levels(weights)
    nodes = tf.zeros(chances.shape[:1], tf.int32)
    for depth, level in enumerate(reversed(levels)):
        rows = tf.gather(level, nodes)
        cumulative = tf.cumsum(rows, axis=1)
        reached = cumulative >= chances[:, depth, tf.newaxis] * cumulative[:, -1:]
        # Rounding may bend the cumulative sum by a hair; a weight of 0 must not profit from it.
        reached = tf.logical_and(reached, rows > 0.0)
        child = tf.where(
            tf.reduce_any(reached, axis=1),
            tf.argmax(reached, axis=1, output_type=tf.int32),
            tf.argmax(rows, axis=1, output_type=tf.int32),
        )
        nodes = nodes * _FAN_OUT + child
    return nodes


def _levels(weights: tf.Tensor) -> list[tf.Tensor]:
    """Rows of siblings, [n, fan-out] each, from the leaves up to a single row."""
    largest = tf.reduce_max(weights)
    values = tf.where(largest > 0.0, weights / largest, 0.0)
    levels = []
    while not levels or levels[-1].shape[0] > 1:
        values = tf.pad(values, [[0, -values.shape[0] % _FAN_OUT]])
        levels.append(tf.reshape(values, [-1, _FAN_OUT]))
        values = tf.reduce_sum(levels[-1], axis=1)
    return levels
