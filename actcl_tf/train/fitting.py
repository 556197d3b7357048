"""Keras' `fit` over the steps of a run, wherever it starts: what all kinds of training share."""

from collections.abc import Sequence
from typing import Callable, Optional

import tensorflow as tf

from actcl_tf.train import epochs
from actcl_tf.train.callbacks import save_checkpoints, scalar_log
from actcl_tf.train.callbacks.progress import Progress

_CallbackList = tf.keras.callbacks.CallbackList
Explain = Callable[[tf.errors.OpError, int], Optional[Exception]]


def fit(
    model: tf.keras.Model,
    make_dataset: Callable[..., tf.data.Dataset],
    *,
    last: int,
    steps_per_epoch: int,
    progress: Progress,
    log: scalar_log.ScalarLog,
    saver: save_checkpoints.SaveCheckpoints,
    explain: Explain,
    steps_per_execution: int = 1,
    extras: Callable[[], Sequence[tf.keras.callbacks.Callback]] = tuple,
) -> None:
    """Trains from the model's step on.

    Args:
      model: compiled, with a variable `step`.
      make_dataset: start_step -> endless batches from that step on.
      last: step to end at.
      steps_per_epoch: steps of a whole epoch.
      progress: the bar; closed at the end.
      log: of the scalars; flushed at the end.
      saver: of checkpoints; comes last in each step, so that it saves what the others did.
      explain: (TensorFlow's error, steps done) -> what to raise instead; None for nothing better.
      steps_per_execution: that the model was compiled with.
      extras: gives further callbacks; called when the data is sure to be read.

    Raises:
      errors.Interrupted: SIGTERM or SIGINT came and the state was saved.
      RuntimeError: the batches came to an end before the steps did.
    """
    try:
        every = [progress, log, *extras(), saver]
        start = int(model.step.numpy())
        for part in epochs.fit_parts(start, last, steps_per_epoch, steps_per_execution):
            model.fit(
                make_dataset(start_step=part.start),
                initial_epoch=part.initial_epoch,
                epochs=part.epochs,
                steps_per_epoch=part.steps_per_epoch,
                callbacks=_callbacks(model, every),
                verbose=0,
            )
            done = int(model.step.numpy())
            if done != part.start + part.steps_per_epoch * (part.epochs - part.initial_epoch):
                raise RuntimeError(f"the data ended at step {done} of {last}; it must be endless")
    except tf.errors.OpError as error:
        told = explain(error, int(model.step.numpy()))
        if told is None:
            raise
        raise told from error
    finally:
        progress.close()
        saver.restore_signals()
        log.writer.flush()


def _callbacks(
    model: tf.keras.Model, callbacks: Sequence[tf.keras.callbacks.Callback]
) -> _CallbackList:
    """These alone: Keras' own history would grow with every epoch, and nobody reads it."""
    return _CallbackList(callbacks, add_history=False, add_progbar=False, model=model, verbose=0)
