"""The scalars of a step as one vector: what Keras' `fit` hands to callbacks, read when wanted.

A step has some forty scalars. One by one, each would be wrapped in Python at every step, whether or
not anything looks at it, and would be reduced over replicas on its own.
"""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

_VALUES = "values"


class PackedLogsModel(tf.keras.Model):
    """A model whose `train_step` returns scalars, and whose `fit` packs them."""

    _log_names: tuple[str, ...] = ()

    def make_train_function(self, force: bool = False) -> Callable[[Any], dict[str, tf.Tensor]]:
        """As of Keras; the function returns one vector instead of many scalars."""
        if self.train_function is not None and not force:
            return self.train_function
        step = super().make_train_function(force)
        if self.run_eagerly:
            return step

        @tf.function(reduce_retracing=True, autograph=False)
        def packed_step(iterator: Any) -> dict[str, tf.Tensor]:
            logs = step(iterator)
            self._log_names = tuple(logs)
            return {_VALUES: tf.stack([tf.cast(value, tf.float32) for value in logs.values()])}

        self.train_tf_function = self.train_function = packed_step
        return packed_step


def read(model: tf.keras.Model, logs: Mapping[str, Any]) -> dict[str, float]:
    """The scalars that a callback was given, by name.

    Args:
      model: that is trained.
      logs: of the callback, packed or not.
    """
    if _VALUES in logs:
        values = logs[_VALUES].numpy() if tf.is_tensor(logs[_VALUES]) else logs[_VALUES]
        return dict(zip(model._log_names, map(float, values), strict=True))
    return {name: float(value) for name, value in logs.items()}
