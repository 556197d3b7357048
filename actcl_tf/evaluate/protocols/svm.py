"""The SVM protocol: a linear support vector machine on frozen features, each class by itself."""

from sklearn.svm import LinearSVC


def classifier(c: float, *, max_iterations: int, seed: int) -> LinearSVC:
    """A linear SVM with squared hinge loss, unfitted.

    Its scores are signed distances to each class's border, in units of its margin.

    Args:
      c: inverse strength of the L2 regularisation.
      max_iterations: of the optimiser.
      seed: of the order in which the optimiser visits the clips.
    """
    # "auto" solves whichever of the two forms of the problem is smaller.
    return LinearSVC(C=c, dual="auto", max_iter=max_iterations, random_state=seed)
