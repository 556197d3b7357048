"""Protocols by name: how labels are predicted from frozen features that a user brings."""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Optional

import numpy as np

from actcl_tf import config
from actcl_tf.evaluate import knn, linear, prediction, selection, svm

PROTOCOLS = ("linear", "svm", "knn")

# On 3,200 rows of 256 features, fits that converge need 5 to 70 iterations of the SVM's optimiser,
# and those that do not would take seconds each to use up a thousand.
_SVM_SHARE = 10

Prediction = prediction.Prediction
ProtocolError = prediction.ProtocolError


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a protocol leaves open; each field with a help text can be a flag."""

    # 20 neighbours at 0.07 are what self-supervised work has settled on for such votes: DINO (Caron
    # et al. 2021) tried 10, 20, 100 and 200 and found 20 best; 0.07 is from Wu et al. 2018.
    knn_k: int = config.field(20, "Protocol knn: number of nearest training clips that vote.")
    knn_temperature: float = config.field(
        0.07, "Protocol knn: a neighbour's vote weighs exp(cosine / this)."
    )
    c_grid: tuple[float, ...] = config.field(
        (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0),
        "Protocols linear and svm: inverse strengths of the regularisation to choose from.",
    )
    c_folds: int = config.field(
        3, "Protocols linear and svm: parts of the training clips held out in turn to choose it."
    )
    max_iterations: int = config.field(
        1000,
        "Protocol linear: most iterations of the optimiser in one fit; svm, whose iterations are "
        "each a small optimisation, makes a tenth of them.",
    )

    def __post_init__(self) -> None:
        for name, lowest in (("knn_k", 1), ("c_folds", 2), ("max_iterations", 1)):
            value = getattr(self, name)
            if value < lowest:
                raise config.ConfigError(f"--{name}={value}: must be at least {lowest}")
        if not _positive(self.knn_temperature):
            raise config.ConfigError(
                f"--knn_temperature={self.knn_temperature}: must be greater than 0 and finite"
            )
        if not self.c_grid or not all(map(_positive, self.c_grid)):
            raise config.ConfigError(
                f"--c_grid={','.join(map(str, self.c_grid))}: must be one or more numbers, each "
                "greater than 0 and finite"
            )


def fit_predict(
    protocol: str,
    train_x: np.ndarray,
    train_y: np.ndarray,
    test_x: np.ndarray,
    *,
    num_classes: int,
    groups: Optional[Sequence[str]] = None,
    settings: Optional[Settings] = None,
    seed: int = 0,
) -> Prediction:
    """Learns from the training clips and scores the test clips.

    Whatever is chosen is chosen among the training clips; test clips are seen one by one and their
    labels not at all. Preprocess features before, see `preprocessing`.

    Args:
      protocol: of `PROTOCOLS`.
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
    if protocol not in PROTOCOLS:
        raise ProtocolError(f"protocol {protocol!r}: must be one of {', '.join(PROTOCOLS)}")
    settings = settings or Settings()
    task = prediction.check(train_x, train_y, test_x, num_classes=num_classes, groups=groups)
    if protocol == "knn":
        return knn.fit_predict(task, k=settings.knn_k, temperature=settings.knn_temperature)
    iterations = settings.max_iterations
    if protocol == "linear":
        make = functools.partial(linear.classifier, max_iterations=iterations)
    else:
        iterations = max(1, iterations // _SVM_SHARE)
        make = functools.partial(svm.classifier, max_iterations=iterations, seed=seed)
    return selection.fit_predict(
        make, task, c_grid=settings.c_grid, num_folds=settings.c_folds, seed=seed
    )


def _positive(value: float) -> bool:
    return 0 < value < math.inf
