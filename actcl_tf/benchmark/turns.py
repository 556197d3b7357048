"""Times calls that take turns, and compares them round by round.

A machine whose speed drifts treats all alike then, and the ratios of a round are not spoilt by it.
"""

import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np

from actcl_tf.console import bars

_Name = TypeVar("_Name", bound=Hashable)


class Ratio(NamedTuple):
    """Median of the rounds' ratios, and their quartiles."""

    low: float
    median: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} [{self.low:.2f}, {self.high:.2f}]"


def ratio(above: np.ndarray, below: np.ndarray) -> Ratio:
    """The ratio of two series of [rounds] seconds or rates, paired by round."""
    return Ratio(*np.percentile(np.divide(above, below), [25, 50, 75]).tolist())


def timed(call: Callable, *arguments: Any) -> tuple[float, Any]:
    """The seconds that a call takes, and its result, which must be there when it returns."""
    started = time.perf_counter()
    result = call(*arguments)
    return time.perf_counter() - started, result


def take(
    calls: Mapping[_Name, Callable[[int], Any]], rounds: Mapping[_Name, int], title: str
) -> dict[_Name, list[tuple[float, Any]]]:
    """Gives each call its turn in every round, in their order; shows a progress bar.

    Args:
      calls: functions of the number of the round, 1 the first; they have been called before, should
        they have to be compiled.
      rounds: of each call, the first so many.
      title: of the bar.

    Returns:
      What `timed` gives of every turn of a call.
    """
    found: dict[_Name, list[tuple[float, Any]]] = {name: [] for name in calls}
    numbers = range(1, 1 + max(rounds.values()))
    turns = [(index, name) for index in numbers for name in calls if index <= rounds[name]]
    for index, name in bars.Bar(turns, title, unit="turn"):
        found[name].append(timed(calls[name], index))
    return found
