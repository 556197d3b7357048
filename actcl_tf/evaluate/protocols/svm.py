"""The SVM protocol: a linear support vector machine on frozen features, each class by itself."""

from sklearn.svm import LinearSVC

from actcl_tf.evaluate.protocols import prediction, regularisation
from actcl_tf.evaluate.protocols.protocol_settings import Settings

# On 3,200 rows of 256 features, fits that converge need 5 to 70 iterations of the SVM's optimiser,
# and those that do not would take seconds each to use up a thousand.
_SHARE = 10


def fit_predict(task: prediction.Task, settings: Settings, seed: int) -> prediction.Prediction:
    """Scores each test clip by linear SVMs with squared hinge loss.

    Scores are signed distances to each class's border, in units of its margin. See
    `regularisation.fit_predict`.

    Args:
      task: of `prediction.check`.
      settings: what the protocol leaves open.
      seed: of the cross-validation, and of the order in which the optimiser visits the clips.
    """
    iterations = max(1, settings.max_iterations // _SHARE)

    def make(c: float) -> LinearSVC:
        # "auto" solves whichever of the two forms of the problem is smaller.
        return LinearSVC(C=c, dual="auto", max_iter=iterations, random_state=seed)

    return regularisation.fit_predict(
        make, task, c_grid=settings.c_grid, num_folds=settings.c_folds, seed=seed
    )
