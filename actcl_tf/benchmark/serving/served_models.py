"""The encoders of a run in every form that applications load, ready to be asked for embeddings.

Of each encoder there are a SavedModel in float32, the same in bfloat16, and the TFLite models.
"""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from actcl_tf import config
from actcl_tf.benchmark import arithmetic, default_data
from actcl_tf.console import bars
from actcl_tf.data.records import records
from actcl_tf.export import description, exporting, forms, lite, saved_models
from actcl_tf.pretrained import layout
from actcl_tf.train.runs import loading

MODALITIES = (layout.VIDEO, layout.AUDIO)


class Encoders(NamedTuple):
    """What is served, and what it is asked for.

    Attributes:
      runs: precision -> the encoders of a run, which differ in nothing else.
      calibration: modality -> clips [n, ...] that int8 is calibrated on.
      clips: modality -> clips [n, ...] that are sent.
      origin: where all this comes from, in words.
    """

    runs: dict[str, loading.LoadedRun]
    calibration: dict[str, np.ndarray]
    clips: dict[str, np.ndarray]
    origin: str

    def tower(self, modality: str) -> tf.keras.Model:
        """An encoder in float32."""
        run = self.runs["float32"]
        return {layout.VIDEO: run.video_tower, layout.AUDIO: run.audio_tower}[modality]


class Served(NamedTuple):
    """One encoder in one form.

    Attributes:
      name: of the form.
      num_bytes: of its files.
      encode: clips [B, ...] -> embeddings [B, D] float32.
    """

    name: str
    num_bytes: int
    encode: Callable[[np.ndarray], np.ndarray]


def of_run(run_dir: str, data_dir: str, num_clips: int) -> Encoders:
    """The encoders of a run's last checkpoint, and clips of its data.

    Args:
      run_dir: folder of the run.
      data_dir: prepared data; empty: the run's.
      num_clips: held-out clips that are sent, and training clips to calibrate on.

    Raises:
      errors.CheckpointError: no run, no checkpoint, or one that does not fit.
      records.DataError: the data cannot be read.
    """
    runs = {}
    for precision in forms.PRECISIONS:
        with exporting.computing_in(precision):
            runs[precision] = loading.load_towers(run_dir)
    data = runs["float32"].config.data
    if data_dir:
        data = dataclasses.replace(data, data_dir=data_dir)
    try:
        calibration, clips = (
            exporting.first_clips(data, split, num_clips)
            for split in (data.train_split, data.eval_split or data.train_split)
        )
    except records.DataError as error:
        raise records.DataError(f"{error}; name the run's data as --data_dir") from error
    return Encoders(runs, calibration, clips, f"of {run_dir}, on clips of its data")


def as_initialised(run: config.PretrainConfig, num_clips: int) -> Encoders:
    """Encoders before training, and noise for clips: how fast they are is the same.

    Args:
      run: the configuration; its data need not be there.
      num_clips: that are sent, and as many others to calibrate on.
    """
    facts = default_data.facts(run, num_clips)
    tf.keras.utils.set_random_seed(run.train.seed)
    runs = {}
    for precision in forms.PRECISIONS:
        with exporting.computing_in(precision):
            towers = loading.build_towers(run, facts).values()
        for tower, first in zip(towers, runs.get("float32", ()), strict=False):
            tower.set_weights(first.get_weights())
        runs[precision] = loading.LoadedRun(*towers, run, 0, facts)
    rng = np.random.default_rng(run.train.seed)
    frames = (num_clips, run.data.num_frames, run.data.image_size, run.data.image_size, 3)

    def noise() -> dict[str, np.ndarray]:
        audio = rng.normal(0.0, 0.1, [num_clips, facts.num_audio_samples]).clip(-1.0, 1.0)
        return {
            layout.VIDEO: rng.integers(0, 256, frames, np.uint8),
            layout.AUDIO: audio.astype(np.float32),
        }

    return Encoders(runs, noise(), noise(), "as initialised, on noise")


def build(encoders: Encoders, folder: pathlib.Path, num_threads: int) -> dict[str, list[Served]]:
    """Writes and loads every form of both encoders; the SavedModel in float32 is the first.

    Args:
      encoders: what is to be served.
      folder: an empty one, to write to; it must stay as long as the models are used.
      num_threads: of TFLite models; SavedModels take what TensorFlow is set to.

    Returns:
      Modality -> its forms, in the order of the table.

    Raises:
      ExportError: a model cannot be converted or written.
    """
    served: dict[str, list[Served]] = {modality: [] for modality in MODALITIES}
    for precision, run in encoders.runs.items():
        saved_models.save(
            run.video_tower,
            run.audio_tower,
            description.spec_of(run),
            {"precision": precision},
            str(folder / precision),
        )
        for modality in MODALITIES:
            saved = layout.model_folder(folder / precision, modality)
            served[modality].append(_saved(f"SavedModel {precision}", saved, modality))
    wanted = [(modality, kind) for modality in MODALITIES for kind in forms.TFLITE]
    for modality, kind in bars.Bar(wanted, "TFLite", unit="model"):
        tower = encoders.tower(modality)
        model = lite.convert(tower, encoders.calibration[modality], kind)
        served[modality].append(_tflite(f"TFLite {kind}", model, num_threads))
    return served


def multiply_adds(tower: tf.keras.Model, clip: np.ndarray) -> int:
    """Products that an encoder takes in its convolutions and linear layers.

    Args:
      tower: what encodes.
      clip: [1, ...] as the tower takes it.
    """
    encode = tf.function(lambda inputs: tower(inputs, training=False), autograph=False)
    graph = encode.get_concrete_function(tf.TensorSpec(clip.shape, clip.dtype)).graph
    return arithmetic.multiply_adds(graph)


def _saved(name: str, folder: pathlib.Path, modality: str) -> Served:
    """A SavedModel by its serving signature, which checks, cuts and resizes what it is sent."""
    model = tf.saved_model.load(str(folder))

    def encode(clips: np.ndarray) -> np.ndarray:
        # By way of the model: a signature alone does not keep its variables.
        return model.signatures[modality](**{modality: tf.constant(clips)})["embedding"].numpy()

    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Served(name, size, encode)


def _tflite(name: str, model: bytes, num_threads: int) -> Served:
    """A TFLite model, which takes one clip at a time."""
    runner = lite.Runner(model, num_threads)

    def encode(clips: np.ndarray) -> np.ndarray:
        return np.concatenate([runner.encode(clip[np.newaxis])["embedding"] for clip in clips])

    return Served(name, len(model), encode)
