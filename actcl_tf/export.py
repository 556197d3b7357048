"""Encoders for applications: two SavedModels that need TensorFlow alone, and what to feed them."""

import json
import pathlib
from typing import Any, Callable, Optional

import tensorflow as tf

METADATA = "metadata.json"
Region = tuple[float, float, float, float]
WHOLE: Region = (0.0, 0.0, 1.0, 1.0)
_INPUTS = {
    "video": {
        "video": "uint8 [B, T, H, W, 3], RGB frames of any size; the largest central square "
        "of the region is resized in the graph"
    },
    "audio": {"audio": "float32 [B, S], mono waveforms in [-1, 1]"},
}
_OUTPUTS = {
    "embedding": "float32 [B, D], unit vectors; the dot product of a picture's and a sound's says "
    "how well they go together",
    "features": "float32 [B, d], output of the backbone, for classifiers of one's own",
}


class ExportError(ValueError):
    """An export that cannot be written; the message says why and what to do."""


def export_towers(
    video_tower: tf.keras.Model,
    audio_tower: tf.keras.Model,
    output_dir: str,
    metadata: dict[str, Any],
    *,
    image_size: int,
    region: Region = WHOLE,
) -> None:
    """Writes OUTPUT_DIR/video, OUTPUT_DIR/audio and OUTPUT_DIR/metadata.json.

    Each model has one signature, `serving_default`, that gives `embedding` [B, D] float32 (unit
    vectors) and `features` [B, d] float32. The video model takes `video` [B, T, H, W, 3] uint8 of
    any T, H and W; the audio model takes `audio` [B, S] float32 in [-1, 1] of any S of at least one
    window of the spectrogram. Frame rate and sample rate must be those of `metadata`.

    Args:
      video_tower: [B, T, H, W, 3] uint8 -> TowerOutput.
      audio_tower: [B, S] float32 -> TowerOutput; its `frontend.window` is the fewest samples.
      output_dir: folder to make; it may exist if it is empty.
      metadata: what an application must know besides, such as `frame_rate` and `sample_rate`; is
        written with the signatures added.
      image_size: height and width that the video tower was trained on, in pixels.
      region: part of the frames that it was trained on: top, left, bottom and right, as shares of
        the height and the width.

    Raises:
      ExportError: the folder is not empty or cannot be written.
    """
    folder = pathlib.Path(output_dir)
    min_samples = audio_tower.frontend.window
    modules = {
        "video": _video_module(video_tower, image_size, region),
        "audio": _audio_module(audio_tower, min_samples),
    }
    description = {
        **metadata,
        "image_size": image_size,
        "region": list(region),
        "min_audio_samples": min_samples,
        "signatures": {
            name: {"inputs": inputs, "outputs": _OUTPUTS} for name, inputs in _INPUTS.items()
        },
    }
    text = json.dumps(description, indent=2, sort_keys=True) + "\n"
    try:
        if folder.exists() and any(folder.iterdir()):
            raise ExportError(f"{folder} is not empty; name a new folder")
        folder.mkdir(parents=True, exist_ok=True)
        for name, module in modules.items():
            tf.saved_model.save(module, str(folder / name), signatures=module.encode)
        # Last, so that a folder with metadata is a whole export.
        temporary = folder / f".{METADATA}"
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(folder / METADATA)
    except (OSError, tf.errors.OpError) as error:
        raise ExportError(f"{folder} cannot be written: {error}") from error


def central_square(video: tf.Tensor, image_size: int, region: Region = WHOLE) -> tf.Tensor:
    """The largest central square of a region of each frame, resized as in evaluation.

    Args:
      video: [B, T, H, W, 3] uint8.
      image_size: height and width of the result.
      region: top, left, bottom and right, as shares of the height and the width.

    Returns:
      [B, T, image_size, image_size, 3] uint8, bilinear, with a low-pass filter where the picture
      shrinks to less than half.
    """
    shape = tf.shape(video)
    sides = tf.cast(tf.concat([shape[2:4], shape[2:4]], 0), tf.float32)
    ends = tf.cast(tf.round(sides * tf.constant(region)), tf.int32)
    start = tf.minimum(ends[:2], shape[2:4] - 1)
    size = tf.maximum(ends[2:] - start, 1)
    side = tf.reduce_min(size)
    top, left = tf.unstack(start + (size - side) // 2)
    frames = video[:, :, top : top + side, left : left + side]
    frames = tf.reshape(frames, [-1, side, side, 3])
    size = [image_size, image_size]
    resized = tf.cond(
        side > 2 * image_size,
        lambda: tf.image.resize(frames, size, antialias=True),
        lambda: tf.image.resize(frames, size),
    )
    pixels = tf.saturate_cast(resized + 0.5, tf.uint8)
    return tf.reshape(pixels, [shape[0], shape[1], *size, 3])


def _video_module(tower: tf.keras.Model, image_size: int, region: Region) -> tf.Module:
    def encode(video: tf.Tensor) -> dict[str, tf.Tensor]:
        checked = tf.debugging.assert_positive(
            tf.shape(video),
            message="video must be [B, T, H, W, 3] uint8 with B, T, H and W of at least 1",
        )
        video = _after(checked, video)
        return _outputs(tower(central_square(video, image_size, region), training=False))

    return _module(tower, encode, tf.TensorSpec([None, None, None, None, 3], tf.uint8, "video"))


def _audio_module(tower: tf.keras.Model, min_samples: int) -> tf.Module:
    def encode(audio: tf.Tensor) -> dict[str, tf.Tensor]:
        checked = tf.debugging.assert_greater_equal(
            tf.shape(audio)[1],
            min_samples,
            message=f"audio must be [B, S] float32 with S of at least {min_samples} samples, one "
            "window of the spectrogram",
        )
        return _outputs(tower(_after(checked, audio), training=False))

    return _module(tower, encode, tf.TensorSpec([None, None], tf.float32, "audio"))


def _after(check: Optional[tf.Operation], value: tf.Tensor) -> tf.Tensor:
    """`value`, to be used only once `check` has passed.

    Without the order, an operation that trips over the same input may report first, in its words.
    `check` is None where it runs at once.
    """
    with tf.control_dependencies([] if check is None else [check]):
        return tf.identity(value)


def _outputs(output: Any) -> dict[str, tf.Tensor]:
    return {"embedding": output.embedding, "features": output.features}


def _module(tower: tf.keras.Model, encode: Callable, signature: tf.TensorSpec) -> tf.Module:
    """A module of one function and the variables it needs, without the Keras objects around them.

    The tower itself is only closed over: tracked, each of its layers would be saved with graphs of
    its own.
    """
    module = tf.Module()
    module.weights = list(tower.variables)
    module.encode = tf.function(encode, input_signature=[signature])
    return module
