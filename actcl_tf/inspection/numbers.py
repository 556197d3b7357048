"""What a set of keys is like, in numbers; NumPy alone, so that it checks what a graph computes."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Pairs of more keys than this are those of a sample: 2 million pairs tell enough.
MAX_PAIRED_KEYS = 2000


class Figures(NamedTuple):
    """Figures of a set of keys; None where there is nothing to say.

    Attributes:
      keys: how many there are.
      distinct_clips: clips that they come from, as a share of the keys.
      categories: distinct categories of these clips; None without labels.
      cosine_mean: of all pairs of different keys.
      cosine_p95: 95th percentile of these cosines: the smallest that 95 % do not exceed.
      effective_rank: exponential of the entropy of the normalised singular values, 1 to min(n, D).
    """

    keys: int
    distinct_clips: float | None
    categories: int | None
    cosine_mean: float | None
    cosine_p95: float | None
    effective_rank: float | None


def describe(ids: np.ndarray, keys: np.ndarray, labels: np.ndarray, cosines: np.ndarray) -> Figures:
    """Works out the figures of a set of keys.

    Args:
      ids: [n] int64, clip ids.
      keys: [n, D] float32, unit vectors.
      labels: [n] int64, index of the class; -1 for none.
      cosines: [pairs] float, of `pairwise_cosines`.
    """
    known = labels[labels >= 0]
    return Figures(
        keys=len(ids),
        distinct_clips=len(np.unique(ids)) / len(ids) if len(ids) else None,
        categories=len(np.unique(known)) if len(known) else None,
        cosine_mean=float(np.mean(cosines)) if len(cosines) else None,
        cosine_p95=percentile(cosines, 95) if len(cosines) else None,
        effective_rank=effective_rank(keys),
    )


def pairwise_cosines(keys: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cosines of all pairs of different keys; of many keys, those of a uniform sample.

    Args:
      keys: [n, D] float32, unit vectors.
      rng: draws the sample.

    Returns:
      [pairs] float32; empty for fewer than 2 keys.
    """
    if len(keys) > MAX_PAIRED_KEYS:
        keys = keys[np.sort(rng.choice(len(keys), MAX_PAIRED_KEYS, replace=False))]
    return (keys @ keys.T)[np.triu_indices(len(keys), k=1)]


def percentile(values: np.ndarray, percent: float) -> float:
    """The smallest of the values that `percent` % of them do not exceed."""
    return float(np.percentile(values, percent, method="inverted_cdf"))


def effective_rank(keys: np.ndarray) -> float | None:
    """Exponential of the entropy of the normalised singular values; None without any key.

    Args:
      keys: [n, D] float32.

    Source: Roy and Vetterli, The effective rank (EUSIPCO 2007).
    """
    values = np.linalg.svd(keys.astype(np.float64), compute_uv=False) if len(keys) else np.zeros(1)
    if not values.sum():
        return None
    shares = values[values > 0] / values.sum()
    return math.exp(-float(np.sum(shares * np.log(shares))))


def class_shares(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Share of each class among the labels that are known.

    Args:
      labels: [n] int64, index of the class; -1 for none.
      num_classes: C.

    Returns:
      [C] float64, sum 1; all zeros where no label is known.
    """
    known = labels[(labels >= 0) & (labels < num_classes)]
    counts = np.bincount(known, minlength=num_classes)
    return counts / max(len(known), 1)


def class_name(label: int, classes: Sequence[str]) -> str:
    """Name of a class, or "" for none."""
    return classes[label] if 0 <= label < len(classes) else ""
