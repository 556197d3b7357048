"""k-means++ seeding (D^2 sampling), also of points given as outer products of two factors."""

import tensorflow as tf

from actcl_tf.contrast import (
    factored_points,
    gradient_embeddings,
    seeding_exact,
    seeding_numbers,
    seeding_start,
    seeding_variants,
)

METHODS = ("blocked", "plain", "greedy", "afkmc2", "two_level")


def kmeans_plusplus(
    points: factored_points.AnyPoints,
    num_picks: int,
    seed: tf.Tensor,
    *,
    eligible: tf.Tensor | None = None,
    method: str = "blocked",
    weights: tf.Tensor | None = None,
    first_pick: str = "uniform",
    chain_length: int = 200,
    num_shards: int = 8,
) -> seeding_start.Seeding:
    """Picks points by k-means++ seeding, without repetition.

    After the first pick, each further one is drawn with probability proportional to its weight
    times its squared distance from the nearest pick so far. Where all that is left coincides with
    picks, the draw is by weight alone. Points given as factors are never built, shapes are static.
    Points as they come are apart if their distance is more than about a millionth of the largest,
    and factored ones, which are measured in float32, if it is more than about a thousandth of their
    lengths (see `factored_points`). The picks are a function of the seed,
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
        floating and finite; N is static. In a graph, where nobody looks at the numbers, points
        that are not finite are not picked.
      num_picks: M, static.
      seed: [2] int32, stateless seed.
      eligible: [N] bool, points that may be picked; default: all.
      method: one of `METHODS`.
      weights: [N] float32, finite and not negative; points of weight 0 are not picked. Default:
        all 1.
      first_pick: "uniform" (in proportion to the weights), or "largest_norm" (the longest point;
        the first of several).
      chain_length: of `afkmc2`.
      num_shards: of `two_level`.

    Returns:
      Seeding; where fewer than M points can be picked, those come first and the rest are -1.

    Raises:
      ValueError: shapes do not fit together, an unknown method or rule, a seed that is not two
        whole numbers; and where the numbers are known (always so when eager), a point that may be
        picked is not finite, or a weight is negative or not finite.

    Example:
      >>> points = tf.constant([[0.0, 0.0], [0.0, 0.1], [9.0, 0.0], [9.0, 0.1], [0.0, 9.0]])
      >>> picks = actcl_tf.kmeans_plusplus(points, num_picks=3, seed=[0, 3]).indices
      >>> sorted((picks.numpy() // 2).tolist())  # One of each of the three groups.
      [0, 1, 2]
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, got {method}")
    if isinstance(points, gradient_embeddings.GradientFactors):
        points = tf.nest.map_structure(tf.convert_to_tensor, points)
    else:
        points = tf.convert_to_tensor(points)
    finite = factored_points.finite(points)
    eligible = tf.fill(finite.shape, True) if eligible is None else tf.convert_to_tensor(eligible)
    seed = seeding_numbers.check_seed(seed)
    weights = seeding_numbers.check(finite, eligible, weights)
    if method == "two_level":
        counted = tf.where(eligible, tf.ones(eligible.shape) if weights is None else weights, 0.0)
        return seeding_variants.two_level(
            points, counted, num_picks, seed, first_pick=first_pick, num_shards=num_shards
        )
    begun = seeding_start.start(
        points, eligible, num_picks, seed, weights=weights, first_pick=first_pick
    )
    if method == "blocked":
        return seeding_exact.blocked(begun, num_picks)
    if method == "plain":
        return seeding_exact.plain(begun, num_picks)
    if method == "greedy":
        return seeding_variants.greedy(begun, num_picks)
    return seeding_variants.afkmc2(begun, num_picks, chain_length)
