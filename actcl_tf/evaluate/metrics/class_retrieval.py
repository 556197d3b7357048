"""Retrieval within one modality: does a test clip find training clips of its own class?"""

from typing import NamedTuple

import numpy as np

from actcl_tf.evaluate.features import checks, preprocessing
from actcl_tf.evaluate.metrics import retrieval

# Cosines that exist at one time: 64 MiB of them.
_BLOCK = 2**23


class ClipRetrievalScores(NamedTuple):
    """Retrieval of n training clips by m test clips; one of a class without any finds none.

    Attributes:
      r1: share of test clips whose nearest training clip is of their class, in [0, 1].
      r5: share of test clips with at least one of their class among the 5 nearest.
      r10: the same among the 10 nearest.
      r20: the same among the 20 nearest.
      median_rank: median of the rank of the first clip of the right class, from 1; n + 1 where
        there is none.
    """

    r1: float
    r5: float
    r10: float
    r20: float
    median_rank: float


class ClipRetrieval(NamedTuple):
    """Scores, and what they are made of.

    Attributes:
      scores: over all test clips.
      ranks: [m] int64, rank of the first training clip of the right class, from 1 to n + 1.
      nearest: [m, k] int64, rows of the nearest training clips, nearest first; of equally near
        ones, those in earlier rows first.
    """

    scores: ClipRetrievalScores
    ranks: np.ndarray
    nearest: np.ndarray


def by_label(
    test_x: np.ndarray,
    test_labels: np.ndarray,
    train_x: np.ndarray,
    train_labels: np.ndarray,
    *,
    num_nearest: int = 20,
) -> ClipRetrieval:
    """Queries the training clips with each test clip, by the cosine of their features.

    This is the video retrieval protocol of self-supervised work (Xu et al. 2019, clip order
    prediction). Ranks are pessimistic: clips of other classes whose cosine equals that of the best
    right one, to within `retrieval.TIE`, come before it. A row of zeros has cosine 0 to everything.

    Args:
      test_x: [m, d] float features of the queries.
      test_labels: [m] int or str.
      train_x: [n, d] float features of the candidates.
      train_labels: [n] as `test_labels`.
      num_nearest: how many of the nearest to give back; n, if there are fewer.

    Raises:
      ValueError: shapes do not fit, there is no clip, or a feature is NaN or infinite.
    """
    test_x, test_labels = _clips("test", test_x, test_labels)
    train_x, train_labels = _clips("train", train_x, train_labels)
    if test_x.shape[1] != train_x.shape[1]:
        raise ValueError(
            f"test features must have the {train_x.shape[1]} columns of the training features, "
            f"got {test_x.shape[1]}"
        )
    if num_nearest < 1:
        raise ValueError(f"num_nearest must be at least 1, got {num_nearest}")
    num = len(train_x)
    ranks = np.empty(len(test_x), np.int64)
    nearest = np.empty((len(test_x), min(num_nearest, num)), np.int64)
    rows = max(1, _BLOCK // num)
    for start in range(0, len(test_x), rows):
        block = slice(start, start + rows)
        cosine = test_x[block] @ train_x.T
        right = test_labels[block, None] == train_labels
        best = np.where(right, cosine, -np.inf).max(axis=1, keepdims=True)
        # Without a right one, all n come before it.
        ranks[block] = 1 + ((cosine >= best - retrieval.TIE) & ~right).sum(axis=1)
        nearest[block] = _nearest(cosine, nearest.shape[1])
    return ClipRetrieval(
        ClipRetrievalScores(
            *(float(np.mean((ranks <= k) & (ranks <= num))) for k in retrieval.KS),
            median_rank=float(np.median(ranks)),
        ),
        ranks,
        nearest,
    )


def chance(test_labels: np.ndarray, train_labels: np.ndarray) -> ClipRetrievalScores:
    """What cosines all drawn at random give on average, with these labels.

    With r of n training clips of the right class, none is among the k nearest with probability
    (n - r)! (n - k)! / (n! (n - r - k)!). The median rank is the smallest k at which half of the
    test clips have found one.

    Args:
      test_labels: [m] int or str.
      train_labels: [n] as `test_labels`.

    Raises:
      ValueError: there is no label.
    """
    test_labels, train_labels = np.asarray(test_labels), np.asarray(train_labels)
    if not test_labels.size or not train_labels.size:
        raise ValueError("chance needs at least 1 test and 1 training label, got none")
    num = len(train_labels)
    counts = dict(zip(*np.unique(train_labels, return_counts=True), strict=True))
    rights, weights = np.unique([counts.get(label, 0) for label in test_labels], return_counts=True)
    before = np.arange(num)
    found = np.zeros(num)
    for right, weight in zip(rights, weights / len(test_labels), strict=True):
        missed = np.cumprod(np.maximum(num - right - before, 0) / (num - before))
        found += weight * (1.0 - missed)
    half = np.flatnonzero(found >= 0.5 - 1e-12)
    return ClipRetrievalScores(
        *(float(found[min(k, num) - 1]) for k in retrieval.KS),
        median_rank=float(half[0] + 1 if len(half) else num + 1),
    )


def _clips(name: str, x: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Checks features against labels; gives rows of length 1, float64, and the labels."""
    x, labels = np.asarray(x, np.float64), np.asarray(labels)
    if x.ndim != 2 or not x.size or labels.shape != x.shape[:1]:
        raise ValueError(
            f"{name} features must have shape [n, d] with n, d > 0 and labels shape [n], got "
            f"{x.shape} and {labels.shape}"
        )
    fault = checks.non_finite(x)
    if fault:
        raise ValueError(f"{name} features hold {fault}")
    return preprocessing.fit("l2", x)(x), labels


def _nearest(cosine: np.ndarray, k: int) -> np.ndarray:
    """[b, n] -> [b, k] columns of the largest, largest first, of equal ones the first."""
    # The k-th largest bounds them; of the columns that equal it, only the first few are among them.
    bound = np.partition(cosine, cosine.shape[1] - k, axis=1)[:, -k]
    nearest = np.empty((len(cosine), k), np.int64)
    for row, (values, least) in enumerate(zip(cosine, bound, strict=True)):
        above, equal = np.flatnonzero(values > least), np.flatnonzero(values == least)
        columns = np.concatenate([above, equal[: k - len(above)]])
        nearest[row] = columns[np.lexsort((columns, -values[columns]))]
    return nearest
