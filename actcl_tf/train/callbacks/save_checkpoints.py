"""Checkpoints every few steps, at the end, and when a signal ends a run."""

import signal
from typing import Any

from actcl_tf.train.callbacks import step_callback
from actcl_tf.train.placement import workers as workers_lib
from actcl_tf.train.runs import checkpoints
from actcl_tf.train.runs.errors import Interrupted


class SaveCheckpoints(step_callback.StepCallback):
    """Saves every few steps and at the end, and on SIGTERM or SIGINT before stopping.

    A signal to one of several workers makes all of them save, after the same step, and stop.
    """

    def __init__(
        self,
        manager: checkpoints.Manager,
        every: int,
        workers: workers_lib.Workers | None = None,
    ):
        """Takes the manager that saves.

        Args:
          manager: where to save to.
          every: steps between checkpoints.
          workers: the processes that train together; None for this one alone.
        """
        super().__init__()
        self._manager = manager
        self._every = every
        self._workers = workers or workers_lib.Workers()
        self._saved_step = -1
        self._signal: int | None = None
        self._previous: dict[int, Any] = {}

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Takes over the signals; only the main thread can."""
        super().on_train_begin(logs)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._previous[number] = signal.signal(number, self._remember)

    def _remember(self, number: int, frame: Any) -> None:
        self._signal = number

    def on_step(self, logs: dict | None) -> None:
        """Saves if due; ends the run if a signal came during the step."""
        if self._workers.any(self._signal is not None):
            self._save()
            self.close()
            raise Interrupted(self._signal or signal.SIGTERM)
        if self.step % self._every == 0:
            self._save()

    def on_train_end(self, logs: dict | None = None) -> None:
        """Saves the end and gives the signals back."""
        self._save()
        self.close()

    def _save(self) -> None:
        if self.step != self._saved_step:
            self._manager.save()
            self._saved_step = self.step

    def close(self) -> None:
        """Puts back the signal handlers that were there before training."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
