"""Profiles a few steps of a run for TensorBoard."""

import pathlib

import tensorflow as tf

from actcl_tf.train.callbacks import step_callback


class ProfileSteps(step_callback.StepCallback):
    """Records what the devices and the input pipeline do from one step to another."""

    def __init__(self, logdir: pathlib.Path, first: int, last: int):
        """Takes which steps; nothing runs yet.

        Args:
          logdir: folder of TensorBoard's files.
          first: first step to record, counted from 1.
          last: last step to record.
        """
        super().__init__()
        self._logdir = pathlib.Path(logdir)
        self._first = first
        self._last = last
        self._runs = False

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Starts at the first step, or where a run goes on between the two."""
        super().on_train_batch_begin(batch, logs)
        if not self._runs and self._first <= self.step + 1 <= self._last:
            self._runs = True
            tf.profiler.experimental.start(str(self._logdir))

    def on_step(self, logs: dict | None) -> None:
        """Ends after the last step."""
        if self._runs and self.step >= self._last:
            self.close()

    def on_train_end(self, logs: dict | None = None) -> None:
        """Ends with the training."""
        self.close()

    def close(self) -> None:
        """Ends the recording, if there is one, and writes it."""
        if self._runs:
            self._runs = False
            tf.profiler.experimental.stop()
