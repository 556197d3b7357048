"""How well class scores fit the labels of the test clips, and how sure that is."""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from actcl_tf.evaluate.features import checks


class ClassificationScores(NamedTuple):
    """Scores where each clip has one label.

    Attributes:
      top1: share of clips whose class has the highest score, in [0, 1].
      top5: share of clips whose class is among the 5 highest; always 1 with 5 classes or fewer.
      mean_class_accuracy: mean of the accuracies of the classes that are among the test clips.
      confusion: [C, C] int64, clips of class i (row) taken for class j (column).
      counts: [C] int64, clips of each class.
      ranks: [m] int64, place of each clip's class by score, from 1 to C; `ranks == 1` are right.
    """

    top1: float
    top5: float
    mean_class_accuracy: float
    confusion: np.ndarray
    counts: np.ndarray
    ranks: np.ndarray


class MultiLabelScores(NamedTuple):
    """Scores where a clip may have several labels.

    Attributes:
      mean_average_precision: mean of `average_precision` over the labels that are scored.
      mean_auc: mean area under the ROC curve, likewise; 0.5 is chance.
      d_prime: sqrt(2) times the normal quantile of `mean_auc`; 0 is chance.
      average_precision: [C] float; NaN for a label that no test clip has, or every one, and which
        is not scored.
    """

    mean_average_precision: float
    mean_auc: float
    d_prime: float
    average_precision: np.ndarray


def classification(
    scores: np.ndarray, labels: np.ndarray, *, num_classes: int
) -> ClassificationScores:
    """Scores predictions of one class a clip.

    Ties are pessimistic: a class whose score equals that of the clip's own comes before it. So
    scores that are all alike get every clip wrong.

    Args:
      scores: [m, C] float, higher is more likely, finite.
      labels: [m] int class indices.
      num_classes: C.

    Raises:
      ValueError: shapes do not fit, there is no clip, a score is NaN or infinite, or a label is not
        a class.
    """
    scores, labels = _checked(scores, num_classes), np.asarray(labels)
    if labels.shape != (len(scores),) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"labels must be [{len(scores)}] whole numbers for scores {list(scores.shape)}, "
            f"got {labels.dtype} {list(labels.shape)}"
        )
    fault = checks.no_class(labels, num_classes)
    if fault:
        raise ValueError(f"labels must be {fault}")
    rows = np.arange(len(labels))
    own = scores[rows, labels]
    ranks = (scores >= own[:, None]).sum(axis=1)
    others = scores.copy()
    others[rows, labels] = -np.inf
    predicted = np.where(ranks == 1, labels, others.argmax(axis=1))
    confusion = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    counts = confusion.sum(axis=1)
    found = confusion.diagonal()[counts > 0] / counts[counts > 0]
    return ClassificationScores(
        top1=float(np.mean(ranks == 1)),
        top5=float(np.mean(ranks <= 5)),
        mean_class_accuracy=float(found.mean()),
        confusion=confusion,
        counts=counts,
        ranks=ranks,
    )


def bootstrap_interval(
    values: np.ndarray,
    *,
    seed: int,
    draws: int = 1000,
    groups: Sequence | None = None,
) -> tuple[float, float]:
    """The interval of 95 % for the mean of a number a clip, by the percentile bootstrap.

    Clips are drawn with replacement, as many as there are, and the mean is taken, again and again;
    the interval holds the middle 95 % of these means. Clips of one video are alike, so where
    `groups` are given whole videos are drawn, and the interval is as wide as few videos deserve.

    Args:
      values: [m] float or bool, such as whether each clip was right.
      seed: the same seed gives the same interval.
      draws: number of means.
      groups: m names of the videos that the clips were cut from; None if each clip is one.

    Returns:
      Lower and upper end.

    Raises:
      ValueError: shapes do not fit, there is no value, one is NaN or infinite, or draws < 1.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"values must be [m] finite numbers with m > 0, got {values}")
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}")
    if groups is None:
        sums, sizes = values, np.ones(len(values))
    elif len(groups) != len(values):
        raise ValueError(
            f"groups must name the video of each of {len(values)} clips, got {len(groups)} names"
        )
    else:
        numbers = np.unique(np.asarray(groups), return_inverse=True)[1]
        sums, sizes = np.bincount(numbers, values), np.bincount(numbers)
    rng = np.random.default_rng(seed)
    means = np.empty(draws)
    for draw in range(draws):
        drawn = rng.integers(len(sums), size=len(sums))
        means[draw] = sums[drawn].sum() / sizes[drawn].sum()
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def multi_label(scores: np.ndarray, targets: np.ndarray) -> MultiLabelScores:
    """Scores predictions of any number of labels a clip, label by label over all clips.

    d' is that of the mean AUC, as in work on AudioSet (Hershey et al. 2017): the mean of each
    label's own would be infinite as soon as one label is perfect. Where all are perfect, half of
    one pair of clips is counted as wrong, so that it stays finite.

    Args:
      scores: [m, C] float, higher is more likely, finite.
      targets: [m, C] multi-hot, 1 where a clip has a label.

    Raises:
      ValueError: shapes do not fit, there is no clip, a score is NaN or infinite, a target is
        neither 0 nor 1, or no label is there on some clips and missing on others.
    """
    targets = np.asarray(targets)
    if targets.ndim != 2:
        raise ValueError(f"targets must have shape [m, C], got {targets.shape}")
    scores = _checked(scores, targets.shape[1])
    if len(targets) != len(scores) or not np.isin(targets, (0, 1)).all():
        raise ValueError(
            f"targets must be 0 or 1, of the shape {list(scores.shape)} of the scores, got "
            f"{list(targets.shape)} from {targets.min()} to {targets.max()}"
        )
    positives = (targets == 1).sum(axis=0)
    scored = np.flatnonzero((positives > 0) & (positives < len(targets)))
    if not len(scored):
        raise ValueError(
            "multi-label scores need a label that some test clips have and others have not, got "
            f"none among {len(positives)} labels of {len(targets)} clips"
        )
    precisions = [average_precision_score(targets[:, n], scores[:, n]) for n in scored]
    areas = [roc_auc_score(targets[:, n], scores[:, n]) for n in scored]
    pairs = (positives * (len(targets) - positives)).max()
    placed = np.full(len(positives), np.nan)
    placed[scored] = precisions
    return MultiLabelScores(
        mean_average_precision=float(np.mean(precisions)),
        mean_auc=float(np.mean(areas)),
        d_prime=_d_prime(float(np.mean(areas)), 0.5 / (len(scored) * int(pairs))),
        average_precision=placed,
    )


def _checked(scores: np.ndarray, num_classes: int) -> np.ndarray:
    scores = np.asarray(scores, np.float64)
    if scores.ndim != 2 or scores.shape[1] != num_classes or not scores.size:
        raise ValueError(
            f"scores must have shape [m, {num_classes}] with m > 0, got {list(scores.shape)}"
        )
    fault = checks.non_finite(scores)
    if fault:
        raise ValueError(f"scores hold {fault}")
    return scores


def _d_prime(auc: float, least: float) -> float:
    """sqrt(2) * normal quantile of an area that is kept `least` away from 0 and 1."""
    return math.sqrt(2) * statistics.NormalDist().inv_cdf(min(max(auc, least), 1.0 - least))
