"""Points given as outer products of two factors, and the squared distances between them."""

from typing import NamedTuple

import tensorflow as tf

from actcl_tf.contrast import gradient_embeddings

# Squared distances below this share of the two squared lengths are rounding, not distance.
_ROUNDING = 1e-6


class Points(NamedTuple):
    """Points in units in which the longest eligible one of all has length 1.

    Attributes:
      u: [n, D] float32, one factor as it came.
      h: [n, d] float32, the other.
      norms: [n] float32, squared lengths in those units, in [0, 1] where eligible.
      u_scale: float32 scalar; a product of two rows of u times this is in those units.
      h_scale: float32 scalar, likewise for h.
    """

    u: tf.Tensor
    h: tf.Tensor
    norms: tf.Tensor
    u_scale: tf.Tensor
    h_scale: tf.Tensor

    def take(self, indices: tf.Tensor) -> "Points":
        """The points of some indices [m] int32, all of them in range, in the same units."""
        rows = (tf.gather(table, indices) for table in self[:3])
        return Points(*rows, self.u_scale, self.h_scale)


def build_points(factors: gradient_embeddings.GradientFactors, eligible: tf.Tensor) -> Points:
    """Measures points, in units in which no product of two lengths overflows or vanishes.

    Args:
      factors: u [N, D] and h [N, d], floating, rows of length 1e-15 to 1e15 or 0; point n is
        outer(h[n], u[n]).
      eligible: [N] bool; the other points count for nothing.

    Raises:
      ValueError: the shapes do not fit together.
    """
    u, h = (tf.cast(factor, tf.float32) for factor in factors)
    if u.shape.rank != 2 or h.shape.rank != 2 or not u.shape[0] == h.shape[0] == eligible.shape[0]:
        raise ValueError(
            "u, h and eligible must have shapes [N, D], [N, d] and [N], got "
            f"{u.shape}, {h.shape} and {eligible.shape}"
        )

    def measure(factor: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        squares = tf.where(eligible, tf.reduce_sum(tf.square(factor), axis=1), 0.0)
        scale = _inverse(tf.reduce_max(squares))
        return squares * scale, scale

    (u_norms, u_scale), (h_norms, h_scale) = measure(u), measure(h)
    norms = u_norms * h_norms
    rest = _inverse(tf.reduce_max(norms))
    return Points(u, h, norms * rest, u_scale * rest, h_scale)


def squared_distances(left: Points, right: Points) -> tf.Tensor:
    """Squared distances between m points and n others, by two matrix products.

    |g_i - g_j|^2 = |u_i|^2 |h_i|^2 + |u_j|^2 |h_j|^2 - 2 (u_i.u_j)(h_i.h_j); what is within
    rounding of 0, or below, is 0.

    Args:
      left: m points.
      right: n points in the same units; better the fewer, since they are copied.

    Returns:
      [m, n] float32, not negative.
    """
    products = tf.matmul(left.u, right.u * right.u_scale, transpose_b=True)
    products *= tf.matmul(left.h, right.h * right.h_scale, transpose_b=True)
    sums = left.norms[:, tf.newaxis] + right.norms
    squared = sums - 2.0 * products
    return tf.where(squared > _ROUNDING * sums, squared, 0.0)


def _inverse(value: tf.Tensor) -> tf.Tensor:
    """1 / value, or 0 where there is nothing to divide by."""
    return tf.math.divide_no_nan(1.0, value)
