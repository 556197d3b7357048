"""Optimizers with warm-up, schedule and weight decay that leaves norms and biases alone.

TensorFlow Addons is used here and nowhere else, where it is installed.
"""

import importlib.util
import math
import warnings
from collections.abc import Sequence

import tensorflow as tf

from actcl_tf import config
from actcl_tf.train.model import lamb

# Regular expressions on variable names: batch normalisation and biases are not decayed.
NOT_DECAYED = [r"(^|/)(gamma|beta|bias)(:0)?$"]


class WarmupSchedule(tf.keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up from 0 to the peak, then constant or a half cosine down to 0."""

    def __init__(self, peak: float, warmup_steps: int, total_steps: int, schedule: str):
        """Makes a schedule.

        Args:
          peak: the learning rate after warm-up.
          warmup_steps: steps of the warm-up; 0 starts at the peak.
          total_steps: steps of the whole run; the cosine ends there.
          schedule: "constant" or "cosine".
        """
        super().__init__()
        self._peak = peak
        self._warmup_steps = warmup_steps
        self._total_steps = total_steps
        self._schedule = schedule

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Learning rate of the step after `step` steps, float32 scalar."""
        step = tf.cast(step, tf.float32)
        # The first step is step 0 and should move the weights: count it as done.
        warmup = tf.minimum((step + 1.0) / max(self._warmup_steps, 1), 1.0)
        rate = self._peak * warmup
        if self._schedule == "cosine":
            span = max(self._total_steps - self._warmup_steps, 1)
            done = tf.clip_by_value((step - self._warmup_steps) / span, 0.0, 1.0)
            rate *= 0.5 * (1.0 + tf.cos(math.pi * done))
        return rate

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            "peak": self._peak,
            "warmup_steps": self._warmup_steps,
            "total_steps": self._total_steps,
            "schedule": self._schedule,
        }


class _OneKernelUpdate:
    """Mixed into Keras' Adam or AdamW: the update of a variable in one kernel.

    Keras 2.15 makes it of some fifteen operations, each of which passes over the variable. The
    state is Keras' own, under its names and in its order: checkpoints of the one serve the other.
    """

    def _apply_weight_decay(self, variables: Sequence[tf.Variable]) -> None:
        """Left to `update_step`: Keras asks for it before the updates."""

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
        """Decays a variable, then moves it and its moments; called by Keras.

        Args:
          gradient: [...] of the variable's dtype; IndexedSlices are left to Keras.
          variable: one of those that the optimizer was built for.
        """
        rate = tf.cast(self.learning_rate, variable.dtype)
        if self.weight_decay is not None and self._use_weight_decay(variable):
            # The factors first: one pass over the variable less.
            variable.assign_sub(variable * (rate * tf.cast(self.weight_decay, variable.dtype)))
        if self.amsgrad or isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable)
            return
        index = self._index_dict[self._var_key(variable)]
        step = tf.cast(self.iterations + 1, variable.dtype)
        beta_1, beta_2 = (tf.cast(beta, variable.dtype) for beta in (self.beta_1, self.beta_2))
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].handle,
            v=self._velocities[index].handle,
            beta1_power=tf.pow(beta_1, step),
            beta2_power=tf.pow(beta_2, step),
            lr=rate,
            beta1=beta_1,
            beta2=beta_2,
            epsilon=tf.cast(self.epsilon, variable.dtype),
            grad=gradient,
        )


class Adam(_OneKernelUpdate, tf.keras.optimizers.Adam):
    """`tf.keras.optimizers.Adam`, quicker."""


class AdamW(_OneKernelUpdate, tf.keras.optimizers.AdamW):
    """`tf.keras.optimizers.AdamW`, quicker."""


def build_optimizer(train: config.TrainConfig, precision: str) -> tf.keras.optimizers.Optimizer:
    """The optimizer that a configuration asks for.

    Args:
      train: the training section.
      precision: Keras policy; mixed_float16 wraps the optimizer in dynamic loss scaling.

    Returns:
      A Keras optimizer whose learning rate is a WarmupSchedule. Adam and SGD add the decay to the
      update (decoupled), as AdamW does.
    """
    rate = WarmupSchedule(
        train.learning_rate, train.warmup_steps, train.steps, train.learning_rate_schedule
    )
    decay = train.weight_decay or None
    if train.optimizer == "adam":
        optimizer = Adam(rate, weight_decay=decay)
    elif train.optimizer == "adamw":
        optimizer = AdamW(rate, weight_decay=train.weight_decay)
    elif train.optimizer == "sgd":
        optimizer = tf.keras.optimizers.SGD(rate, momentum=0.9, weight_decay=decay)
    elif train.optimizer == "lamb":
        optimizer = _lamb()(
            rate,
            weight_decay=train.weight_decay,
            exclude_from_weight_decay=NOT_DECAYED,
            exclude_from_layer_adaptation=NOT_DECAYED,
        )
    else:
        raise config.ConfigError(
            f"--optimizer={train.optimizer}: must be one of {', '.join(config.OPTIMIZERS)}"
        )
    if train.optimizer != "lamb":
        optimizer.exclude_from_weight_decay(var_names=NOT_DECAYED)
    if precision == "mixed_float16":
        optimizer = tf.keras.mixed_precision.LossScaleOptimizer(optimizer)
    return optimizer


def _lamb() -> type:
    """TensorFlow Addons' LAMB, or ours where Addons cannot be installed: Python 3.12 and later."""
    if importlib.util.find_spec("tensorflow_addons") is None:
        return lamb.LAMB
    with warnings.catch_warnings():  # On import, it warns of its project's end.
        warnings.simplefilter("ignore")
        import tensorflow_addons as tfa
    return tfa.optimizers.LAMB
