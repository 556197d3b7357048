"""Measures frozen features by a classifier, on every fold and every size of training set."""

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from actcl_tf import config
from actcl_tf.evaluate import classified, clip_table, protocols, results, splits, windows


class Frozen(NamedTuple):
    """Features to measure.

    Attributes:
      name: trained, initialised, random or log_mel.
      arrays: stream to [n, W, d] float32.
    """

    name: str
    arrays: Mapping[str, np.ndarray]


def measure(
    features: Frozen,
    modality: str,
    targets: clip_table.Targets,
    subset: splits.Subset,
    filenames: Sequence[str],
    settings: config.EvaluationConfig,
    protocol_settings: protocols.Settings,
) -> results.Measurement:
    """One row of the table.

    Args:
      features: of all clips of the table.
      modality: video, audio, both or late_fusion.
      targets: what is predicted.
      subset: the folds to measure on.
      filenames: n names of the clips' videos.
      settings: of the evaluation; its protocol is linear, svm or knn.
      protocol_settings: what the protocol leaves open.

    Raises:
      protocols.ProtocolError: nothing can be learned from the training clips of a fold.
    """
    started = time.perf_counter()
    scored = []
    for fold in subset.folds:
        found = _predict(features, modality, targets, fold, filenames, settings, protocol_settings)
        scored.append(classified.ScoredFold(fold, found.scores, found.chosen))
    return classified.measurement(
        scored,
        targets,
        filenames,
        protocol=settings.protocol,
        features=features.name,
        modality=modality,
        preprocessing=settings.preprocessing,
        subset=subset.name,
        seed=settings.seed,
        seconds=time.perf_counter() - started,
    )


def _predict(
    features: Frozen,
    modality: str,
    targets: clip_table.Targets,
    fold: splits.Fold,
    filenames: Sequence[str],
    settings: config.EvaluationConfig,
    protocol_settings: protocols.Settings,
) -> protocols.Prediction:
    """Scores [b, C] of the test clips of a fold; of late fusion, the mean over both streams."""
    if modality == "late_fusion":
        parts = [
            _predict(features, each, targets, fold, filenames, settings, protocol_settings)
            for each in windows.MODALITIES
        ]
        chosen = {
            f"{name} of {each}": value
            for each, part in zip(windows.MODALITIES, parts)
            for name, value in part.chosen.items()
        }
        return protocols.Prediction(np.mean([part.scores for part in parts], axis=0), chosen)
    sides = [
        windows.joined(features.arrays, modality, clips, settings.windows, settings.clips)
        for clips in (fold.train, fold.test)
    ]
    repeats = sides[0][0].shape[1]
    train_x, test_x = windows.preprocess(settings.preprocessing, *sides)
    found = protocols.fit_predict(
        settings.protocol,
        train_x,
        np.repeat(targets.values[fold.train], repeats, axis=0),
        test_x,
        num_classes=len(targets.classes),
        groups=np.repeat(np.array(filenames)[fold.train], repeats),
        settings=protocol_settings,
        seed=settings.seed,
    )
    scores = found.scores
    if settings.protocol == "linear":
        # Probabilities can be averaged over windows and streams; logits of different fits cannot.
        scores = special.expit(scores) if targets.values.ndim == 2 else special.softmax(scores, 1)
    return found._replace(scores=windows.average(scores, len(fold.test)))
