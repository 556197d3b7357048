"""Chooses the strength of a classifier's regularisation among the training clips, then fits it."""

import contextlib
import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import threadpoolctl  # Comes with scikit-learn.
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import average_precision_score
from sklearn.model_selection import KFold, StratifiedGroupKFold, StratifiedKFold

from actcl_tf.evaluate.protocols import prediction

# Numbers in a feature matrix from which several threads are worth it: on smaller ones they mostly
# wait for each other, and the more so the busier the machine.
_MANY = 10_000_000

Split = tuple[np.ndarray, np.ndarray]


class Choice(NamedTuple):
    """What cross-validation among the training clips says.

    Attributes:
      c: inverse strength of the regularisation.
      validation: mean score of `c` on the parts held out; None if nothing could be held out.
      folds: number of these parts.
    """

    c: float
    validation: float | None
    folds: int


def few_threads(x: np.ndarray) -> contextlib.AbstractContextManager:
    """One thread of linear algebra for small feature matrices, all of them for large ones.

    Args:
      x: [n, d] features.
    """
    return threadpoolctl.threadpool_limits(1 if x.size < _MANY else None)


def folds(y: np.ndarray, groups: np.ndarray | None, num_folds: int, seed: int) -> list[Split]:
    """Splits training clips into a part to fit and a part held out, several times.

    Each clip is held out at most once, and the clips of one video stand on one side. Class indices
    are spread evenly over the parts, as far as whole videos allow. Splits from which nothing can be
    learned are left out.

    Args:
      y: [n] labels, or [n, C] bool.
      groups: [n] int64, number of the video of each clip; None if each is one of its own.
      num_folds: at most this many splits, at least 2.
      seed: of the shuffle.

    Returns:
      Pairs of indices (fit, held_out); empty if there is nothing to hold out.
    """
    if y.ndim == 2:
        found = _video_folds(np.arange(len(y)) if groups is None else groups, num_folds, seed)
        return [split for split in found if all(len(prediction.mixed_labels(y[p])) for p in split)]
    num_folds = min(num_folds, np.unique(y, return_counts=True)[1].max())
    if groups is None:
        kind = StratifiedKFold
    else:
        kind, num_folds = StratifiedGroupKFold, min(num_folds, len(np.unique(groups)))
    if num_folds < 2:
        return []
    with warnings.catch_warnings():
        # Classes with fewer clips than folds: some folds then do without them.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        splitter = kind(num_folds, shuffle=True, random_state=seed)
        found = list(splitter.split(np.zeros(len(y)), y, groups))
    return [(fit, held) for fit, held in found if len(held) and len(np.unique(y[fit])) > 1]


def choose_c(
    score: Callable[[np.ndarray, np.ndarray], Sequence[float]],
    splits: Sequence[Split],
    c_grid: Sequence[float],
) -> Choice:
    """Picks the C with the best mean score; of equally good ones the strongest regularisation.

    Args:
      score: takes (fit, held_out) indices and gives one score for each C of the grid.
      splits: of `folds`; if there are none, the middle of the grid is taken.
      c_grid: inverse strengths, ascending.
    """
    if not splits:
        return Choice(c_grid[len(c_grid) // 2], None, 0)
    means = np.mean([score(fit, held_out) for fit, held_out in splits], axis=0)
    best = int(np.argmax(means))
    return Choice(c_grid[best], float(means[best]), len(splits))


def fit_quietly(classifier: BaseEstimator, x: np.ndarray, y: np.ndarray) -> BaseEstimator:
    """Fits a classifier and gives it back, without a warning where the optimiser stops early.

    Args:
      classifier: of scikit-learn.
      x: [n, d] features.
      y: [n] labels.
    """
    with warnings.catch_warnings():
        # With weak regularisation the last digits of the weights take long and change no answer.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return classifier.fit(x, y)


def fit_predict(
    make: Callable[[float], BaseEstimator],
    task: prediction.Task,
    *,
    c_grid: Sequence[float],
    num_folds: int,
    seed: int,
) -> prediction.Prediction:
    """Chooses C by cross-validation, fits on all training clips and scores the test clips.

    C is the one with the best accuracy on the parts held out, or the best mean average precision
    where clips may have several labels; each label then has a classifier of its own, and all share
    one C. The grid is walked from strong to weak regularisation, and ends early after a fit whose
    iterations were used up: weaker regularisation would take longer still.

    Args:
      make: gives an unfitted classifier with a `decision_function` for a C.
      task: of `prediction.check`.
      c_grid: inverse strengths of the regularisation to choose from.
      num_folds: of the cross-validation.
      seed: of its splits.

    Returns:
      Scores, which are the classifier's margins, and `chosen`: `c`, `validation` (score of `c` on
      the parts held out; None if there were none), `folds`, and `converged`, whether the last
      fit ended before its iterations were used up.
    """
    x, y = task.train_x, task.train_y
    grid = sorted(set(c_grid))

    def score(fit: np.ndarray, held_out: np.ndarray) -> list[float]:
        values = [-np.inf] * len(grid)
        for place, c in enumerate(grid):
            found, ended = _scores(make(c), x[fit], y[fit], x[held_out], task.num_classes)
            values[place] = _validate(found, y[held_out])
            if not ended:
                break
        return values

    with few_threads(x):
        # One C to choose from needs no choice.
        splits = folds(y, task.groups, num_folds, seed) if len(grid) > 1 else []
        choice = choose_c(score, splits, grid)
        scores, converged = _scores(make(choice.c), x, y, task.test_x, task.num_classes)
    return prediction.Prediction(scores, {**choice._asdict(), "converged": converged})


def _scores(
    classifier: BaseEstimator, x: np.ndarray, y: np.ndarray, test_x: np.ndarray, num_classes: int
) -> tuple[np.ndarray, bool]:
    """[m, C] margins of a classifier fitted to x and y, and whether it converged."""
    if y.ndim == 1:
        margin = fit_quietly(classifier, x, y).decision_function(test_x)
        if margin.ndim == 1:
            # Of two classes: half for the one and half against the other.
            margin = np.stack([-margin / 2, margin / 2], axis=1)
        converged = _converged(classifier)
        return prediction.spread(margin, classifier.classes_, num_classes), converged
    labels, margins, converged = prediction.mixed_labels(y), [], True
    for label in labels:
        margins.append(fit_quietly(classifier, x, y[:, label]).decision_function(test_x))
        converged &= _converged(classifier)
    return prediction.spread(np.stack(margins, axis=1), labels, num_classes), converged


def _converged(classifier: BaseEstimator) -> bool:
    return bool(np.max(classifier.n_iter_) < classifier.max_iter)


def _validate(scores: np.ndarray, y: np.ndarray) -> float:
    """Accuracy, or mean average precision over the labels that are there and are not everywhere."""
    if y.ndim == 1:
        return float(np.mean(scores.argmax(axis=1) == y))
    labels = prediction.mixed_labels(y)
    return float(np.mean([average_precision_score(y[:, n], scores[:, n]) for n in labels]))


def _video_folds(groups: np.ndarray, num_folds: int, seed: int) -> list[Split]:
    """Deals whole videos out to the parts, whatever the labels."""
    videos = np.unique(groups)
    num_folds = min(num_folds, len(videos))
    if num_folds < 2:
        return []
    splitter = KFold(num_folds, shuffle=True, random_state=seed)
    held = [np.isin(groups, videos[part]) for _, part in splitter.split(videos)]
    return [(np.flatnonzero(~part), np.flatnonzero(part)) for part in held]
