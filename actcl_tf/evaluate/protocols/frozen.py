"""Measures frozen features by a classifier, on every fold and every size of training set."""

import time
from collections.abc import Iterator, Sequence

import numpy as np
from scipy import special

from actcl_tf import config
from actcl_tf.evaluate.clips import clip_table, splits
from actcl_tf.evaluate.features import feature_sets, windows
from actcl_tf.evaluate.protocols import classified, classifiers
from actcl_tf.evaluate.protocols.context import Context
from actcl_tf.evaluate.results import results


def rows(
    context: Context, sets: Sequence[feature_sets.FeatureSet]
) -> Iterator[results.Measurement]:
    """Every set of features by every modality, label and size of training set.

    Args:
      context: of the evaluation; its protocol is linear, svm or knn.
      sets: features of all clips.

    Raises:
      classifiers.ProtocolError: nothing can be learned from the training clips of a fold.
    """
    settings, names = context.plan.settings, context.filenames
    for each in sets:
        measurer = Measurer(each, names, settings, context.plan.protocol_settings)
        for targets in context.targets:
            folds = splits.labelled(context.folds, targets)
            subsets = list(splits.subsets(folds, targets, names, settings))
            for modality in context.modalities_of(each):
                for subset in subsets:
                    yield measurer.measure(modality, targets, subset)


class Measurer:
    """Measures one set of features, as often as asked; nothing is learned twice."""

    def __init__(
        self,
        features: feature_sets.FeatureSet,
        filenames: Sequence[str],
        settings: config.EvaluationConfig,
        protocol_settings: classifiers.Settings,
    ):
        """Takes what all measurements share.

        Args:
          features: of all clips of the table.
          filenames: n names of the clips' videos.
          settings: of the evaluation; its protocol is linear, svm or knn.
          protocol_settings: what the protocol leaves open.
        """
        self._features = features
        self._filenames = filenames
        self._settings = settings
        self._protocol_settings = protocol_settings
        self._streams: dict[tuple[str, ...], classifiers.Prediction] = {}

    def measure(
        self, modality: str, targets: clip_table.Targets, subset: splits.Subset
    ) -> results.Measurement:
        """One row of the table.

        Args:
          modality: video, audio, both or late_fusion.
          targets: what is predicted.
          subset: the folds to measure on.

        Raises:
          classifiers.ProtocolError: nothing can be learned from the training clips of a fold.
        """
        started, settings = time.perf_counter(), self._settings
        scored = [
            classified.ScoredFold(fold, *self._predict(modality, targets, subset.name, fold))
            for fold in subset.folds
        ]
        return classified.measurement(
            scored,
            targets,
            self._filenames,
            protocol=settings.protocol,
            features=self._features.name,
            modality=modality,
            preprocessing=settings.preprocessing,
            subset=subset.name,
            seed=settings.seed,
            seconds=time.perf_counter() - started,
        )

    def _predict(
        self, modality: str, targets: clip_table.Targets, subset: str, fold: splits.Fold
    ) -> classifiers.Prediction:
        """Scores [b, C] of the test clips of a fold; of late fusion, the mean over both streams."""
        if modality != "late_fusion":
            key = (modality, targets.name, subset, fold.name)
            if key not in self._streams:
                self._streams[key] = self._learn(modality, targets, fold)
            return self._streams[key]
        parts = [self._predict(each, targets, subset, fold) for each in windows.MODALITIES]
        chosen = {
            f"{name} of {each}": value
            for each, part in zip(windows.MODALITIES, parts, strict=True)
            for name, value in part.chosen.items()
        }
        return classifiers.Prediction(np.mean([part.scores for part in parts], axis=0), chosen)

    def _learn(
        self, modality: str, targets: clip_table.Targets, fold: splits.Fold
    ) -> classifiers.Prediction:
        settings = self._settings
        read = windows.Features(self._features.arrays, modality, settings.windows, settings.clips)
        train_x, test_x = read.matrices(settings.preprocessing, fold.train, fold.test)
        repeats = read.rows_a_clip
        found = classifiers.fit_predict(
            settings.protocol,
            train_x,
            np.repeat(targets.values[fold.train], repeats, axis=0),
            test_x,
            num_classes=len(targets.classes),
            groups=np.repeat(np.array(self._filenames)[fold.train], repeats),
            settings=self._protocol_settings,
            seed=settings.seed,
        )
        scores = found.scores
        if settings.protocol == "linear":
            # Probabilities can be averaged over windows and streams; logits of different fits
            # cannot.
            is_multi_label = targets.values.ndim == 2
            scores = special.expit(scores) if is_multi_label else special.softmax(scores, 1)
        return found._replace(scores=windows.average(scores, len(fold.test)))
