"""Refuses frames and audio in numbers of the wrong kind, instead of cutting them to fit."""

from typing import Any

import numpy as np
import tensorflow as tf

# As in the signatures: decoders overshoot a little, integers of a file by a thousand times.
_LOUDEST = 16.0
_FRAMES = "frames must be uint8, RGB from 0 to 255"
_AUDIO = "audio must be float32 in [-1, 1]"
_FRAMES_SHAPE = (None, None, None, None, 3)
_AUDIO_SHAPE = (None, None)


def frames(given: Any) -> tf.Tensor:
    """Frames as uint8.

    Args:
      given: [B, T, H, W, 3] uint8, or other integers from 0 to 255 where they can be looked at.

    Raises:
      ValueError: anything else, above all floats.
    """
    given = _tensor(given, _FRAMES)
    if given.dtype == tf.uint8:
        return _shaped(given, "frames [B, T, H, W, 3]", _FRAMES_SHAPE)
    if given.dtype.is_floating:
        raise ValueError(
            f"{_FRAMES}, got {given.dtype.name}: pass tf.image.convert_image_dtype(frames, "
            "tf.uint8, saturate=True) of frames in [0, 1], or tf.cast(tf.round(frames), tf.uint8) "
            "of frames in [0, 255]"
        )
    if not given.dtype.is_integer:
        raise ValueError(f"{_FRAMES}, got {given.dtype.name}")
    known = tf.get_static_value(given)
    if known is None:
        raise ValueError(f"{_FRAMES}, got {given.dtype.name}: cast them with tf.cast")
    if known.size and not (known.min() >= 0 and known.max() <= 255):
        raise ValueError(
            f"{_FRAMES}, got {given.dtype.name} from {known.min()} to {known.max()}: scale them"
        )
    return _shaped(tf.cast(given, tf.uint8), "frames [B, T, H, W, 3]", _FRAMES_SHAPE)


def audio(given: Any, min_samples: int = 0) -> tf.Tensor:
    """Audio as float32.

    Args:
      given: [B, S], floating, in [-1, 1] or thereabouts.
      min_samples: least S, where it can be looked at.

    Returns:
      [B, S] float32; in a graph, with a check of the numbers that runs with it.

    Raises:
      ValueError: other than floats, and where they can be looked at, too few of them, NaN or far
        from [-1, 1].
      tf.errors.InvalidArgumentError: likewise, when the graph runs.
    """
    given = _tensor(given, _AUDIO)
    if not given.dtype.is_floating:
        todo = ": divide 16-bit samples by 32768.0, and cast" if given.dtype.is_integer else ""
        raise ValueError(f"{_AUDIO}, got {given.dtype.name}{todo}")
    given = _shaped(given, "audio [B, S]", _AUDIO_SHAPE)
    num_samples = given.shape[1] if given.shape.rank else None
    if num_samples is not None and num_samples < min_samples:
        raise ValueError(
            f"audio [B, S] must have at least {min_samples} samples (S), got {given.shape}"
        )
    told = f"{_AUDIO} and finite"
    known = tf.get_static_value(given)
    given = tf.cast(given, tf.float32)
    if known is None:
        in_range = tf.reduce_all(tf.abs(given) < _LOUDEST)
        check = tf.debugging.assert_equal(
            in_range, True, f"{told}: divide 16-bit samples by 32768.0"
        )
        with tf.control_dependencies([check]):
            return tf.identity(given)
    loudest = np.max(np.abs(known), initial=0)
    if not loudest < _LOUDEST:  # Nor is NaN.
        raise ValueError(f"{told}, got {loudest:g}: divide 16-bit samples by 32768.0")
    return given


def _tensor(given: Any, expected: str) -> tf.Tensor:
    if isinstance(given, (tf.RaggedTensor, tf.SparseTensor)):
        raise ValueError(
            f"{expected}, of one length, got a {type(given).__name__}: pass one clip at a time, or "
            "a dense batch of clips of one length"
        )
    return given if tf.is_tensor(given) else tf.convert_to_tensor(given)


def _shaped(given: tf.Tensor, what: str, shape: tuple[int | None, ...]) -> tf.Tensor:
    """Refuses another rank or number of channels, as far as they are known."""
    if not given.shape.is_compatible_with(shape):
        raise ValueError(f"expected {what}, got {given.shape}")
    return given
