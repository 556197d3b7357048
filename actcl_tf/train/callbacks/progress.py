"""The progress bar of a run."""

import time
from collections.abc import Callable

import numpy as np

from actcl_tf.console import bars
from actcl_tf.train.callbacks import step_callback, time_left
from actcl_tf.train.model import packed_logs
from actcl_tf.train.model import scalar_names as names

_FORMAT = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"


class Progress(step_callback.StepCallback):
    """One bar over the whole run: the time left, the loss and how often what is right comes first.

    A run that will take more than an hour says so once, with why and what would make it shorter.
    """

    def __init__(
        self,
        total_steps: int,
        every: int,
        batch_size: int,
        hidden: bool = False,
        shorter: str = "fewer steps",
        clock: Callable[[], float] = time.perf_counter,
    ):
        """Sets what the bar shows.

        Args:
          total_steps: steps of the whole run.
          every: steps between updates of the numbers behind the bar.
          batch_size: clips a step, for the rate.
          hidden: show nothing, as another worker shows it.
          shorter: what makes such a run shorter, for people.
          clock: gives seconds.
        """
        super().__init__()
        self._hidden = hidden
        self._total_steps = total_steps
        self._every = every
        self._batch_size = batch_size
        self._shorter = shorter
        self._clock = clock
        self._bar: bars.Bar | None = None
        self._left: time_left.TimeLeft | None = None
        self._numbers = ""
        self._has_judged = False  # Whether it is a long run was found out.

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Opens the bar at the step that training starts from, once for all calls of `fit`."""
        super().on_train_begin(logs)
        if self._bar is None:
            self._left = time_left.TimeLeft(self.step, self._total_steps)
            self._bar = bars.Bar(
                total=self._total_steps,
                initial=self.step,
                desc="training",
                unit="step",
                bar_format=_FORMAT,
                disable=self._hidden,
            )

    def on_step(self, logs: dict | None) -> None:
        """Moves the bar."""
        if self._hidden:
            return
        self._left.mark(self.step, self._clock())
        if self.step % self._every == 0:
            scalars = packed_logs.read(self.model, logs)
            right = names.parts(names.TOP1, scalars) or names.parts(names.CLASSIFIED_TOP1, scalars)
            self._numbers = f"loss {scalars[names.LOSS]:.3f}, top-1 {np.mean(right):.2f}"
        seconds, pace = self._left.seconds, self._left.seconds_a_step
        shown = [self._numbers] if self._numbers else []
        if seconds is not None:
            shown.insert(0, f"{time_left.in_words(seconds)} left")
            if pace:
                shown.append(f"{self._batch_size / pace:.0f} clips/s")
            if not self._has_judged:
                self._has_judged = True
                notice = time_left.long_run_notice(self._left, self._shorter)
                if notice:
                    self._bar.write(notice)
        self._bar.set_postfix_str(", ".join(shown), refresh=False)
        self._bar.update(self.step - self._bar.n)

    def close(self) -> None:
        """Closes the bar."""
        if self._bar is not None:
            self._bar.close()
