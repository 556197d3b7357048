"""From gradients to weights: summed over replicas, checked, clipped and applied."""

from collections.abc import Sequence

import tensorflow as tf

from actcl_tf.train.model import replicas, scalar_names


def make_slots(optimizer: tf.keras.optimizers.Optimizer, variables: Sequence[tf.Variable]) -> None:
    """Makes an optimizer's own variables, so that a checkpoint restores them at once."""
    if not isinstance(optimizer, tf.keras.optimizers.legacy.Optimizer):
        optimizer.build(variables)


def sum_and_clip(
    gradients: Sequence[tf.Tensor],
    clip_norm: float,
    may_overflow: bool | tf.Tensor = False,
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Sums gradients over replicas and clips them.

    Args:
      gradients: of this replica's part of the loss.
      clip_norm: largest global norm; 0 for no clipping.
      may_overflow: whether a norm that is not finite is no error.

    Returns:
      The gradients of the whole loss, and their global norm before clipping.
    """
    gradients = replicas.sum_over(gradients)
    norm = tf.linalg.global_norm(gradients)
    checked = tf.debugging.check_numerics(tf.where(may_overflow, 0.0, norm), "gradient")
    with tf.control_dependencies([checked]):
        if clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, clip_norm, use_norm=norm)
        return [tf.identity(gradient) for gradient in gradients], tf.identity(norm)


def apply_summed(
    optimizer: tf.keras.optimizers.Optimizer,
    gradients: Sequence[tf.Tensor],
    variables: Sequence[tf.Variable],
) -> None:
    """Applies gradients that are summed over replicas already."""
    # Each kind of optimizer has its own word for that.
    if isinstance(optimizer, tf.keras.optimizers.legacy.Optimizer):
        already_summed = {"experimental_aggregate_gradients": False}
    else:
        already_summed = {"skip_gradients_aggregation": True}
    optimizer.apply_gradients(zip(gradients, variables, strict=True), **already_summed)


class LossScaling:
    """What mixed_float16 needs around an optimizer; does nothing around one that scales no loss.

    Attributes:
      skipped_steps: int64 variable, steps that were skipped; None without scaling.
    """

    def __init__(self, optimizer: tf.keras.optimizers.Optimizer):
        """Makes the counter, if there is something to count."""
        self._optimizer = optimizer
        scales = hasattr(optimizer, "get_scaled_loss")
        self.skipped_steps = replicas.counter(0, "skipped_steps") if scales else None

    def scale(self, loss: tf.Tensor) -> tf.Tensor:
        """The loss that gradients are taken of."""
        return loss if self.skipped_steps is None else self._optimizer.get_scaled_loss(loss)

    def update(
        self, gradients: list[tf.Tensor], variables: Sequence[tf.Variable], clip_norm: float
    ) -> tf.Tensor:
        """One step of the optimizer.

        A scaled loss may overflow: such a step is skipped and the scale halved, down to 1.

        Args:
          gradients: of this replica's part of the scaled loss, for each of `variables`.
          variables: that are trained.
          clip_norm: largest global norm; 0 for no clipping.

        Returns:
          The global norm of the whole gradient.
        """
        may_overflow: bool | tf.Tensor = False
        if self.skipped_steps is not None:
            gradients = self._optimizer.get_unscaled_gradients(gradients)
            may_overflow = self._optimizer.loss_scale > 1.0
        gradients, norm = sum_and_clip(gradients, clip_norm, may_overflow)
        if self.skipped_steps is not None:
            is_skipped = tf.logical_not(tf.math.is_finite(norm))
            self.skipped_steps.assign_add(tf.cast(is_skipped, self.skipped_steps.dtype))
        apply_summed(self._optimizer, gradients, variables)
        return norm

    def scalars(self) -> dict[str, tf.Tensor]:
        """The scale and the steps skipped; empty without scaling."""
        if self.skipped_steps is None:
            return {}
        skipped = self.skipped_steps.read_value()
        return {
            scalar_names.LOSS_SCALE: tf.cast(self._optimizer.loss_scale, tf.float32),
            scalar_names.SKIPPED_STEPS: tf.cast(skipped, tf.float32),
        }
