"""The SVM protocol: a linear support vector machine on frozen features, each class by itself."""

import functools
from collections.abc import Sequence

from sklearn.svm import LinearSVC

from actcl_tf.evaluate import prediction, selection


def classifier(c: float, *, max_iterations: int, seed: int) -> LinearSVC:
    """A linear SVM with squared hinge loss, unfitted.

    Args:
      c: inverse strength of the L2 regularisation.
      max_iterations: of the optimiser.
      seed: of the order in which the optimiser visits the clips.
    """
    # "auto" solves whichever of the two forms of the problem is smaller.
    return LinearSVC(C=c, dual="auto", max_iter=max_iterations, random_state=seed)


def fit_predict(
    task: prediction.Task,
    *,
    c_grid: Sequence[float],
    num_folds: int,
    max_iterations: int,
    seed: int,
) -> prediction.Prediction:
    """Trains on the training clips and scores the test clips; see `selection.fit_predict`.

    Scores are signed distances to each class's border, in units of its margin.
    """
    make = functools.partial(classifier, max_iterations=max_iterations, seed=seed)
    return selection.fit_predict(make, task, c_grid=c_grid, num_folds=num_folds, seed=seed)
