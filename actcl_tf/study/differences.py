"""Differences between runs that share everything but one thing, paired by seed."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.stats

LEVEL = 0.95
_RESAMPLES = 9999
_ROUNDING = 1e-9


class Difference(NamedTuple):
    """A mean paired difference.

    Attributes:
      mean: of the differences.
      error: standard error of the mean; None where the pairs show no spread, as one alone.
      interval: 95 % confidence interval by Student's t; None where the pairs show no spread.
      bootstrap: 95 % interval by resampling pairs; None where the pairs show no spread.
      p_value: of "no difference", two-sided, paired t test; None where there is no spread.
      wins: pairs with a positive difference.
      losses: pairs with a negative one.
      num_pairs: of all.
    """

    mean: float
    error: float | None
    interval: tuple[float, float] | None
    bootstrap: tuple[float, float] | None
    p_value: float | None
    wins: int
    losses: int
    num_pairs: int

    @property
    def is_told(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


def paired(values: Sequence[float], baseline: Sequence[float]) -> Difference:
    """The difference of values to those of the same seeds.

    Args:
      values: at least one.
      baseline: as many.
    """
    found = np.asarray(values, np.float64) - np.asarray(baseline, np.float64)
    counts = {
        "wins": int((found > 0).sum()),
        "losses": int((found < 0).sum()),
        "num_pairs": len(found),
    }
    mean = float(found.mean())
    # Scores are counts: a few pairs can differ by the same, which says nothing of their spread.
    if len(found) < 2 or np.ptp(found) <= _ROUNDING:
        return Difference(mean, error=None, interval=None, bootstrap=None, p_value=None, **counts)
    test = scipy.stats.ttest_1samp(found, 0.0)
    interval = test.confidence_interval(LEVEL)
    resampled = scipy.stats.bootstrap(
        (found,),
        np.mean,
        confidence_level=LEVEL,
        n_resamples=_RESAMPLES,
        method="percentile",
        random_state=np.random.default_rng(0),
    ).confidence_interval
    return Difference(
        mean,
        error=float(scipy.stats.sem(found)),
        interval=(float(interval.low), float(interval.high)),
        bootstrap=(float(resampled.low), float(resampled.high)),
        p_value=float(test.pvalue),
        **counts,
    )


def adjusted(p_values: Sequence[float | None]) -> list[float | None]:
    """P values that bound the share of false discoveries (Benjamini and Hochberg 1995).

    Args:
      p_values: of all comparisons of a study; None is passed on.
    """
    known = [index for index, p in enumerate(p_values) if p is not None]
    found: list[float | None] = [None] * len(p_values)
    if known:
        for index, p in zip(
            known, scipy.stats.false_discovery_control([p_values[i] for i in known]), strict=True
        ):
            found[index] = float(p)
    return found
