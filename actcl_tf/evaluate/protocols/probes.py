"""Linear probes: how much of a label can be read off frozen features by a linear classifier."""

from typing import NamedTuple

import numpy as np
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from actcl_tf import config
from actcl_tf.evaluate.protocols import regularisation

# How the features of a clip's windows become one vector. The mean asks what is in the clip; in
# order, side by side, they also tell when, as for words at fixed places of a sentence.
WINDOWS = ("mean", "concatenate")

# Inverse strengths of the regularisation, from strong to weak.
C_GRID = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_FOLDS = 3


class ProbeError(config.UserError, ValueError):
    """Features or labels that no probe can be trained on; the message says why."""


class ProbeResult(NamedTuple):
    """What a linear probe scored on the test clips.

    Attributes:
      accuracy: share of test clips classified right, in [0, 1].
      low: lower end of the Wilson interval of 95 % for `accuracy`.
      high: its upper end.
      chance: share of the most common class among the test clips, which a constant answer gets.
      c: inverse strength of the regularisation that was chosen.
      num_train: training clips.
      num_test: test clips.
      num_unseen: test clips of a class with no training clip; they count as wrong.
      windows: how windows were joined, of `WINDOWS`.
      right: [num_test] bool, test clips classified right.
    """

    accuracy: float
    low: float
    high: float
    chance: float
    c: float
    num_train: int
    num_test: int
    num_unseen: int
    windows: str
    right: np.ndarray


def linear_probe(
    train_x: np.ndarray,
    train_y: np.ndarray,
    test_x: np.ndarray,
    test_y: np.ndarray,
    *,
    seed: int,
    windows: str = "mean",
) -> ProbeResult:
    """Trains a logistic regression on standardised features and scores it.

    The regularisation is chosen by cross-validation among the training clips (of equally good
    values the strongest); standardisation too sees training clips only. Test clips touch nothing
    but the score.

    Args:
      train_x: [n, W, d] float features of W windows a clip, or [n, d].
      train_y: [n] labels, int or str.
      test_x: [m, W, d] or [m, d], as `train_x`.
      test_y: [m] labels.
      seed: seed of the cross-validation's folds.
      windows: "mean" or "concatenate", how the features of a clip's windows are joined.

    Raises:
      ProbeError: shapes do not fit, a feature is NaN or infinite, there is no test clip, or the
        training labels are all alike.
    """
    if windows not in WINDOWS:
        raise ProbeError(f"windows={windows!r}: must be one of {', '.join(WINDOWS)}")
    train_y, test_y = np.asarray(train_y), np.asarray(test_y)
    train_x = _one_vector_a_clip("train", train_x, train_y, windows)
    test_x = _one_vector_a_clip("test", test_x, test_y, windows)
    if train_x.shape[1] != test_x.shape[1]:
        raise ProbeError(
            f"test features must have the {train_x.shape[1]} columns of the training features, "
            f"got {test_x.shape[1]}"
        )
    classes = np.unique(train_y)
    if len(classes) < 2:
        raise ProbeError(
            f"a probe needs training clips of at least 2 classes, got {len(train_y)} clips of "
            f"{[str(name) for name in classes]}"
        )
    with regularisation.few_threads(train_x):
        c = _choose_c(train_x, train_y, seed)
        right = _fit(_classifier(), train_x, train_y, c).predict(test_x) == test_y
    interval = stats.binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    return ProbeResult(
        accuracy=float(right.mean()),
        low=float(interval.low),
        high=float(interval.high),
        chance=float(np.unique(test_y, return_counts=True)[1].max() / len(test_y)),
        c=c,
        num_train=len(train_y),
        num_test=len(test_y),
        num_unseen=int((~np.isin(test_y, classes)).sum()),
        windows=windows,
        right=right,
    )


def _one_vector_a_clip(name: str, x: np.ndarray, y: np.ndarray, windows: str) -> np.ndarray:
    """Checks features against labels and joins windows: [n, d] or [n, W * d] float64."""
    x = np.asarray(x, np.float64)
    if x.ndim not in (2, 3) or y.shape != x.shape[:1] or not x.size:
        raise ProbeError(
            f"{name} features must have shape [n, W, d] or [n, d] with n > 0 and labels shape [n], "
            f"got {x.shape} and {y.shape}"
        )
    if not np.isfinite(x).all():
        raise ProbeError(f"{name} features hold NaN or infinity")
    if x.ndim == 2:
        return x
    return x.mean(axis=1) if windows == "mean" else x.reshape(len(x), -1)


def _classifier() -> Pipeline:
    logistic = LogisticRegression(max_iter=1000, warm_start=True)
    return Pipeline([("scale", StandardScaler()), ("logistic", logistic)])


def _fit(classifier: Pipeline, x: np.ndarray, y: np.ndarray, c: float) -> Pipeline:
    return regularisation.fit_quietly(classifier.set_params(logistic__C=c), x, y)


def _choose_c(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    """The C of the grid with the best accuracy in cross-validation."""

    def score(fit: np.ndarray, held_out: np.ndarray) -> list[float]:
        # Each fit starts from the weights of the next stronger regularisation.
        classifier = _classifier()
        return [_fit(classifier, x[fit], y[fit], c).score(x[held_out], y[held_out]) for c in C_GRID]

    return regularisation.choose_c(score, regularisation.folds(y, None, _FOLDS, seed), C_GRID).c
