"""What one evaluation found, as it is stored: result.json in the evaluation's folder."""

import dataclasses
import importlib.metadata
import json
import math
import pathlib
import platform
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from actcl_tf import config
from actcl_tf.storage import files, strict_json

FILE_NAME = "result.json"
SCHEMA_VERSION = 1


class ResultError(config.UserError, ValueError):
    """A result that cannot be read; the message names the file and says what to do."""


@dataclasses.dataclass(frozen=True)
class Fold:
    """One training split with its test split, or one draw of training clips.

    Attributes:
      name: "fold 1", "fold 1, draw 2", or "test".
      num_train: clips learned from.
      num_test: clips scored.
      scores: name to number, such as top1.
      chosen: what the protocol settled on, by name.
    """

    name: str
    num_train: int
    num_test: int
    scores: dict[str, float]
    chosen: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Summary:
    """One score over all folds.

    Attributes:
      mean: over folds.
      std: sample standard deviation over folds; None for one fold.
      low: lower end of the bootstrap's 95 % interval over test videos; None where there is none.
      high: its upper end.
      num: folds.
    """

    mean: float
    std: float | None
    low: float | None
    high: float | None
    num: int


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One row of the table: one way of making features, measured on all folds.

    Attributes:
      name: unique within a result; see `name_of`.
      protocol: linear, svm, knn, retrieval or finetune.
      features: what made them: trained, initialised, random, log_mel or scratch.
      modality: video, audio, both, late_fusion; for retrieval also video_to_audio and
        audio_to_video.
      preprocessing: of the features, of `preprocessing.PREPROCESSINGS`; empty for finetune.
      label: what was predicted: "label", or a group of --label_pattern; empty across modalities.
      subset: empty for all training clips, or "fraction=0.1" or "shots=5".
      folds: in order.
      summary: name of a score to it.
      chance: name of a score to what guessing gives.
      confusion: [C, C] clips of class i (row) taken for class j, over all folds; None where a clip
        may have several labels, or there are no classes.
      per_class: one dict a class: name, count (test clips over all folds), score (accuracy or
        average precision, None without clips).
      seconds: that it took, without the making of features.
    """

    name: str
    protocol: str
    features: str
    modality: str
    preprocessing: str
    label: str
    subset: str
    folds: list[Fold]
    summary: dict[str, Summary]
    chance: dict[str, float]
    confusion: list[list[int]] | None
    per_class: list[dict[str, Any]]
    seconds: float

    @property
    def headline(self) -> str:
        """Name of the score that a table shows first."""
        return next(iter(self.summary))


class Data(TypedDict):
    """The data set that was measured on: where, a fingerprint, its size, what its clips have."""

    path: str
    digest: str
    num_clips: int
    streams: str


@dataclasses.dataclass(frozen=True)
class Result:
    """Everything that one run of the tool measured.

    Attributes:
      name: what tables call it.
      checkpoint: path, digest, step, kind ("run" or "saved_model"); None without one.
      data: what it was measured on.
      classes: of each label: label to names in the order of the indices.
      flags: all of them, by name.
      versions: of Python and the packages, and of this one.
      seeds: that were used.
      seconds: of each phase, by name.
      measurements: the rows of the table.
      warnings: what a reader of the scores must know, a line each.
    """

    name: str
    checkpoint: dict[str, Any] | None
    data: Data
    classes: dict[str, list[str]]
    flags: dict[str, Any]
    versions: dict[str, str]
    seeds: list[int]
    seconds: dict[str, float]
    measurements: list[Measurement]
    warnings: list[str] = dataclasses.field(default_factory=list)


def versions(own: str) -> dict[str, str]:
    """Those of Python, of what numbers depend on, and our own."""
    names = ("tensorflow", "scikit-learn", "numpy")
    found = {name: importlib.metadata.version(name) for name in names}
    return {"python": platform.python_version(), **found, "actcl_tf": own}


def name_of(
    protocol: str, features: str, modality: str, preprocessing: str, label: str, subset: str
) -> str:
    """What a row is called: its parts that are not empty, with slashes between them.

    The class of the data itself, "label", is left out.
    """
    parts = (protocol, modality, "" if label == "label" else label, features, preprocessing, subset)
    return "/".join(part for part in parts if part)


def summarise(
    folds: Sequence[Fold], intervals: Mapping[str, tuple[float, float]]
) -> dict[str, Summary]:
    """Puts the scores of folds together.

    Args:
      folds: at least one, all with the same scores.
      intervals: score to the ends of its interval, for those that have one.

    Raises:
      ValueError: a score is NaN or infinite.
    """
    found = {}
    for name in folds[0].scores:
        numbers = [float(fold.scores[name]) for fold in folds]
        if not all(map(math.isfinite, numbers)):
            raise ValueError(f"score {name} must be finite in every fold, got {numbers}")
        std = statistics.stdev(numbers) if len(numbers) > 1 else None
        ends = intervals.get(name, (None, None))
        found[name] = Summary(statistics.fmean(numbers), std, *ends, len(numbers))
    return found


def write(folder: pathlib.Path, result: Result) -> pathlib.Path:
    """Writes result.json, whole or not at all; returns its path."""
    path = folder / FILE_NAME
    text = json.dumps({"schema_version": SCHEMA_VERSION, **dataclasses.asdict(result)}, indent=1)
    files.write_atomically(path, text + "\n")
    return path


def read(folder: pathlib.Path) -> Result:
    """Reads result.json of an evaluation's folder.

    Raises:
      ResultError: it is missing, damaged or of another version.
    """
    path = pathlib.Path(folder)
    path = path / FILE_NAME if path.is_dir() else path
    try:
        there = strict_json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultError(
            f"{path} cannot be read ({error.strerror}): name the --output of tools/evaluate.py"
        ) from error
    except ValueError as error:
        raise ResultError(f"{path} is damaged ({error}): run the evaluation again") from error
    version = there.pop("schema_version", None) if isinstance(there, dict) else None
    if version != SCHEMA_VERSION:
        raise ResultError(
            f"{path} is no result of tools/evaluate.py of this version (schema_version is "
            f"{version!r:.40}, not {SCHEMA_VERSION}): run the evaluation again"
        )
    try:
        result = strict_json.build(Result, there, "result")
        for row in result.measurements:
            if not row.summary:
                raise ValueError(f"measurement {row.name!r} has no scores")
            for name, score in row.summary.items():
                if score.num < 1 or (score.low is None) != (score.high is None):
                    raise ValueError(f"{name} of {row.name!r} has no folds, or half an interval")
    except ValueError as error:
        raise ResultError(f"{path} is damaged ({error}): run the evaluation again") from error
    return result
