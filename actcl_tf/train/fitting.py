"""Keras' `fit` over the steps of a run, wherever it starts: what all kinds of training share."""

import contextlib
from collections.abc import Callable, Sequence

import tensorflow as tf

from actcl_tf.train import epochs
from actcl_tf.train.callbacks.step_callback import StepCallback


def fit(
    model: tf.keras.Model,
    make_dataset: Callable[..., tf.data.Dataset],
    callbacks: Sequence[tf.keras.callbacks.Callback],
    *,
    last: int,
    steps_per_epoch: int,
    steps_per_execution: int = 1,
) -> None:
    """Trains from the model's step on, and closes the callbacks whatever ends that.

    Args:
      model: compiled, with a variable `step`.
      make_dataset: start_step -> endless batches from that step on.
      callbacks: in the order of their turns; what saves checkpoints comes last, so that it saves
        what the others did.
      last: step to end at.
      steps_per_epoch: steps of a whole epoch.
      steps_per_execution: that the model was compiled with.

    Raises:
      errors.Interrupted: SIGTERM or SIGINT came and the state was saved.
      RuntimeError: the batches came to an end before the steps did.
    """
    with contextlib.ExitStack() as stack:
        for each in callbacks:
            if isinstance(each, StepCallback):
                stack.callback(each.close)
        start = int(model.step.numpy())
        for part in epochs.fit_parts(start, last, steps_per_epoch, steps_per_execution):
            # These alone: Keras' own history would grow with every epoch, and nobody reads it.
            given = tf.keras.callbacks.CallbackList(
                callbacks, add_history=False, add_progbar=False, model=model, verbose=0
            )
            # Or Keras warns that evaluations, pictures and checkpoints take longer than a step.
            given._check_timing = False
            model.fit(
                make_dataset(start_step=part.start),
                initial_epoch=part.initial_epoch,
                epochs=part.epochs,
                steps_per_epoch=part.steps_per_epoch,
                callbacks=given,
                verbose=0,
            )
            done = int(model.step.numpy())
            if done != part.start + part.steps_per_epoch * (part.epochs - part.initial_epoch):
                raise RuntimeError(f"the data ended at step {done} of {last}; it must be endless")
