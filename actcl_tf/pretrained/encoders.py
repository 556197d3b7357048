"""Exported encoders as Keras layers: to embed with as they are, or to train further."""

import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from actcl_tf.pretrained import inputs as checked_inputs
from actcl_tf.pretrained import layout

Path = str | pathlib.Path


class Encoder(tf.keras.layers.Layer):
    """A SavedModel of an export as a layer, whose weights can be trained.

    Called on a batch of clips, it encodes each clip as one window, and in training its batch
    normalisations use and update the statistics of the batch, unless `trainable` is False.
    `embed` takes longer input: it averages over windows.

    Attributes:
      metadata: what is said of the encoders (dict).
    """

    part = ""
    _check: Callable[[Any], tf.Tensor]

    def __init__(
        self, path: Path, version: int | None = None, trainable: bool = True, **options: Any
    ) -> None:
        """Loads the SavedModel.

        Args:
          path: folder of the export (--output of tools/export.py).
          version: which of its versions; None: the highest.
          trainable: whether the weights are to be trained.
          **options: of every Keras layer, such as `name`.

        Raises:
          layout.PretrainedError: there is no such export, or it is damaged.
        """
        # float32 by name: under a mixed policy Keras would cast a waveform to half precision.
        super().__init__(trainable=trainable, **{"dtype": "float32", **options})
        folder = pathlib.Path(path)
        self.metadata = layout.read_metadata(folder, version)
        saved = layout.model_folder(folder, self.part, version)
        self._path, self._version = str(path), int(saved.name)
        try:
            self._model = tf.saved_model.load(str(saved))
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise layout.PretrainedError(
                f"{saved} is damaged ({str(error).splitlines()[0]}): export the run again"
            ) from error
        # Variables in a list are tracked by Keras: saved with the model around this layer, and
        # given to its optimizer where they are to be trained.
        self.model_variables = list(self._model.variables)

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> dict[str, tf.Tensor]:
        """Encodes clips, each as one window.

        Args:
          inputs: see the class.
          training: whether the normalisations use the statistics of the batch.

        Returns:
          `embedding` [B, D] float32 of length 1, and `features` [B, d] float32.

        Raises:
          ValueError: numbers of another kind or range than the encoder takes.
        """
        inputs = self._check(inputs)
        return self._model(inputs, training=bool(training) and self.trainable)

    def embed(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Encodes input of any length, averaging over windows of the length that was trained on.

        Args:
          inputs: see the class.

        Returns:
          As `call`.

        Raises:
          ValueError: numbers of another kind or range than the encoder takes.
          tf.errors.InvalidArgumentError: the input is too short, or otherwise not what is taken.
        """
        return self._run(self.part, self._check(inputs))

    def get_config(self) -> dict[str, Any]:
        """What `tf.keras.models.load_model` makes the layer of; the export must still be there."""
        return {**super().get_config(), "path": self._path, "version": self._version}

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles and copies the layer as its settings and weights; the export must be there."""
        weights = [variable.numpy() for variable in self.model_variables]
        return _rebuild, (type(self), self.get_config(), weights)

    def _run(self, signature: str, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        run = self._model.signatures[signature]
        (spec,) = run.structured_input_signature[1].values()
        return run(**{signature: tf.convert_to_tensor(inputs, spec.dtype)})


def _rebuild(layer: type, config: dict[str, Any], weights: list[np.ndarray]) -> Encoder:
    built = layer.from_config(config)
    for variable, value in zip(built.model_variables, weights, strict=True):
        variable.assign(value)
    return built


@tf.keras.utils.register_keras_serializable("actcl_tf")
class VideoEncoder(Encoder):
    """The video encoder of an export, as a Keras layer.

    It takes uint8 [B, T, H, W, 3], RGB at `metadata["frame_rate"]` frames a second, of any size:
    the largest central square is resized. Called, T is free; `embed` takes T of at least
    `metadata["num_frames"]`.

    Example:
      >>> frames = tf.keras.Input([None, None, None, 3], dtype=tf.uint8)
      >>> features = actcl_tf.VideoEncoder("models/mine")(frames)["features"]
      >>> model = tf.keras.Model(frames, tf.keras.layers.Dense(10)(features))
      >>> model(tf.zeros([2, 8, 48, 64, 3], tf.uint8)).shape
      TensorShape([2, 10])
    """

    part = layout.VIDEO
    _check = staticmethod(checked_inputs.frames)

    def embed_jpegs(self, frames_jpeg: tf.Tensor) -> dict[str, tf.Tensor]:
        """As `embed`, of JPEG images: string [B, T]."""
        return self._run("video_jpeg", frames_jpeg)


@tf.keras.utils.register_keras_serializable("actcl_tf")
class AudioEncoder(Encoder):
    """The audio encoder of an export, as a Keras layer.

    It takes float32 [B, S], mono in [-1, 1] at `metadata["sample_rate"]` Hz, S of at least
    `metadata["min_audio_samples"]`.

    Example:
      >>> encoder = actcl_tf.AudioEncoder("models/mine", trainable=False)
      >>> seconds = tf.zeros([2, 3 * encoder.metadata["sample_rate"]])
      >>> tf.norm(encoder.embed(seconds)["embedding"], axis=1).numpy().round(5)
      array([1., 1.], dtype=float32)
    """

    part = layout.AUDIO
    _check = staticmethod(checked_inputs.audio)

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> dict[str, tf.Tensor]:
        """As `Encoder.call`; audio shorter than one window of the spectrogram is refused."""
        checked_inputs.audio(inputs, self.metadata["min_audio_samples"])
        return super().call(inputs, training)

    def embed_wavs(self, wavs: tf.Tensor) -> dict[str, tf.Tensor]:
        """As `embed`, of WAV files: string [B], of any lengths and sample rates."""
        return self._run("audio_wav", wavs)
