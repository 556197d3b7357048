"""How long training will still take, and why a run takes hours on this machine."""

import collections

import tensorflow as tf

from actcl_tf.train.placement import processor

_LEFT_OUT = 2  # Executions that trace the graph and fill buffers.
_LEAST_STEPS = 10  # Done before anything is said.
_WINDOW = 500  # Executions that the pace is that of.
_HOUR = 3600.0


class TimeLeft:
    """Estimates the seconds to the last step from those of the steps before.

    What comes between steps, such as checkpoints and evaluations, counts as it came.
    """

    def __init__(self, first_step: int, last_step: int):
        """Knows no pace yet.

        Args:
          first_step: steps done when training begins.
          last_step: steps of the whole run.
        """
        self._first_step, self._last_step = first_step, last_step
        self._executions = 0
        self._marks: collections.deque[tuple[int, float]] = collections.deque(maxlen=_WINDOW + 1)

    def mark(self, step: int, now: float) -> None:
        """Notes the end of an execution of one step or more.

        Args:
          step: steps done.
          now: seconds of any clock that only goes forward.
        """
        self._executions += 1
        if self._executions >= _LEFT_OUT:
            self._marks.append((step, now))

    @property
    def seconds_a_step(self) -> float | None:
        """The pace; None before there are steps to tell it from."""
        if len(self._marks) < 2 or self._marks[-1][0] - self._first_step < _LEAST_STEPS:
            return None
        (early_step, early), (late_step, late) = self._marks[0], self._marks[-1]
        return (late - early) / (late_step - early_step)

    @property
    def seconds(self) -> float | None:
        """Seconds to the last step; None before the pace is known."""
        pace = self.seconds_a_step
        return None if pace is None else pace * (self._last_step - self._marks[-1][0])


def in_words(seconds: float) -> str:
    """A duration such as "2 h 05 min", "12 min" or "40 s"."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def long_run_notice(left: TimeLeft, shorter: str) -> str | None:
    """Why a run takes more than an hour and what to do about it; None where it does not.

    Args:
      left: the estimate.
      shorter: what makes such a run shorter, flags and what they save.
    """
    seconds, pace = left.seconds, left.seconds_a_step
    if seconds is None or seconds <= _HOUR:
        return None
    steps = round(seconds / pace) if pace else 0
    return (
        f"This will take about {in_words(seconds)}: {steps:,} steps of {pace:.2g} s each, on "
        f"{_machine()}. Shorter: {shorter}."
    )


def _machine() -> str:
    gpus = len(tf.config.list_physical_devices("GPU"))
    if gpus:
        return f"{gpus} GPU{'s' if gpus > 1 else ''}"
    units = "" if processor.multiplies_bfloat16() else " without units for bfloat16"
    return f"a CPU{units} ({processor.describe()}); TensorFlow sees no GPU"
