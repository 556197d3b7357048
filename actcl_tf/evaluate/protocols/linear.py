"""The linear protocol: logistic regression on frozen features, all classes at once."""

from sklearn.linear_model import LogisticRegression


def classifier(c: float, *, max_iterations: int) -> LogisticRegression:
    """A logistic regression, unfitted: multinomial for class indices.

    Its scores are logits: their softmax is the probability of each class; where clips may have
    several labels, the sigmoid of each is that of its label.

    Args:
      c: inverse strength of the L2 regularisation.
      max_iterations: of the optimiser.
    """
    return LogisticRegression(C=c, max_iter=max_iterations)
