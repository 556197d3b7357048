"""The objects that are saved: the encoders' variables, their functions and their signatures.

Towers are only closed over. Tracked, each of their layers would be saved with graphs of its own,
and with classes that only this package knows.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from actcl_tf.export import preprocessing, windows

Outputs = dict[str, tf.Tensor]


class Spec(NamedTuple):
    """What encoders take.

    Attributes:
      num_frames: of a training clip: length of a window, and the fewest that `video` takes.
      image_size: height and width that the video encoder was trained on, pixels.
      region: part of the frames that it was trained on: top, left, bottom and right, as shares.
      sample_rate: of the audio, Hz.
      num_audio_samples: of a training clip: length of a window of audio.
    """

    num_frames: int
    image_size: int
    region: preprocessing.Region
    sample_rate: int
    num_audio_samples: int


class Module(NamedTuple):
    """What `tf.saved_model.save` takes.

    Attributes:
      root: the object; called on a batch of clips, it encodes each as one window (see `_root`).
      signatures: name -> function; with `serving_default`.
    """

    root: Any
    signatures: dict[str, Any]


def video_module(tower: tf.keras.Model, spec: Spec) -> Module:
    """The video encoder: signatures `video` (also `serving_default`) and `video_jpeg`."""
    frames = tf.TensorSpec([None, None, None, None, 3], tf.uint8, "video")
    root, encode_as = _root(tower, frames)
    sizes = _sizes(tower)
    too_short = f"must have at least {spec.num_frames} frames, one training clip"

    def squares(video: tf.Tensor) -> tf.Tensor:
        return preprocessing.squares_of_frames(video, spec.image_size, spec.region)

    def call(video: tf.Tensor, training: bool) -> Outputs:
        return encode_as[training](squares(video))

    def encode_frames(video: tf.Tensor) -> Outputs:
        shape = tf.shape(video)
        checks = [
            _at_least(shape[1], spec.num_frames, f"video [B, T, H, W, 3] {too_short} (T)"),
            _at_least(tf.reduce_min(shape[:4]), 1, "video has no clips, or frames without pixels"),
        ]
        return windows.encode_average(
            lambda part: encode_as[False](squares(part)),
            _after(checks, video),
            spec.num_frames,
            sizes,
        )

    def encode_jpegs(video_jpeg: tf.Tensor) -> Outputs:
        shape = tf.shape(video_jpeg)
        checks = [
            _at_least(shape[1], spec.num_frames, f"video_jpeg [B, T] {too_short} (T)"),
            _at_least(shape[0], 1, "video_jpeg [B, T] has no clips"),
        ]

        def encode(part: tf.Tensor) -> Outputs:
            clips = preprocessing.squares_of_jpegs(part, spec.image_size, spec.region)
            return encode_as[False](clips)

        return windows.encode_average(encode, _after(checks, video_jpeg), spec.num_frames, sizes)

    root.__call__ = _traced(call, frames)
    video = _function(encode_frames, frames)
    jpegs = _function(encode_jpegs, tf.TensorSpec([None, None], tf.string, "video_jpeg"))
    return Module(root, {"serving_default": video, "video": video, "video_jpeg": jpegs})


def audio_module(tower: tf.keras.Model, spec: Spec) -> Module:
    """The audio encoder: signatures `audio` (also `serving_default`) and `audio_wav`."""
    waves = tf.TensorSpec([None, None], tf.float32, "audio")
    root, encode_as = _root(tower, waves)
    sizes = _sizes(tower)
    fewest = tower.frontend.window

    def encode(audio: tf.Tensor) -> Outputs:
        return windows.encode_average(encode_as[False], audio, spec.num_audio_samples, sizes)

    def encode_waves(audio: tf.Tensor) -> Outputs:
        shape = tf.shape(audio)
        checks = [
            _at_least(
                shape[1],
                fewest,
                f"audio [B, S] must have at least {fewest} samples (S), one window of the "
                f"spectrogram at {spec.sample_rate} Hz",
            ),
            _at_least(shape[0], 1, "audio [B, S] has no clips"),
            _is_audio(audio),
        ]
        return encode(_after(checks, audio))

    def encode_wav(wav: tf.Tensor) -> Outputs:
        waveform = preprocessing.waveform_of_wav(wav, spec.sample_rate)
        check = _at_least(
            tf.size(waveform),
            fewest,
            f"audio_wav: a file has less than {fewest} samples at {spec.sample_rate} Hz, one "
            "window of the spectrogram",
        )
        encoded = encode(_after([check], waveform)[tf.newaxis])
        return {name: tf.squeeze(value, 0) for name, value in encoded.items()}

    def encode_wavs(audio_wav: tf.Tensor) -> Outputs:
        check = _at_least(tf.size(audio_wav), 1, "audio_wav [B] has no clips")
        # One by one: files differ in length and in sample rate.
        return tf.map_fn(
            encode_wav,
            _after([check], audio_wav),
            fn_output_signature={n: tf.TensorSpec([s], tf.float32) for n, s in sizes.items()},
        )

    def call(audio: tf.Tensor, training: bool) -> Outputs:
        return encode_as[training](audio)

    root.__call__ = _traced(call, waves)
    audio = _function(encode_waves, waves)
    wavs = _function(encode_wavs, tf.TensorSpec([None], tf.string, "audio_wav"))
    return Module(root, {"serving_default": audio, "audio": audio, "audio_wav": wavs})


def pair_module(video: Module, audio: Module) -> Module:
    """Both encoders: their signatures, and `serving_default` of a batch of both."""
    root = tf.train.Checkpoint()
    root.video, root.audio = video.root, audio.root

    def encode_pairs(video_frames: tf.Tensor, waves: tf.Tensor) -> Outputs:
        seen = video.signatures["video"](video_frames)
        heard = audio.signatures["audio"](waves)
        check = tf.debugging.assert_equal(
            tf.shape(video_frames)[0],
            tf.shape(waves)[0],
            message="video and audio must have the same number of clips (B)",
        )
        found = {f"video_{name}": value for name, value in seen.items()}
        found.update({f"audio_{name}": value for name, value in heard.items()})
        cosine = tf.reduce_sum(seen["embedding"] * heard["embedding"], axis=1)
        return {**found, "similarity": _after([check], cosine)}

    pairs = _function(
        encode_pairs,
        *(module.signatures["serving_default"].input_signature[0] for module in (video, audio)),
    )
    signatures = {**video.signatures, **audio.signatures, "serving_default": pairs}
    return Module(root, signatures)


def _root(tower: tf.keras.Model, clips: tf.TensorSpec) -> tuple[Any, dict[bool, Callable]]:
    """An object with what TensorFlow asks of a reusable SavedModel, and `encode`.

    Returned beside it is `encode` for inference and for training, of clips of any size: called as
    they are, there is one graph of each, however much is known of the size.

    `encode(clips, training)` takes clips as the tower does, each encoded as one window: frames are
    cut and resized already. `__call__(inputs, training)`, added later, takes frames of any size.
    """
    root = tf.train.Checkpoint()
    root.variables = list(tower.variables)
    root.trainable_variables = list(tower.trainable_variables)
    root.regularization_losses = []

    def encode(clips: tf.Tensor, training: bool) -> Outputs:
        output = tower(clips, training=training)
        return {"embedding": output.embedding, "features": output.features}

    root.encode = _traced(encode, clips)
    return root, {
        training: root.encode.get_concrete_function(clips, training=training)
        for training in (False, True)
    }


def _sizes(tower: tf.keras.Model) -> dict[str, int]:
    return {
        "embedding": tower.head.last_layer.units,
        "features": tower.backbone.num_features,
    }


def _traced(function: Callable, inputs: tf.TensorSpec) -> Any:
    """A function of (inputs, training), traced for inference and for training."""
    traced = tf.function(function, autograph=False)
    for training in (False, True):
        traced.get_concrete_function(inputs, training=training)
    return traced


def _function(function: Callable, *inputs: tf.TensorSpec) -> Any:
    return tf.function(function, input_signature=inputs, autograph=False)


def _at_least(value: tf.Tensor, low: int, message: str) -> tf.Operation | None:
    return tf.debugging.assert_greater_equal(value, low, message=message)


def _is_audio(audio: tf.Tensor) -> tf.Operation | None:
    """A check that samples are numbers, and in [-1, 1] or thereabouts."""
    # NaN is below nothing.
    return tf.debugging.assert_equal(
        tf.reduce_all(tf.abs(audio) < preprocessing.LOUDEST),
        True,
        message="audio must be finite and in [-1, 1]: divide 16-bit samples by 32768",
    )


def _after(checks: list[tf.Operation | None], value: tf.Tensor) -> tf.Tensor:
    """`value`, to be used only once all checks have passed.

    Without the order, an operation that trips over the same input may report first, in its words.
    A check is None where it ran at once.
    """
    with tf.control_dependencies([check for check in checks if check is not None]):
        return tf.identity(value)
