"""Classifiers by name: how labels are predicted from frozen features that a user brings."""

from collections.abc import Sequence

import numpy as np

from actcl_tf.evaluate.protocols import knn, linear, prediction, svm
from actcl_tf.evaluate.protocols.protocol_settings import Settings

CLASSIFIERS = {"linear": linear.fit_predict, "svm": svm.fit_predict, "knn": knn.fit_predict}

Prediction = prediction.Prediction
ProtocolError = prediction.ProtocolError


def fit_predict(
    protocol: str,
    train_x: np.ndarray,
    train_y: np.ndarray,
    test_x: np.ndarray,
    *,
    num_classes: int,
    groups: Sequence[str] | None = None,
    settings: Settings | None = None,
    seed: int = 0,
) -> Prediction:
    """Learns from the training clips and scores the test clips.

    Whatever is chosen is chosen among the training clips; test clips are seen one by one and their
    labels not at all. Preprocess features before, see `preprocessing`.

    Args:
      protocol: of `CLASSIFIERS`.
      train_x: [n, d] float features of the training clips.
      train_y: [n] int class indices below C, or [n, C] multi-hot: 1 where a clip has a label.
      test_x: [m, d] float features of the test clips.
      num_classes: C.
      groups: n names of the videos that the training clips were cut from: clips of one video are
        held out together; None if each clip is a video of its own.
      settings: None for the defaults.
      seed: of everything random.

    Returns:
      Prediction(scores=[m, C] float64, chosen=what was settled on), see the protocol's module.

    Raises:
      ProtocolError: no such protocol, or input that no classifier can be trained on: shapes do not
        fit, a feature is NaN or infinite, a label is not a class, there is no test clip, or the
        training clips are all of one class.
    """
    if protocol not in CLASSIFIERS:
        raise ProtocolError(f"protocol {protocol!r}: must be one of {', '.join(CLASSIFIERS)}")
    task = prediction.check(train_x, train_y, test_x, num_classes=num_classes, groups=groups)
    return CLASSIFIERS[protocol](task, settings or Settings(), seed)
