"""Points as they come or as outer products of two factors, and the squared distances between them.

Distances come out of two matrix products, so what counts is where the points are seen from: the
difference of two large products is as exact as these are. Points as they come are moved to their
mean first, and multiplied in float64: two of them are apart if their distance is more than about a
millionth of the largest. Factored points cannot be moved, without building them, and are multiplied
in float32: their squared distances are right to about 1e-6 of the sum of the two squared lengths,
and nothing below that is told from 0. So two of them are apart if their distance is more than about
a thousandth of their lengths; gradients of a loss are, for they lie around 0.
"""

from typing import NamedTuple

import tensorflow as tf

from actcl_tf.contrast import gradient_embeddings

AnyPoints = tf.Tensor | gradient_embeddings.GradientFactors

# Squared distances below this share of the two squared lengths are rounding, not distance.
_ROUNDING = 1e-6
_ROUNDING_64 = 1e-14
# Lengths below this count as 0: their inverse would overflow.
_SMALLEST = 1e-37
# Within these, squared lengths neither overflow nor vanish, and one pass measures all rows.
_LEAST_SQUARE, _MOST_SQUARE = 1e-25, 1e30
_INFINITY = float("inf")


class Points(NamedTuple):
    """Points in units in which the longest eligible one of all has length 1.

    Attributes:
      u: [n, D] float32, one factor as it came; float64 if the other one is ones alone.
      h: [n, d] float32, the other.
      norms: [n] float32, squared lengths in those units, in [0, 1]; 0 where not eligible.
      u_scale: float32 scalar; eligible rows of u times this have numbers of at most 1.
      h_scale: float32 scalar, likewise for h.
      unit: float32 scalar; the product of two points, each factor scaled, times this is in those
        units.
    """

    u: tf.Tensor
    h: tf.Tensor
    norms: tf.Tensor
    u_scale: tf.Tensor
    h_scale: tf.Tensor
    unit: tf.Tensor

    def take(self, indices: tf.Tensor) -> "Points":
        """The points of some indices [m] int32, all of them in range, in the same units."""
        rows = (tf.gather(table, indices) for table in self[:3])
        return Points(*rows, *self[3:])


def finite(points: AnyPoints) -> tf.Tensor:
    """Which points consist of numbers that are finite in float32: [N] bool.

    Raises:
      ValueError: the shapes do not fit together.
    """
    u, h = _factors(points)
    return tf.logical_and(*(_finite_rows(tf.cast(factor, tf.float32)) for factor in (u, h)))


def build_points(points: AnyPoints, eligible: tf.Tensor) -> Points:
    """Measures points, in units in which no product of two lengths overflows or vanishes.

    Args:
      points: [N, D], or their factors u [N, D] and h [N, d], where point n is outer(h[n], u[n]);
        floating.
      eligible: [N] bool, all of them `finite`; the other points count for nothing, and their
        distances are meaningless.

    Raises:
      ValueError: the shapes do not fit together.
    """
    u, h = _factors(points)
    if not u.shape[0] == eligible.shape[0]:
        raise ValueError(
            "u, h and eligible must have shapes [N, D], [N, d] and [N], got "
            f"{u.shape}, {h.shape} and {eligible.shape}"
        )
    if isinstance(points, gradient_embeddings.GradientFactors):
        return _measure(u, h, eligible)
    u = _around_mean(u, eligible)
    return _measure(u, h, eligible)._replace(u=u)


def squared_lengths(points: AnyPoints, eligible: tf.Tensor) -> tf.Tensor:
    """Squared lengths as seen from the origin, in units of the longest: [N] float32.

    Args:
      points: as of `build_points`.
      eligible: [N] bool; the length of the other points is 0.
    """
    return _measure(*_factors(points), eligible).norms


def _measure(u: tf.Tensor, h: tf.Tensor, eligible: tf.Tensor) -> Points:
    u, h = (tf.cast(factor, tf.float32) for factor in (u, h))

    def measure(factor: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        squares = _squares(factor)
        top = tf.reduce_max(tf.where(eligible, squares, 0.0))

        def usual() -> tuple[tf.Tensor, tf.Tensor]:
            scale = tf.math.rsqrt(top)
            return squares * scale * scale, scale

        def extreme() -> tuple[tf.Tensor, tf.Tensor]:
            largest = tf.reduce_max(tf.abs(factor), axis=1)
            scale = _inverse(tf.reduce_max(tf.where(eligible, largest, 0.0)))
            return _squares(factor * scale), scale

        is_usual = tf.logical_and(top > _LEAST_SQUARE, top < _MOST_SQUARE)
        squares, scale = tf.cond(is_usual, usual, extreme)
        return tf.where(eligible, squares, 0.0), scale

    (u_norms, u_scale), (h_norms, h_scale) = measure(u), measure(h)
    norms = u_norms * h_norms
    unit = _inverse(tf.reduce_max(norms))
    return Points(u=u, h=h, norms=norms * unit, u_scale=u_scale, h_scale=h_scale, unit=unit)


def squared_distances(left: Points, right: Points) -> tf.Tensor:
    """Squared distances between m points and n others, by two matrix products.

    |g_i - g_j|^2 = |u_i|^2 |h_i|^2 + |u_j|^2 |h_j|^2 - 2 (u_i.u_j)(h_i.h_j); what is within
    rounding of 0, or below, is 0.

    Args:
      left: m points.
      right: n points in the same units; better the fewer, since they are copied.

    Returns:
      [m, n] float32, finite and not negative, whatever the points are.
    """
    if left.u.dtype == tf.float64:
        return _squared_distances_64(left, right)
    # Scaled once before the sums and once after, neither overflows.
    u_products = tf.matmul(left.u, right.u * right.u_scale, transpose_b=True) * right.u_scale
    h_products = tf.matmul(left.h, right.h * right.h_scale, transpose_b=True) * right.h_scale
    products = u_products * (h_products * right.unit)
    sums = left.norms[:, tf.newaxis] + right.norms
    squared = sums - 2.0 * products
    known = tf.logical_and(squared > _ROUNDING * sums, squared < _INFINITY)
    return tf.where(known, squared, 0.0)


def _squared_distances_64(left: Points, right: Points) -> tf.Tensor:
    """As `squared_distances`, of points as they come."""
    sums = _squares(left.u)[:, tf.newaxis] + _squares(right.u)
    squared = sums - 2.0 * tf.matmul(left.u, right.u, transpose_b=True)
    known = tf.logical_and(squared > _ROUNDING_64 * sums, squared < _INFINITY)
    scale = tf.cast(right.u_scale, tf.float64)
    in_units = tf.cast(squared * scale * scale, tf.float32) * right.unit
    return tf.where(tf.logical_and(known, in_units < _INFINITY), in_units, 0.0)


def _factors(points: AnyPoints) -> tuple[tf.Tensor, tf.Tensor]:
    """Both factors; of points as they come, the second is [N, 1] ones."""
    if not isinstance(points, gradient_embeddings.GradientFactors):
        points = tf.convert_to_tensor(points)
        if points.shape.rank != 2:
            raise ValueError(f"points must have shape [N, D], got {points.shape}")
        if points.shape[0] == 0:
            raise ValueError(f"points [N, D] must be one at least, got {points.shape}")
        if not points.dtype.is_floating:
            raise ValueError(f"points must be floating, got {points.dtype.name}: cast them")
        return points, tf.ones_like(points[:, :1])
    u, h = (tf.convert_to_tensor(factor) for factor in points)
    if u.shape.rank != 2 or h.shape.rank != 2 or u.shape[0] != h.shape[0]:
        raise ValueError(
            "u, h and eligible must have shapes [N, D], [N, d] and [N], got "
            f"{u.shape}, {h.shape} and [{u.shape[0] if u.shape.rank else ''}]"
        )
    return u, h


def _around_mean(points: tf.Tensor, eligible: tf.Tensor) -> tf.Tensor:
    """Half the points [N, D] less the mean of the eligible ones, in float64.

    Half, so that the difference of the two largest numbers of float32 is one of them; the unit of
    distances is another one anyway.
    """
    halves = 0.5 * tf.cast(points, tf.float64)
    known = tf.where(eligible[:, tf.newaxis], halves, tf.zeros_like(halves))
    count = tf.maximum(tf.math.count_nonzero(eligible, dtype=tf.int32), 1)
    return halves - tf.reduce_sum(known, axis=0) / tf.cast(count, tf.float64)


def _squares(factor: tf.Tensor) -> tf.Tensor:
    """Squared lengths [N] of rows; what else is asked of rows is asked of these where they tell."""
    return tf.reduce_sum(tf.square(factor), axis=1)


def _finite_rows(factor: tf.Tensor) -> tf.Tensor:
    known = tf.math.is_finite(_squares(factor))
    return tf.cond(
        tf.reduce_all(known),
        lambda: known,
        lambda: tf.reduce_all(tf.math.is_finite(factor), axis=1),  # Squares overflow early.
    )


def _inverse(value: tf.Tensor) -> tf.Tensor:
    """1 / value, or 0 where there is nothing to divide by."""
    known = value > _SMALLEST
    return tf.where(known, 1.0 / tf.where(known, value, 1.0), 0.0)
