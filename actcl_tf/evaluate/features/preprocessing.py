"""What is done to features before a classifier sees them, learned from the training split only."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from sklearn.preprocessing import StandardScaler

from actcl_tf import config
from actcl_tf.evaluate.features import checks

PREPROCESSINGS = config.PREPROCESSINGS


class Preprocessing(NamedTuple):
    """A step that was fitted; call it on the features of any split.

    Attributes:
      name: of `PREPROCESSINGS`.
      mean: [d] float64, subtracted from each row; zeros unless `name` is "standardise".
      scale: [d] float64, positive, what each column is then divided by; ones likewise.
    """

    name: str
    mean: np.ndarray
    scale: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Applies the step.

        Args:
          x: [m, d] float features, finite.

        Returns:
          [m, d] float64: "none": `x`; "l2": rows of length 1, zero rows stay zero; "standardise":
          (x - mean) / scale.

        Raises:
          ValueError: the shape does not fit, or a value is NaN or infinite.
        """
        x = _checked(x)
        if x.shape[1] != len(self.mean):
            raise ValueError(
                f"features must have the {len(self.mean)} columns of the training features, "
                f"got {x.shape[1]}"
            )
        if self.name == "l2":
            return _unit_rows(x)
        return x if self.name == "none" else (x - self.mean) / self.scale


def fit(name: str, train_x: np.ndarray) -> Preprocessing:
    """Learns a step from the training split.

    "none" and "l2" learn nothing but the number of columns. "standardise" brings every column of
    `train_x` to mean 0 and standard deviation 1; a constant column becomes 0.

    Args:
      name: of `PREPROCESSINGS`.
      train_x: [n, d] float features of the training clips.

    Raises:
      ValueError: no such step, the shape does not fit, or a value is NaN or infinite.
    """
    return fit_blocks(name, [train_x])


def fit_blocks(name: str, blocks: Iterable[np.ndarray]) -> Preprocessing:
    """`fit` of a training split that comes in blocks of rows, never all at once.

    Args:
      name: of `PREPROCESSINGS`.
      blocks: [m, d] float each.

    Raises:
      ValueError: as `fit`.
    """
    if name not in PREPROCESSINGS:
        raise ValueError(f"preprocessing {name!r}: must be one of {', '.join(PREPROCESSINGS)}")
    scaler, width = StandardScaler(), 0
    for block in blocks:
        checked = _checked(block)
        if len(checked):
            width = checked.shape[1]
            if name == "standardise":
                scaler.partial_fit(checked)
    if not width:
        raise ValueError("a preprocessing needs at least 1 training clip, got none")
    if name != "standardise":
        return Preprocessing(name, np.zeros(width), np.ones(width))
    return Preprocessing(name, scaler.mean_, scaler.scale_)


def _unit_rows(x: np.ndarray) -> np.ndarray:
    """Divides by the largest value first, whose square neither overflows nor vanishes."""
    largest = np.abs(x).max(axis=1, keepdims=True)
    x = x / np.where(largest > 0, largest, 1.0)
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(length > 0, length, 1.0)


def _checked(x: np.ndarray) -> np.ndarray:
    x = np.asarray(x, np.float64)
    if x.ndim != 2 or not x.shape[1]:
        raise ValueError(f"features must have shape [n, d] with d > 0, got {x.shape}")
    fault = checks.non_finite(x)
    if fault:
        raise ValueError(f"features hold {fault}; leave these clips out or extract them again")
    return x
