"""k-means++ seeding (D^2 sampling) on points given as outer products of two factors."""

import tensorflow as tf

from actcl_tf.contrast import gradient_embeddings


def draw(weights: tf.Tensor, eligible: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draws one index with probability proportional to its weight, by an exponential race.

    Args:
      weights: [N] float32, not negative; weights of all zero stand for all equal.
      eligible: [N] bool; only these can be drawn, and there must be one for the draw to mean
        anything.
      seed: [2] int32, stateless seed.

    Returns:
      int32 scalar.
    """
    weights = tf.where(eligible, weights, 0.0)
    none = tf.reduce_max(weights) <= 0.0
    weights = tf.where(tf.logical_and(none, eligible), 1.0, weights)
    # Exponential times with the weights as rates: the first to ring is the draw. Weights of zero
    # never ring; the logarithm of the time keeps tiny and huge weights in range.
    log_time = tf.math.log(-tf.math.log1p(-uniform(tf.shape(weights), seed)))
    return tf.argmin(log_time - tf.math.log(weights), output_type=tf.int32)


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


def kmeanspp_seeds(
    factors: gradient_embeddings.GradientFactors,
    eligible: tf.Tensor,
    num_picks: int,
    seed: tf.Tensor,
) -> tf.Tensor:
    """Picks points by k-means++ seeding (Arthur and Vassilvitskii 2007), without repetition.

    The first pick is uniform among the eligible; each further one is drawn with probability
    proportional to its squared distance from the nearest pick so far. Distances come from
    |g_i - g_j|^2 = |u_i|^2|h_i|^2 + |u_j|^2|h_j|^2 - 2 (u_i.u_j)(h_i.h_j), clipped at 0, so that
    no point is ever built. Where all distances are 0 the draw is uniform among the eligible.

    Args:
      factors: u [N, D] and h [N, d] float32; point n is outer(h[n], u[n]).
      eligible: [N] bool, points that may be picked.
      num_picks: M, static.
      seed: [2] int32, stateless seed.

    Returns:
      [M] int32 indices; where fewer than M points are eligible, those come first and the rest
      are -1.
    """
    u, h = factors
    norms = gradient_embeddings.squared_norms(factors)
    # Points are scaled to a largest length of 1, so that no square overflows or vanishes.
    largest = tf.reduce_max(tf.where(eligible, norms, 0.0))
    norms = tf.where(largest > 0.0, norms / largest, 0.0)
    scale = tf.where(largest > 0.0, 1.0 / largest, 0.0)

    def pick(step: tf.Tensor, distances: tf.Tensor, free: tf.Tensor, picks: tf.Tensor) -> tuple:
        index = draw(distances, free, seed + tf.stack([0, step]))
        any_free = tf.reduce_any(free)
        dot = tf.linalg.matvec(u, tf.gather(u, index)) * tf.linalg.matvec(h, tf.gather(h, index))
        to_new = tf.maximum(norms + tf.gather(norms, index) - 2.0 * dot * scale, 0.0)
        first = tf.equal(step, 0)
        distances = tf.where(first, to_new, tf.minimum(distances, to_new))
        free = tf.logical_and(free, tf.range(tf.shape(free)[0]) != index)
        chosen = tf.where(any_free, index, -1)
        picks = tf.tensor_scatter_nd_update(picks, [[step]], [chosen])
        return step + 1, distances, free, picks

    state = (tf.constant(0), tf.zeros_like(norms), eligible, tf.fill([num_picks], -1))
    return tf.while_loop(
        lambda step, *_: step < num_picks, pick, state, maximum_iterations=num_picks
    )[-1]
