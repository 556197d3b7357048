"""TFLite models of one clip each, and how well they agree with the encoders they are made of."""

import contextlib
import functools
import os
import pathlib
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from actcl_tf.export.errors import ExportError

# Cosine of the embeddings with those of the encoder, below which a model is not to be trusted.
LEAST_COSINE = {"float32": 0.999, "float16": 0.999, "int8": 0.97}
# Levels of audio span more than 8 bits can tell apart, and TFLite has no integers for transforms.
_STAYS_FLOAT = "/frontend/"
# What makes the embedding a unit vector: in integers its length would be 1 to within a few percent.
_NORMALISES = "L2_NORMALIZATION"
_MOVES_DATA = {"QUANTIZE", "DEQUANTIZE", "CAST"}


class Agreement(NamedTuple):
    """How well a model agrees with the encoder that it was made of.

    Attributes:
      least: smallest cosine of the two embeddings of a clip.
      mean: mean cosine.
      num_clips: clips that were encoded by both.
    """

    least: float
    mean: float
    num_clips: int


def convert(tower: tf.keras.Model, clips: np.ndarray, kind: str) -> bytes:
    """Converts an encoder of one clip of fixed size: `video` or `audio` -> embedding, features.

    Args:
      tower: [1, ...] -> TowerOutput; the model takes what it takes: frames are cut and resized.
      clips: [n, ...] of the tower's input; int8 is calibrated on them, other kinds take the shape.
      kind: of forms.TFLITE. float16 stores the weights in half precision; int8 computes in integers
        what TFLite can (3-D convolutions stay float, and so do the frontend and the last
        normalisation, so that the embedding has length 1: see `float_ops`).

    Raises:
      ExportError: the model cannot be converted.
    """
    name = "video" if clips.dtype == np.uint8 else "audio"
    spec = tf.TensorSpec([1, *clips.shape[1:]], clips.dtype, name)

    @functools.partial(tf.function, input_signature=[spec], autograph=False)
    def encode(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        output = tower(inputs, training=False)
        return {"embedding": output.embedding, "features": output.features}

    def converter() -> tf.lite.TFLiteConverter:
        made = tf.lite.TFLiteConverter.from_concrete_functions(
            [encode.get_concrete_function()], tower
        )
        if kind != "float32":
            made.optimizations = [tf.lite.Optimize.DEFAULT]
        if kind == "float16":
            made.target_spec.supported_types = [tf.float16]
        if kind == "int8":
            made.representative_dataset = lambda: ([clip[np.newaxis]] for clip in clips)
        return made

    def integers() -> bytes:
        plain = tf.lite.TFLiteConverter.from_concrete_functions(
            [encode.get_concrete_function()], tower
        ).convert()
        stay = [
            output
            for name, output, _ in _operations(plain)
            if name == _NORMALISES or _STAYS_FLOAT in output
        ]
        selective = tf.lite.experimental.QuantizationDebugger(
            converter=converter(),
            debug_dataset=lambda: ([clip[np.newaxis]] for clip in clips[:1]),
            debug_options=tf.lite.experimental.QuantizationDebugOptions(denylisted_nodes=stay),
        )
        return selective.get_nondebug_quantized_model()

    with _quiet(name, kind):
        model = converter().convert() if kind != "int8" else integers()
        if not tf.lite.Interpreter(model_content=model).get_signature_list():
            # The converter goes on without them where it cannot save the graph.
            raise ExportError("the converter gave no names to its inputs and outputs")
    return model


class Runner:
    """A TFLite model, ready to encode one clip after the other."""

    def __init__(self, model: bytes, num_threads: int = 1) -> None:
        """Loads a model of `convert`."""
        self._interpreter = tf.lite.Interpreter(model_content=model, num_threads=num_threads)
        self._run = self._interpreter.get_signature_runner()
        (self._input,) = self._run.get_input_details()

    def encode(self, clip: np.ndarray) -> dict[str, np.ndarray]:
        """`embedding` [1, D] and `features` [1, d] of a clip [1, ...]."""
        return self._run(**{self._input: clip})


def agreement(model: bytes, tower: tf.keras.Model, clips: np.ndarray) -> Agreement:
    """How well a model agrees with its encoder on clips [n, ...]."""
    runner = Runner(model)
    found = np.concatenate([runner.encode(clip[np.newaxis])["embedding"] for clip in clips])
    wanted = np.concatenate([tower(clip[np.newaxis]).embedding.numpy() for clip in clips])
    return compare(found, wanted)


def compare(found: np.ndarray, wanted: np.ndarray) -> Agreement:
    """How well embeddings [n, D] agree with others of the same clips."""
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
    cosine = np.sum(found * wanted, axis=1) / np.maximum(lengths, 1e-12)
    return Agreement(float(cosine.min()), float(cosine.mean()), len(found))


def float_ops(model: bytes) -> dict[str, int]:
    """Operation -> how often it computes in floating point; without those that only convert."""
    names = [name for name, _, kind in _operations(model) if np.issubdtype(kind, np.inexact)]
    return dict(sorted(Counter(name for name in names if name not in _MOVES_DATA).items()))


def _operations(model: bytes) -> Iterator[tuple[str, str, np.dtype]]:
    """Operation, name of its first output and its type, of all operations of a model."""
    interpreter = tf.lite.Interpreter(model_content=model)
    tensors = {each["index"]: each for each in interpreter.get_tensor_details()}
    for operation in interpreter._get_ops_details():  # No public call lists them.
        output = tensors.get(operation["outputs"][0])
        if output is not None:
            yield operation["op_name"], output["name"], output["dtype"]


@contextlib.contextmanager
def _quiet(name: str, kind: str) -> Iterator[None]:
    """Keeps what the converter's C++ code writes off the screen, unless it fails."""
    with tempfile.TemporaryFile() as log:
        before = os.dup(2)
        os.dup2(log.fileno(), 2)
        try:
            yield
        except Exception as error:  # The converter raises whatever comes, even bare Exceptions.
            log.seek(0)
            told = log.read().decode("utf-8", "replace").strip().splitlines()
            last = f"{error}".strip().splitlines() or told or ["no reason given"]
            raise ExportError(f"{name}_{kind}.tflite cannot be made: {last[0]}") from error
        finally:
            os.dup2(before, 2)
            os.close(before)


def write(folder: pathlib.Path, models: Sequence[tuple[str, bytes]]) -> None:
    """Writes models by name into a new folder, all or none."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as temporary:
        made = pathlib.Path(temporary) / folder.name
        made.mkdir()
        for name, model in models:
            (made / name).write_bytes(model)
        made.replace(folder)
