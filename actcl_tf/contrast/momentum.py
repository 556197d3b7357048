"""The momentum update that makes the key encoders slow copies of the query encoders."""

import math
from collections.abc import Sequence

import tensorflow as tf


def momentum_at(step: tf.Tensor, base: float, schedule: str, total_steps: int) -> tf.Tensor:
    """Momentum at a step.

    Args:
      step: int scalar, steps done.
      base: momentum at step 0, in [0, 1].
      schedule: "constant", or "cosine" from `base` at step 0 to 1 at `total_steps`.
      total_steps: steps of the whole run.

    Returns:
      float32 scalar.
    """
    if schedule == "constant":
        return tf.constant(base, tf.float32)
    done = tf.minimum(tf.cast(step, tf.float32) / float(total_steps), 1.0)
    return 1.0 - (1.0 - base) * 0.5 * (1.0 + tf.cos(math.pi * done))


def update_key_encoder(
    key_variables: Sequence[tf.Variable],
    query_variables: Sequence[tf.Variable],
    momentum: tf.Tensor,
) -> None:
    """theta_k <- m theta_k + (1 - m) theta_q, variable by variable, on every replica.

    Args:
      key_variables: trainable variables of the key encoder.
      query_variables: those of the query encoder, in the same order.
      momentum: float32 scalar in [0, 1].

    Raises:
      ValueError: the two lists do not match in length or shapes.

    Example:
      >>> query, key = tf.Variable([1.0, 2.0]), tf.Variable([0.0, 0.0])
      >>> actcl_tf.update_key_encoder([key], [query], tf.constant(0.75))
      >>> key.numpy()
      array([0.25, 0.5 ], dtype=float32)
    """
    _require_same_shapes(key_variables, query_variables)

    def update_all(strategy: tf.distribute.Strategy, momentum: tf.Tensor) -> None:
        for key, query in zip(key_variables, query_variables, strict=True):
            strategy.extended.update(key, _move, args=(query, momentum), group=False)

    tf.distribute.get_replica_context().merge_call(update_all, args=(momentum,))


def update_key_statistics(
    key_variables: Sequence[tf.Variable],
    query_variables: Sequence[tf.Variable],
    momentum: tf.Tensor,
) -> None:
    """The same for moving statistics, of which each replica has its own.

    Args:
      key_variables: non-trainable variables of the key encoder.
      query_variables: those of the query encoder, in the same order.
      momentum: float32 scalar in [0, 1].

    Raises:
      ValueError: the two lists do not match in length or shapes.
    """
    _require_same_shapes(key_variables, query_variables)
    for key, query in zip(key_variables, query_variables, strict=True):
        _move(key, query, momentum)


def _require_same_shapes(
    key_variables: Sequence[tf.Variable], query_variables: Sequence[tf.Variable]
) -> None:
    shapes = [[v.shape for v in variables] for variables in (key_variables, query_variables)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            "key and query encoder must have the same variables in the same order, got "
            f"{len(key_variables)} and {len(query_variables)} variables or other shapes"
        )


def _move(key: tf.Variable, query: tf.Tensor, momentum: tf.Tensor) -> None:
    # One pass for the scaling and the assignment; `handle` is this replica's own copy.
    tf.raw_ops.ResourceApplyGradientDescent(
        var=key.handle,
        alpha=tf.cast(1.0 - momentum, key.dtype),
        delta=key - tf.convert_to_tensor(query),
    )
