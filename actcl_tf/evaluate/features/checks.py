"""What is wrong with numbers a clip, in words for the errors of whoever takes them."""

import numpy as np


def non_finite(values: np.ndarray) -> str:
    """Says which clips hold NaN or infinity.

    Args:
      values: [n, ...] float.

    Returns:
      "NaN or infinity in 2 of 9 clips, first in row 4"; "" if every value is finite.
    """
    bad = ~np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    if not bad.any():
        return ""
    return f"NaN or infinity in {bad.sum()} of {len(bad)} clips, first in row {bad.argmax()}"


def no_class(labels: np.ndarray, num_classes: int) -> str:
    """Says which label is no class index.

    Args:
      labels: [n] int.
      num_classes: C; indices are from 0 to C - 1.

    Returns:
      What labels must be, what came, and what to do; "" if every label is a class.
    """
    wrong = (labels < 0) | (labels >= num_classes)
    if not wrong.any():
        return ""
    return (
        f"from 0 to {num_classes - 1}, got {labels[wrong.argmax()]} in row {wrong.argmax()}; leave "
        "clips without a label out"
    )
