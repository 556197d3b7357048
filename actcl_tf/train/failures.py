"""What stopped training, in words: TensorFlow's errors name operations, and no files."""

from typing import Optional

import tensorflow as tf

from actcl_tf import config
from actcl_tf.data import data_service, media_reader, records, shards


class NonFiniteError(ArithmeticError):
    """NaN or infinity turned up; the message names the first bad quantity and the step."""


class ReplicasDifferError(RuntimeError):
    """Replicas hold other values than each other; the message names them and the step."""


def explain(
    error: tf.errors.OpError, data: config.DataConfig, split: str, step: int
) -> Optional[Exception]:
    """The error to raise instead of TensorFlow's.

    Args:
      error: what stopped training.
      data: data section of the run's configuration.
      split: that was trained on.
      step: steps done before.

    Returns:
      A records.DataError or a NonFiniteError whose message says what is wrong and what to do; None
      where nothing better is known than what TensorFlow says.
    """
    if isinstance(error, tf.errors.DataLossError):
        damage = shards.find_damage(data.data_dir, split)
        return records.DataError(
            damage or f"{data.data_dir}: a record cannot be read: {error.message}"
        )
    told = data_service.message_of(error) or media_reader.message_of(error)
    if told:
        return records.DataError(told)
    quantity = _non_finite_quantity(error)
    if quantity is None:
        return None
    return NonFiniteError(
        f"{quantity}: NaN or infinity at step {step + 1}; the run was stopped and its last good "
        f"checkpoint kept. A lower --learning_rate, --clip_norm=1 or --precision=float32 may help"
    )


def _non_finite_quantity(error: tf.errors.OpError) -> Optional[str]:
    """What a failed numerics check names, or None for another error."""
    for line in str(error.message).splitlines():
        if "Tensor had" in line:
            return line.split(" : Tensor had")[0].strip()
    return None
