"""Refuses numbers that seeding cannot use, wherever they can be looked at."""

from typing import Any

import tensorflow as tf

from actcl_tf.contrast import gradient_embeddings


def check_seed(seed: tf.Tensor) -> tf.Tensor:
    """The seed as [2] int32.

    Raises:
      ValueError: other than two whole numbers.
    """
    given = tf.convert_to_tensor(seed)
    if not given.dtype.is_integer or not given.shape.is_compatible_with([2]):
        raise ValueError(
            f"seed must be two whole numbers, as in seed=[0, 1], got {given.dtype.name} of shape "
            f"{given.shape}"
        )
    return tf.cast(given, tf.int32)


def check(finite: tf.Tensor, eligible: tf.Tensor, weights: tf.Tensor | None) -> tf.Tensor | None:
    """Checks points and weights.

    Numbers are known when eager, and in a graph if they are constants.

    Args:
      finite: [N] bool, points all of whose numbers are finite.
      eligible: [N] bool, points that may be picked.
      weights: [N], or None for equal ones.

    Returns:
      [N] float32, the weights, or None.

    Raises:
      ValueError: shapes do not fit together, a weight is negative or not finite, or a point that
        may be picked is not finite.
    """
    if weights is not None:
        weights = tf.cast(tf.convert_to_tensor(weights), tf.float32)
    for name, values in (("eligible", eligible), ("weights", weights)):
        if values is not None and not values.shape.is_compatible_with(finite.shape):
            raise ValueError(
                f"{name} must have shape {finite.shape}, one a point, got {values.shape}"
            )
    known = None if weights is None else tf.get_static_value(weights)
    if known is not None:
        with tf.init_scope():  # In a graph of constants, too.
            wrong = tf.where(tf.logical_not((known >= 0.0) & tf.math.is_finite(known)))
            wrong = wrong[:, 0].numpy()
        if wrong.size:
            raise ValueError(
                "weights must be finite and not negative, got "
                f"{known[wrong[0]]} for point {wrong[0]} (wrong in {wrong.size} of {known.size})"
            )
    used = eligible if weights is None else tf.logical_and(eligible, weights > 0.0)
    known = tf.get_static_value(tf.logical_and(used, tf.logical_not(finite)))
    if known is not None and known.any():
        (wrong,) = known.nonzero()
        raise ValueError(
            f"points must be finite, got NaN or infinity in point {wrong[0]} ({wrong.size} of "
            f"{known.size}); leave such points out with eligible="
        )
    return weights


def check_candidates(
    eligible: tf.Tensor,
    features: tf.Tensor,
    last_layer: gradient_embeddings.LastLayer,
    queries: tf.Tensor,
) -> None:
    """Checks what gradients of candidates are made of, where it is known.

    Args:
      eligible: [N] bool, candidates that may be picked; the features of others may be anything.
      features: [N, d].
      last_layer: the layer that the candidates are seen through.
      queries: [M, D].

    Raises:
      ValueError: one of them is not finite.
    """
    known, used = _known(features), _known(eligible)
    if known is not None and used is not None:
        require_finite("features of candidates", tf.boolean_mask(known, used))
    layer = {f"{name} of the last layer": value for name, value in last_layer._asdict().items()}
    for name, value in {"queries": queries, **layer}.items():
        known = _known(value)
        if known is not None:
            require_finite(name, known)


def require_finite(name: str, values: tf.Tensor) -> None:
    """Raises ValueError if any of the values is NaN or infinite."""
    wrong = int(tf.math.count_nonzero(tf.logical_not(tf.math.is_finite(values))))
    if wrong:
        raise ValueError(
            f"{name} must be finite, got NaN or infinity in {wrong} of {tf.size(values)} numbers"
        )


def _known(value: Any) -> tf.Tensor | None:
    """The numbers of a tensor, variable or array; None in a graph that has yet to run."""
    return tf.convert_to_tensor(value) if tf.executing_eagerly() else None
