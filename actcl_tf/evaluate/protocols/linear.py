"""The linear protocol: logistic regression on frozen features, all classes at once."""

from sklearn.linear_model import LogisticRegression

from actcl_tf.evaluate.protocols import prediction, regularisation
from actcl_tf.evaluate.protocols.protocol_settings import Settings


def fit_predict(task: prediction.Task, settings: Settings, seed: int) -> prediction.Prediction:
    """Scores each test clip by a logistic regression, multinomial for class indices.

    Scores are logits: their softmax is the probability of each class; where clips may have several
    labels, the sigmoid of each is that of its label. See `regularisation.fit_predict`.

    Args:
      task: of `prediction.check`.
      settings: what the protocol leaves open.
      seed: of the cross-validation.
    """
    return regularisation.fit_predict(
        lambda c: LogisticRegression(C=c, max_iter=settings.max_iterations),
        task,
        c_grid=settings.c_grid,
        num_folds=settings.c_folds,
        seed=seed,
    )
