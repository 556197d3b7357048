"""LAMB for a Python that TensorFlow Addons has no package for."""

import re
from collections.abc import Sequence
from typing import Any

import tensorflow as tf


class LAMB(tf.keras.optimizers.legacy.Optimizer):
    """Layer-wise adaptive moments (You et al., ICLR 2020, algorithm 2), without momentum schedules.

    The state has TensorFlow Addons' names and order: checkpoints of the one serve the other.
    """

    def __init__(
        self,
        learning_rate: tf.keras.optimizers.schedules.LearningRateSchedule,
        weight_decay: float,
        exclude_from_weight_decay: Sequence[str],
        exclude_from_layer_adaptation: Sequence[str],
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-6,
        name: str = "LAMB",
    ) -> None:
        """Describes the optimizer.

        Args:
          learning_rate: of each step.
          weight_decay: added to the update as a share of the variable.
          exclude_from_weight_decay: regular expressions on the names of variables.
          exclude_from_layer_adaptation: likewise; their updates keep their length.
          beta_1: of the moving average of gradients.
          beta_2: of the moving average of their squares.
          epsilon: keeps the quotient of both finite.
          name: of the optimizer.
        """
        super().__init__(name)
        self._set_hyper("weight_decay", weight_decay)
        self._set_hyper("learning_rate", learning_rate)
        self._set_hyper("decay", self._initial_decay)
        self._set_hyper("beta_1", beta_1)
        self._set_hyper("beta_2", beta_2)
        self.epsilon = epsilon
        self._not_decayed = list(exclude_from_weight_decay)
        self._not_adapted = list(exclude_from_layer_adaptation)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        hypers = ("learning_rate", "weight_decay", "beta_1", "beta_2")
        return {
            **super().get_config(),
            **{name: self._serialize_hyperparameter(name) for name in hypers},
            "epsilon": self.epsilon,
            "exclude_from_weight_decay": self._not_decayed,
            "exclude_from_layer_adaptation": self._not_adapted,
        }

    def _create_slots(self, var_list: Sequence[tf.Variable]) -> None:
        for slot in ("m", "v"):
            for variable in var_list:
                self.add_slot(variable, slot)

    def _resource_apply_dense(
        self, grad: tf.Tensor, var: tf.Variable, apply_state: dict | None = None
    ) -> tf.Operation:
        """Moves a variable and its moments; called by Keras."""
        place = var.device, var.dtype.base_dtype
        state = (apply_state or {}).get(place) or self._fallback_apply_state(*place)
        dtype = var.dtype.base_dtype
        beta_1, beta_2 = self._get_hyper("beta_1", dtype), self._get_hyper("beta_2", dtype)
        mean, square = self.get_slot(var, "m"), self.get_slot(var, "v")
        new_mean = mean.assign(mean * beta_1 + grad * (1 - beta_1))
        new_square = square.assign(square * beta_2 + grad * grad * (1 - beta_2))
        step = tf.cast(self.iterations + 1, dtype)
        new_mean = new_mean / (1 - tf.pow(beta_1, step))
        new_square = new_square / (1 - tf.pow(beta_2, step))
        update = new_mean / (tf.sqrt(new_square) + self.epsilon)
        if not _matches(var, self._not_decayed):
            update += self._get_hyper("weight_decay", dtype) * var
        rate = state["lr_t"]
        if not _matches(var, self._not_adapted):
            length, reach = tf.norm(var), tf.norm(update)
            rate *= tf.where((length > 0) & (reach > 0), length / reach, 1.0)
        return var.assign_sub(rate * update)


def _matches(variable: tf.Variable, patterns: Sequence[str]) -> bool:
    return any(re.search(pattern, variable.name) for pattern in patterns)
