"""What every method of seeding starts from, ends in, and does at each pick."""

from typing import NamedTuple

import tensorflow as tf

from actcl_tf.contrast import factored_points, weighted_draw

_INFINITY = float("inf")
FIRST_PICKS = ("uniform", "largest_norm")


class Seeding(NamedTuple):
    """What seeding picked, and what it cost.

    Attributes:
      indices: [M] int32, no repeats; -1 beyond the points that could be picked.
      proposals: int32 scalar, points drawn; some methods reject most of them.
      columns: int32 scalar, points whose distances to all N were worked out.
      passes: int32 scalar, how often the factors of all N points were read.
    """

    indices: tf.Tensor
    proposals: tf.Tensor
    columns: tf.Tensor
    passes: tf.Tensor


class Start(NamedTuple):
    """The points, measured, and the first pick.

    Attributes:
      points: the N points.
      weights: [N] float32, 0 for those that cannot be picked.
      first: int32 scalar, the first pick; meaningless if target is 0.
      target: int32 scalar, how many will be picked: M, or all that can be.
      seed: [2] int32; `weighted_draw.fold_in(seed, 0)` is used up.
    """

    points: factored_points.Points
    weights: tf.Tensor
    first: tf.Tensor
    target: tf.Tensor
    seed: tf.Tensor


def start(
    points: factored_points.AnyPoints,
    eligible: tf.Tensor,
    num_picks: int,
    seed: tf.Tensor,
    *,
    weights: tf.Tensor | None,
    first_pick: str,
) -> Start:
    """Measures the points and makes the first pick; see `kmeanspp.kmeans_plusplus`.

    Points with numbers that are not finite cannot be picked, nor can those whose weight is not
    positive and finite: in a graph nobody can be told.
    """
    if num_picks < 1:
        raise ValueError(f"num_picks must be at least 1, got {num_picks}")
    if weights is None:
        weights = tf.ones(eligible.shape)
    weights = tf.cast(weights, tf.float32)
    eligible = tf.logical_and(eligible, factored_points.finite(points))
    eligible = tf.logical_and(eligible, tf.logical_and(weights > 0.0, weights < _INFINITY))
    weights = tf.where(eligible, weights, 0.0)
    # At most 1, so that no mass overflows.
    weights = tf.math.divide_no_nan(weights, tf.reduce_max(weights))
    eligible = weights > 0.0
    measured = factored_points.build_points(points, eligible)
    if first_pick == "uniform":
        first = weighted_draw.draw(weights, 1, weighted_draw.fold_in(seed, 0))[0]
    elif first_pick == "largest_norm":
        lengths = factored_points.squared_lengths(points, eligible)
        first = tf.argmax(tf.where(eligible, lengths, -1.0), output_type=tf.int32)
    else:
        raise ValueError(f"first_pick must be one of {FIRST_PICKS}, got {first_pick}")
    available = tf.math.count_nonzero(eligible, dtype=tf.int32)
    return Start(measured, weights, first, tf.minimum(available, num_picks), seed)


def masses(distances: tf.Tensor, free: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """What the next pick is drawn in proportion to.

    Args:
      distances: [N] float32, squared distance to the nearest pick so far, or a bound on it.
      free: [N] float32, weights; 0 for points that are picked already or cannot be.

    Returns:
      ([N] float32, bool scalar): the D^2 masses; and whether every free point coincides with a
      pick, in which case the masses are the weights alone.
    """
    # Before the first distances are known they are infinite.
    squared = tf.where(free > 0.0, distances * free, 0.0)
    nothing_left = tf.reduce_max(squared) <= 0.0
    return tf.where(nothing_left, free, squared), nothing_left


def first_of(picks: Start, num_picks: int) -> tf.Tensor:
    """[M] int32 with the first pick in its place and -1 everywhere else."""
    first = tf.where(picks.target > 0, picks.first, -1)
    return tf.concat([[first], tf.fill([num_picks - 1], -1)], axis=0)
