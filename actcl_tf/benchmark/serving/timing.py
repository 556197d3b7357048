"""How fast exported encoders answer, how large they are, and how well their forms agree.

Each form is asked for embeddings of one clip, and of a batch. Forms take turns within each round,
so that a machine whose speed drifts treats them alike; what is compared are ratios of a round. The
yardstick is the product of two matrices, in the same rounds.
"""

import pathlib
import tempfile
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from actcl_tf import config
from actcl_tf.benchmark import arithmetic, turns
from actcl_tf.benchmark.serving import served_models
from actcl_tf.benchmark.serving.serve_settings import BATCH, Settings
from actcl_tf.config import cores
from actcl_tf.console import bars
from actcl_tf.export import lite

_WARM_UP = 2  # Requests of each form and size before the clock starts.


class Turns(NamedTuple):
    """What was measured of one form.

    Attributes:
      name: of the form.
      num_bytes: of its files.
      cosine: smallest of its embeddings with those of the first form.
      single: [rounds, requests] seconds of each request of one clip.
      batch: [rounds] seconds of a request of `BATCH` clips.
    """

    name: str
    num_bytes: int
    cosine: float
    single: np.ndarray
    batch: np.ndarray


class Part(NamedTuple):
    """What was measured of one encoder.

    Attributes:
      modality: video or audio.
      shape: of one clip.
      multiply_adds: of one clip.
      turns: of each form; ratios are to the first.
      products: type of number -> [rounds] multiply-adds a second of a matrix product.
    """

    modality: str
    shape: tuple[int, ...]
    multiply_adds: int
    turns: list[Turns]
    products: dict[str, np.ndarray]


class Result(NamedTuple):
    """What was measured.

    Attributes:
      origin: of encoders and clips, in words.
      parts: the video encoder and the audio encoder.
      num_clips: that embeddings were compared on.
      num_threads: of every form.
    """

    origin: str
    parts: list[Part]
    num_clips: int
    num_threads: int


def set_threads(settings: Settings) -> None:
    """Gives TensorFlow as many threads as are to be measured; before it has computed anything."""
    if settings.serve_threads:
        tf.config.threading.set_intra_op_parallelism_threads(settings.serve_threads)
        tf.config.threading.set_inter_op_parallelism_threads(settings.serve_threads)


def measure(run: config.PretrainConfig, settings: Settings) -> Result:
    """Exports encoders to a temporary folder and times them.

    TensorFlow itself is left as it is set: see `set_threads`.

    Args:
      run: what encoders to make; of a run that `settings` names, its `data_dir` alone is used,
        unless it is empty.
      settings: what and how much is measured.

    Raises:
      CheckpointError: no run, no checkpoint, or one that does not fit.
      DataError: the data cannot be read.
      ExportError: a model cannot be converted or written.
    """
    count = settings.serve_clips
    if settings.checkpoint:
        encoders = served_models.of_run(settings.checkpoint, run.data.data_dir, count)
    else:
        encoders = served_models.as_initialised(run, count)
    num_threads = settings.serve_threads or cores.count()
    with tempfile.TemporaryDirectory() as folder:
        forms = served_models.build(encoders, pathlib.Path(folder), num_threads)
        parts = []
        for modality, served in forms.items():
            clips = encoders.clips[modality]
            found, products = take_turns(modality, served, clips, settings)
            work = served_models.multiply_adds(encoders.tower(modality), clips[:1])
            parts.append(Part(modality, clips.shape[1:], work, found, products))
    return Result(encoders.origin, parts, len(clips), num_threads)


def take_turns(
    modality: str, served: list[served_models.Served], clips: np.ndarray, settings: Settings
) -> tuple[list[Turns], dict[str, np.ndarray]]:
    """Asks every form in each round, and multiplies matrices before that.

    Args:
      modality: what the bars say.
      served: the forms of an encoder.
      clips: [n, ...] that are sent.
      settings: how often.

    Returns:
      `Part.turns` and `Part.products`.
    """
    # Copies, so that few clips make a batch too.
    batch = np.resize(clips, (BATCH, *clips.shape[1:]))
    agreements = _agreements(modality, served, clips)
    for form in served:
        for _ in range(_WARM_UP):
            form.encode(batch[:1])
            form.encode(batch)
    rounds = settings.serve_rounds
    multipliers = {dtype.name: arithmetic.multiplier(dtype) for dtype in (tf.float32, tf.bfloat16)}
    products = {name: np.zeros([rounds]) for name in multipliers}
    single = np.zeros([len(served), rounds, settings.serve_requests])
    batched = np.zeros([len(served), rounds])
    for row in bars.Bar(range(rounds), f"{modality}, timing", unit="round"):
        for name, multiply in multipliers.items():
            products[name][row] = multiply()
        for index, form in enumerate(served):
            for column in range(settings.serve_requests):
                clip = clips[column % len(clips)][np.newaxis]
                single[index, row, column], _ = turns.timed(form.encode, clip)
            batched[index, row], _ = turns.timed(form.encode, batch)
    found = [
        Turns(form.name, form.num_bytes, agreed.least, single[index], batched[index])
        for index, (form, agreed) in enumerate(zip(served, agreements, strict=True))
    ]
    return found, products


def _agreements(
    modality: str, served: list[served_models.Served], clips: np.ndarray
) -> list[lite.Agreement]:
    """How well each form agrees with the first."""
    found = []
    for form in bars.Bar(served, f"{modality}, embeddings", unit="form"):
        parts = np.split(clips, range(BATCH, len(clips), BATCH))
        found.append(np.concatenate([form.encode(part) for part in parts]))
    return [lite.compare(embeddings, found[0]) for embeddings in found]
