"""k-means++ seeding (D^2 sampling), also of points given as outer products of two factors."""

from typing import Optional, Union

import tensorflow as tf

from actcl_tf.contrast import (
    gradient_embeddings,
    seeding_exact,
    seeding_start,
    seeding_variants,
)

METHODS = ("blocked", "plain", "greedy", "afkmc2", "two_level")


def kmeans_plusplus(
    points: Union[tf.Tensor, gradient_embeddings.GradientFactors],
    num_picks: int,
    seed: tf.Tensor,
    *,
    eligible: Optional[tf.Tensor] = None,
    method: str = "blocked",
    weights: Optional[tf.Tensor] = None,
    first_pick: str = "uniform",
    chain_length: int = 200,
    num_shards: int = 8,
) -> seeding_start.Seeding:
    """Picks points by k-means++ seeding, without repetition.

    After the first pick, each further one is drawn with probability proportional to its weight
    times its squared distance from the nearest pick so far. Where all that is left coincides with
    picks, the draw is by weight alone. Points given as factors are never built, shapes are static,
    and arithmetic is in float32 whatever the points' type. The picks are a function of the seed,
    the same eager, in a graph and under XLA (but for a draw that falls between two points to within
    float32 rounding).

    The methods:
      blocked: exact, and the fastest; see `seeding_exact.blocked`.
      plain: exact; the textbook's loop, which reads all points once a pick.
      greedy: the best of some draws each time, as scikit-learn does by default; tighter picks.
      afkmc2: by Markov chains; approximate.
      two_level: on parts of the points, then on the union of the picks; approximate.

    Args:
      points: [N, D], or their factors u [N, D] and h [N, d], where point n is outer(h[n], u[n]);
        floating and finite. N is static; the length of a row is 0 or from 1e-15 to 1e15.
      num_picks: M, static.
      seed: [2] int32, stateless seed.
      eligible: [N] bool, points that may be picked; default: all.
      method: one of `METHODS`.
      weights: [N] float32, not negative; points of weight 0 are not picked. Default: all 1.
      first_pick: "uniform" (in proportion to the weights), or "largest_norm" (the longest point;
        the first of several).
      chain_length: of `afkmc2`.
      num_shards: of `two_level`.

    Returns:
      Seeding; where fewer than M points can be picked, those come first and the rest are -1.

    Raises:
      ValueError: shapes do not fit together, or an unknown method or rule.

    Example:
      >>> points = tf.constant([[0.0, 0.0], [0.0, 0.1], [9.0, 0.0], [9.0, 0.1], [0.0, 9.0]])
      >>> picks = actcl_tf.kmeans_plusplus(points, num_picks=3, seed=[0, 3]).indices
      >>> sorted(picks.numpy() // 2)  # One of each of the three groups.
      [0, 1, 2]
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, got {method}")
    factors = _factored(points)
    if eligible is None:
        eligible = tf.fill([factors.u.shape[0]], True)
    if method == "two_level":
        counted = tf.ones(eligible.shape) if weights is None else tf.cast(weights, tf.float32)
        counted = tf.where(eligible, counted, 0.0)
        return seeding_variants.two_level(factors, counted, num_picks, seed, first_pick, num_shards)
    begun = seeding_start.start(factors, eligible, num_picks, seed, weights, first_pick)
    if method == "blocked":
        return seeding_exact.blocked(begun, num_picks)
    if method == "plain":
        return seeding_exact.plain(begun, num_picks)
    if method == "greedy":
        return seeding_variants.greedy(begun, num_picks)
    return seeding_variants.afkmc2(begun, num_picks, chain_length)


def _factored(
    points: Union[tf.Tensor, gradient_embeddings.GradientFactors],
) -> gradient_embeddings.GradientFactors:
    if isinstance(points, gradient_embeddings.GradientFactors):
        return points
    points = tf.convert_to_tensor(points)
    if points.shape.rank != 2:
        raise ValueError(f"points must have shape [N, D], got {points.shape}")
    return gradient_embeddings.GradientFactors(points, tf.ones_like(points[:, :1]))
