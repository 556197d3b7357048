"""What every protocol takes and gives: features and targets, checked, in; class scores out."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from actcl_tf import config
from actcl_tf.evaluate.features import checks


class ProtocolError(config.UserError, ValueError):
    """Features or targets that no classifier can be trained on; the message says why."""


class Prediction(NamedTuple):
    """What a protocol says of the test clips.

    Attributes:
      scores: [m, C] float64, finite, higher is more likely; classes that no training clip shows
        have one score, lower than any other.
      chosen: what the protocol settled on, by name: numbers, as a report wants them.
    """

    scores: np.ndarray
    chosen: dict[str, Any]


class Task(NamedTuple):
    """Checked input of a protocol, see `check`.

    Attributes:
      train_x: [n, d] float64.
      train_y: [n] int64 class indices, or [n, C] bool, true where a clip has a label.
      test_x: [m, d] float64.
      num_classes: C.
      groups: [n] int64, number of the video of each training clip.
    """

    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    num_classes: int
    groups: np.ndarray

    @property
    def multi_label(self) -> bool:
        """Whether a clip may have several labels, or none."""
        return self.train_y.ndim == 2


def check(
    train_x: np.ndarray,
    train_y: np.ndarray,
    test_x: np.ndarray,
    *,
    num_classes: int,
    groups: Sequence | None = None,
) -> Task:
    """Checks and converts the input of a protocol.

    Args:
      train_x: [n, d] float features of the training clips.
      train_y: [n] int class indices below C, or [n, C] multi-hot: 1 where a clip has a label.
      test_x: [m, d] float features of the test clips.
      num_classes: C.
      groups: n names of the videos that the training clips were cut from; None if each clip is a
        video of its own.

    Raises:
      ProtocolError: shapes do not fit, a feature is NaN or infinite, a label is not a class, there
        is no test clip, or there is nothing to tell apart: one class, or no label that some
        training clips have and others have not.
    """
    train_x, test_x = _features("train", train_x), _features("test", test_x)
    if train_x.shape[1] != test_x.shape[1]:
        raise ProtocolError(
            f"test features must have the {train_x.shape[1]} columns of the training features, "
            f"got {test_x.shape[1]}"
        )
    train_y = np.asarray(train_y)
    if train_y.shape not in ((len(train_x),), (len(train_x), num_classes)):
        raise ProtocolError(
            f"train targets must have shape [{len(train_x)}] or [{len(train_x)}, {num_classes}] "
            f"for {len(train_x)} clips of {num_classes} classes, got {train_y.shape}"
        )
    train_y = _class_indices(train_y, num_classes) if train_y.ndim == 1 else _multi_hot(train_y)
    if groups is None:
        numbers = np.arange(len(train_x))
    elif len(groups) != len(train_x):
        raise ProtocolError(
            f"groups must name the video of each of {len(train_x)} training clips, "
            f"got {len(groups)} names"
        )
    else:
        numbers = np.unique(np.asarray(groups), return_inverse=True)[1]
    return Task(train_x, train_y, test_x, num_classes, numbers)


def mixed_labels(targets: np.ndarray) -> np.ndarray:
    """The labels that some clips have and others have not.

    Args:
      targets: [n, C] bool.

    Returns:
      [k] int64, columns of `targets`, ascending.
    """
    return np.flatnonzero(targets.any(axis=0) & ~targets.all(axis=0))


def spread(scores: np.ndarray, classes: np.ndarray, num_classes: int) -> np.ndarray:
    """Puts the scores of some classes in their places among all classes.

    Args:
      scores: [m, k] float64, finite.
      classes: [k] int64, the class of each column.
      num_classes: C.

    Returns:
      [m, C] float64; the other classes have one finite score below all of `scores`.
    """
    lowest = scores.min()
    placed = np.full((len(scores), num_classes), lowest - (1.0 + abs(lowest)))
    placed[:, classes] = scores
    return placed


def _features(name: str, x: np.ndarray) -> np.ndarray:
    x = np.asarray(x, np.float64)
    if x.ndim != 2 or not x.size:
        raise ProtocolError(f"{name} features must have shape [n, d] with n, d > 0, got {x.shape}")
    fault = checks.non_finite(x)
    if fault:
        raise ProtocolError(f"{name} features hold {fault}")
    return x


def _class_indices(labels: np.ndarray, num_classes: int) -> np.ndarray:
    if labels.dtype.kind not in "iu":
        raise ProtocolError(f"train labels must be whole numbers, got {labels.dtype}")
    fault = checks.no_class(labels, num_classes)
    if fault:
        raise ProtocolError(f"train labels must be {fault}")
    present = np.unique(labels)
    if len(present) < 2:
        raise ProtocolError(
            f"a classifier needs training clips of at least 2 classes, got {len(labels)} clips of "
            f"class {present[0]}"
        )
    return labels.astype(np.int64)


def _multi_hot(targets: np.ndarray) -> np.ndarray:
    if not np.isin(targets, (0, 1)).all():
        raise ProtocolError("multi-hot train targets must be 0 or 1, got other values")
    targets = targets.astype(bool)
    if not len(mixed_labels(targets)):
        raise ProtocolError(
            "a classifier needs a label that some training clips have and others have not, got "
            f"none among {targets.shape[1]} labels of {len(targets)} clips"
        )
    return targets
