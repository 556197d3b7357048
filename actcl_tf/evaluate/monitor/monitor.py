"""Everything that is measured on held-out clips: cross-modal retrieval, and a probe a label."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from actcl_tf.evaluate.clips.label_patterns import LABEL, compile_pattern, labels_from_names
from actcl_tf.evaluate.features import features
from actcl_tf.evaluate.metrics import class_retrieval, retrieval
from actcl_tf.evaluate.monitor import quantities
from actcl_tf.evaluate.protocols import probes

_MIN_CLASSES = 4  # Of fewer there is no quarter.


class ProbeLabels(NamedTuple):
    """The labels of one probe.

    Attributes:
      train: labels of the training clips; None where a clip has none.
      test: labels of the held-out clips; None where a clip has none.
      windows: how the windows of a clip are joined, of `probes.WINDOWS`.
    """

    train: list[str | None]
    test: list[str | None]
    windows: str


def find_probes(
    train: features.Features,
    test: features.Features,
    *,
    pattern: re.Pattern[str] | None = None,
    classes: Sequence[str] = (),
) -> dict[str, ProbeLabels]:
    """Decides which probes there are.

    "label", if the data has classes: of the mean of a clip's windows, since a class is of the whole
    clip. One for each named group of the pattern: of the windows in order, since what a name spells
    out, such as the words of a sentence, has its place in time.

    Args:
      train: of the training clips.
      test: of the held-out clips.
      pattern: of `compile_pattern`.
      classes: class names in the order of the labels' indices; indices stand for themselves if
        empty.

    Returns:
      Name of the probe to its labels; empty if there is nothing to probe.

    Raises:
      config.ConfigError: a file name does not match the pattern.
    """

    def names(labels: np.ndarray) -> list[str | None]:
        known = dict(enumerate(classes))
        return [None if label < 0 else known.get(label, str(label)) for label in labels.tolist()]

    found = {}
    labelled = np.unique(train.labels[train.labels >= 0])
    if len(labelled) > 1 and (test.labels >= 0).any():
        found[LABEL] = ProbeLabels(names(train.labels), names(test.labels), "mean")
    if pattern is not None:
        test_labels = labels_from_names(pattern, test.filenames)
        for group, values in labels_from_names(pattern, train.filenames).items():
            found[group] = ProbeLabels(values, test_labels[group], "concatenate")
    return found


class Evaluator:
    """Measures towers on held-out clips, as often as asked, always on the same clips."""

    def __init__(
        self,
        train_dataset: tf.data.Dataset | None,
        eval_dataset: tf.data.Dataset,
        *,
        probe_pattern: str = "",
        known: quantities.Quantities | None = None,
        classes: Sequence[str] = (),
        seed: int = 0,
        observe: Callable[[features.Features], None] | None = None,
    ):
        """Takes the clips; nothing runs yet.

        Args:
          train_dataset: training clips that the probes learn from, of
            `pipeline.build_eval_dataset`; None for retrieval only.
          eval_dataset: held-out clips, likewise.
          probe_pattern: regular expression on file names, see `labels_from_names`.
          known: numbers of each clip, to be read from the features by regression.
          classes: class names in the order of the labels' indices.
          seed: of the probes' cross-validation.
          observe: given the held-out clips as encoded, at each evaluation.

        Raises:
          config.ConfigError: the pattern is wrong.
        """
        self._datasets = {"train": train_dataset, "test": eval_dataset}
        self._pattern = compile_pattern(probe_pattern)
        self._known = known
        self._classes = tuple(classes)
        self._seed = seed
        self._observe = observe
        self._extractor = None

    def __call__(
        self, video_tower: tf.keras.Model, audio_tower: tf.keras.Model
    ) -> dict[str, float]:
        """Measures two towers.

        Args:
          video_tower: [B, T, H, W, 3] uint8 -> TowerOutput.
          audio_tower: [B, S] float32 -> TowerOutput.

        Returns:
          Name to number: `retrieval/num_clips`; for each direction
          `retrieval/video_to_audio/{r1, r5, r10, r20, median_rank, mean_reciprocal_rank}`; for
          each encoder and label `probe/video/NAME/{accuracy, low, high, chance, c, num_train,
          num_test, num_unseen, windows_in_order}`, see `probes.ProbeResult`; windows_in_order is 1
          if the windows of a clip were joined side by side, 0 if averaged. Of clips with classes
          `retrieval/DIRECTION/class_r1`, how often the nearest is of the query's class. Where
          classes are not equally frequent among the training clips, of the held-out clips of the
          rarest quarter (`rarest`) `retrieval/DIRECTION/{rarest_r1, rarest_class_r1}` among all,
          and `probe/MODALITY/label/rarest_accuracy`. Of each known number
          `regression/MODALITY/NAME/r2`.

        Raises:
          config.ConfigError: a file name does not match the pattern.
          ValueError: there is no clip, an embedding is NaN or infinite, or a probe cannot be
            trained; the message says why.
        """
        if self._extractor is None or self._extractor.towers != (video_tower, audio_tower):
            self._extractor = features.Extractor(video_tower, audio_tower)
        encoded = {
            split: self._extractor(dataset)
            for split, dataset in self._datasets.items()
            if dataset is not None
        }
        test = encoded["test"]
        if self._observe is not None:
            self._observe(test)
        ranks = retrieval.cross_modal_ranks(test.video_embedding, test.audio_embedding)
        scores = _retrieval_scores(ranks)
        if "train" in encoded:
            rare = rarest(encoded["train"].labels, test.labels)
            if rare.any():
                for direction, each in zip(retrieval.DIRECTIONS, ranks, strict=True):
                    scores[f"retrieval/{direction}/rarest_r1"] = float(np.mean(each[rare] <= 1))
            scores.update(self._probe_scores(encoded["train"], test, rare))
        return scores

    def _probe_scores(
        self, train: features.Features, test: features.Features, rare: np.ndarray
    ) -> dict[str, float]:
        """What can be read from the features, and how the rarest classes, [m] bool, fare."""
        scores = {}
        if (test.labels >= 0).any():
            scores.update(_class_retrieval_scores(test, rare))
        found = find_probes(train, test, pattern=self._pattern, classes=self._classes)
        for name, labels in found.items():
            for modality in quantities.MODALITIES:
                few = rare if name == LABEL and rare.any() else None
                result = _probe(train, test, modality, name, labels, seed=self._seed, rare=few)
                for key, value in result.items():
                    scores[f"probe/{modality}/{name}/{key}"] = value
        for modality in quantities.MODALITIES if self._known is not None else ():
            rows = []
            for encoded in (train, test):
                rows.append(getattr(encoded, modality).mean(axis=1))
                rows.append(self._known.of(modality, encoded.filenames))
            for name, value in quantities.scores(*rows).items():
                scores[f"regression/{modality}/{name}/r2"] = value
        return scores


def rarest(train_labels: np.ndarray, test_labels: np.ndarray) -> np.ndarray:
    """[m] bool: held-out clips of the quarter of classes with the fewest training clips.

    Args:
      train_labels: [n] int64, -1 for none.
      test_labels: [m] int64, likewise; classes without a held-out clip do not count.

    Returns:
      All False where there are fewer than 4 classes or all are equally frequent. Of equally
      frequent classes at the border those of lower indices are in.
    """
    classes = np.unique(test_labels[test_labels >= 0])
    counts = (train_labels[:, None] == classes).sum(axis=0)
    if len(classes) < _MIN_CLASSES or len(np.unique(counts)) < 2:
        return np.zeros(test_labels.shape, bool)
    quarter = classes[np.argsort(counts, kind="stable")[: len(classes) // 4]]
    return np.isin(test_labels, quarter)


def _retrieval_scores(ranks: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    """Scores of both directions, of `retrieval.cross_modal_ranks`."""
    scores = {"retrieval/num_clips": float(len(ranks[0]))}
    for direction, each in zip(retrieval.DIRECTIONS, ranks, strict=True):
        for key, value in retrieval.score(each)._asdict().items():
            if key != "num":
                scores[f"retrieval/{direction}/{key}"] = value
    return scores


def _class_retrieval_scores(test: features.Features, rare: np.ndarray) -> dict[str, float]:
    """How often the nearest clip of the other modality is of the query's class.

    Args:
      test: the held-out clips; those with a label count.
      rare: [n] bool, of `rarest`; their share is told apart.
    """
    known, scores = test.labels >= 0, {}
    rows = {
        "video": test.video_embedding[known].reshape(known.sum(), -1),
        "audio": test.audio_embedding[known].reshape(known.sum(), -1),
    }
    labels = test.labels[known]
    for query, candidate in (quantities.MODALITIES, quantities.MODALITIES[::-1]):
        found = class_retrieval.by_label(rows[query], labels, rows[candidate], labels)
        name = f"retrieval/{query}_to_{candidate}"
        scores[f"{name}/class_r1"] = found.scores.r1
        if rare.any():
            scores[f"{name}/rarest_class_r1"] = float(np.mean(found.ranks[rare[known]] == 1))
    return scores


def _probe(
    train: features.Features,
    test: features.Features,
    modality: str,
    name: str,
    labels: ProbeLabels,
    seed: int,
    *,
    rare: np.ndarray | None,
) -> dict[str, float]:
    """Trains and scores one probe on the clips that have a label; on the rare ones too."""
    parts = []
    for encoded, values in ((train, labels.train), (test, labels.test)):
        has_label = np.array([value is not None for value in values])
        parts.append(getattr(encoded, modality)[has_label])
        parts.append(np.array([value for value in values if value is not None]))
    try:
        result = probes.linear_probe(*parts, seed=seed, windows=labels.windows)
    except probes.ProbeError as error:
        raise probes.ProbeError(f"probe of {name} from {modality}: {error}") from error
    numbers = result._asdict()
    right = numbers.pop("right")
    if rare is not None:
        numbers["rarest_accuracy"] = right[rare[has_label]].mean()
    numbers["windows_in_order"] = numbers.pop("windows") == "concatenate"
    return {key: float(value) for key, value in numbers.items()}
