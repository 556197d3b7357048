"""What is read of a finished run: scores, their course, and figures of its dictionaries."""

import json
import pathlib
import re
from typing import NamedTuple

import numpy as np

from actcl_tf import config

# Measure -> the scores whose mean it is. Of each run those that it has.
SCORES = {
    "R@1": ("retrieval/video_to_audio/r1", "retrieval/audio_to_video/r1"),
    "MRR": (  # Mean reciprocal rank.
        "retrieval/video_to_audio/mean_reciprocal_rank",
        "retrieval/audio_to_video/mean_reciprocal_rank",
    ),
    "R@1 by class": (  # The nearest clip of the other modality is of the query's class.
        "retrieval/video_to_audio/class_r1",
        "retrieval/audio_to_video/class_r1",
    ),
    "R@1 of rarest": (  # Of clips of the quarter of classes with the fewest training clips.
        "retrieval/video_to_audio/rarest_r1",
        "retrieval/audio_to_video/rarest_r1",
    ),
    "R@1 by class of rarest": (
        "retrieval/video_to_audio/rarest_class_r1",
        "retrieval/audio_to_video/rarest_class_r1",
    ),
    "video probe": ("probe/video/label/accuracy",),
    "audio probe": ("probe/audio/label/accuracy",),
    "video probe of rarest": ("probe/video/label/rarest_accuracy",),
    "audio probe of rarest": ("probe/audio/label/rarest_accuracy",),
}
_REGRESSION = re.compile("regression/(.+)/r2")
_EVAL = "eval/"  # Before the names of what evaluations measured.
COURSE = "R@1"  # The measure whose course is drawn.


class Measured(NamedTuple):
    """A run.

    Attributes:
      scores: measure -> value at the end, of `SCORES`.
      course: step -> value of `COURSE`.
      figures: name -> the last value of each figure of the dictionaries.
      read: "video/NAME" or "audio/NAME" -> R2 of each known quantity at the end.
    """

    scores: dict[str, float]
    course: dict[int, float]
    figures: dict[str, float]
    read: dict[str, float]


def read(run_dir: pathlib.Path) -> Measured:
    """Reads a finished run.

    Raises:
      config.ConfigError: it was not evaluated.
    """
    scores, course, figures, known = {}, {}, {}, {}
    for line in (run_dir / "scalars.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        found = {k[len(_EVAL) :]: v for k, v in record.items() if k.startswith(_EVAL)}
        evaluated = _scores(found)
        known = {m[1]: v for k, v in found.items() if (m := _REGRESSION.fullmatch(k))} or known
        scores = evaluated or scores
        if COURSE in evaluated:
            course[record["step"]] = evaluated[COURSE]
        figures.update({k: v for k, v in record.items() if k.startswith("dictionary/")})
    if not scores:
        raise config.ConfigError(f"{run_dir}: was not evaluated; a study needs --eval_split")
    return Measured(scores, course, figures, known)


def _scores(found: dict[str, float]) -> dict[str, float]:
    values = {
        measure: [found[name] for name in names if name in found]
        for measure, names in SCORES.items()
    }
    return {measure: float(np.mean(each)) for measure, each in values.items() if each}
