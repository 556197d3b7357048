"""The linear protocol: logistic regression on frozen features, all classes at once."""

import functools
from collections.abc import Sequence

from sklearn.linear_model import LogisticRegression

from actcl_tf.evaluate import prediction, selection


def classifier(c: float, *, max_iterations: int) -> LogisticRegression:
    """A logistic regression, unfitted: multinomial for class indices.

    Args:
      c: inverse strength of the L2 regularisation.
      max_iterations: of the optimiser.
    """
    return LogisticRegression(C=c, max_iter=max_iterations)


def fit_predict(
    task: prediction.Task,
    *,
    c_grid: Sequence[float],
    num_folds: int,
    max_iterations: int,
    seed: int,
) -> prediction.Prediction:
    """Trains on the training clips and scores the test clips; see `selection.fit_predict`.

    Scores are logits: their softmax is the probability of each class; where clips may have several
    labels, the sigmoid of each is that of its label.
    """
    make = functools.partial(classifier, max_iterations=max_iterations)
    return selection.fit_predict(make, task, c_grid=c_grid, num_folds=num_folds, seed=seed)
