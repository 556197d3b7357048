"""What a step of a dictionary costs at any size, as a fit to what was measured at some."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.optimize


class Fit(NamedTuple):
    """A cost as a sum of what grows in different ways, no part of it negative.

    Attributes:
      fixed: whatever the sizes.
      of_key: for each of the N keys.
      of_key_and_pick: for each of the N M pairs.
      of_picks: for each of the M M pairs of picks.
    """

    fixed: float
    of_key: float
    of_key_and_pick: float
    of_picks: float

    def __call__(self, pool_size: int, picks: int) -> float:
        """The cost of N keys and M picks."""
        return float(np.dot(self, _terms(pool_size, picks)))


class Peak(NamedTuple):
    """Peak memory as that of the greater of two phases of the sampling.

    Attributes:
      of_key: bytes for each of the N keys, where the seeding takes the most.
      of_key_and_pick: bytes for each of the N M pairs, where the pseudo-posteriors do.
    """

    of_key: float
    of_key_and_pick: float

    def __call__(self, pool_size: int, picks: int) -> float:
        """The bytes at N keys and M picks."""
        return pool_size * max(self.of_key, self.of_key_and_pick * picks)


class Costs(NamedTuple):
    """What one dictionary costs at a step.

    Attributes:
      sample: seconds of the sampling in one level.
      remember: seconds of taking in the batch's keys.
      scratch: bytes that the sampling takes beyond the pool; None where they cannot be measured.
    """

    sample: Fit
    remember: Fit
    scratch: Peak | None

    def sampling_seconds(self, own: int, picks: int, parts: int = 1) -> float:
        """Seconds of the sampling on each replica.

        Args:
          own: keys that this replica keeps of the pool.
          picks: M.
          parts: into which the pool is divided; of more than one, all finalists are sampled too.
        """
        seconds = self.sample(own, picks)
        return seconds + self.sample(parts * picks, picks) if parts > 1 else seconds

    def scratch_bytes(self, own: int, picks: int, parts: int = 1) -> float:
        """Bytes that this takes beyond the pool; 0 where not measured."""
        if self.scratch is None:
            return 0.0
        num_bytes = self.scratch(own, picks)
        return max(num_bytes, self.scratch(parts * picks, picks)) if parts > 1 else num_bytes

    def foretell(self, point: dict[str, Any]) -> dict[str, float]:
        """What the fit says of the size of a point, see `sampled_step.measure`."""
        size = (point["pool_size"], point["picks"], point["replicas"])
        return {
            "foretold_seconds": self.sampling_seconds(*size),
            "foretold_scratch_bytes": self.scratch_bytes(*size),
        }


def _terms(pool_size: int, picks: int) -> list[float]:
    return [1.0, float(pool_size), float(pool_size) * picks, float(picks) * picks]


def fit(sizes: Sequence[tuple[int, int]], values: Sequence[float]) -> Fit:
    """The fit whose relative errors have the least sum of squares.

    Args:
      sizes: (N, M) of each measurement.
      values: what was measured, above 0.
    """
    terms = np.array([_terms(*size) for size in sizes]) / np.array(values)[:, np.newaxis]
    scale = terms.max(axis=0)  # The columns differ by many orders of magnitude.
    found, _ = scipy.optimize.nnls(terms / scale, np.ones(len(values)))
    return Fit(*(found / scale).tolist())


def fit_costs(points: Sequence[dict[str, Any]]) -> Costs:
    """The costs that points come to, see `sampled_step.measure`.

    Args:
      points: of a whole pool; of two of them the memory is known, the fewest picks first, or of
        none.
    """
    sizes = [(point["pool_size"], point["picks"]) for point in points]
    sample, remember = (
        fit(sizes, [point[name] for point in points]) for name in ("seconds", "remember_seconds")
    )
    peaks = [point for point in points if point["scratch_bytes"] is not None]
    scratch = None
    if peaks:
        few, many = (point["scratch_bytes"] / point["pool_size"] for point in peaks)
        scratch = Peak(few, many / peaks[1]["picks"])
    return Costs(sample, remember, scratch)
