"""Resizing against NumPy, PIL, and TensorFlow's own with and without a filter."""

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from actcl_tf.data.input.transforms import resampling, video_ops


def _bilinear(frame, size):
    """Bilinear interpolation at the centres of pixels, edges repeated."""
    result = frame.astype(np.float64)
    for axis in (0, 1):
        length = result.shape[axis]
        place = np.clip((np.arange(size) + 0.5) * length / size - 0.5, 0, length - 1)
        low = np.floor(place).astype(int)
        high = np.minimum(low + 1, length - 1)
        share = (place - low).reshape([-1, 1, 1] if axis == 0 else [1, -1, 1])
        result = result.take(low, axis) * (1 - share) + result.take(high, axis) * share
    return result


@pytest.mark.parametrize("shape", [(16, 16), (9, 13), (31, 32), (1, 1), (1, 20)])
def test_resize_is_bilinear(rng, shape):
    frames = rng.integers(0, 256, (2, *shape, 3)).astype(np.uint8)
    resized = resampling.resize(tf.constant(frames), 16)
    assert resized.shape == (2, 16, 16, 3)
    np.testing.assert_allclose(resized, [_bilinear(frame, 16) for frame in frames], atol=1e-3)


def test_enlarging_agrees_with_pil(rng):
    frame = rng.integers(0, 256, (9, 13, 3)).astype(np.uint8)
    expected = PIL.Image.fromarray(frame).resize((32, 32), PIL.Image.Resampling.BILINEAR)
    resized = video_ops.to_uint8(resampling.resize(tf.constant(frame[None]), 32))[0]
    np.testing.assert_allclose(resized.numpy().astype(int), np.asarray(expected, int), atol=1)


def test_strong_reduction_is_filtered_as_in_pil(rng):
    """Fine noise must average out; plain interpolation would keep most of it."""
    frame = rng.integers(0, 256, (80, 96, 3)).astype(np.uint8)
    expected = PIL.Image.fromarray(frame).resize((16, 16), PIL.Image.Resampling.BILINEAR)
    resized = video_ops.to_uint8(resampling.resize(tf.constant(frame[None]), 16))[0]
    np.testing.assert_allclose(resized.numpy().astype(int), np.asarray(expected, int), atol=1)


SHAPES = [
    *[(16, 16), (1, 1), (1, 40), (33, 5), (31, 32), (32, 33), (40, 96), (100, 64), (57, 300)],
    *[(15, 17), (240, 320)],
]


@pytest.mark.parametrize("size", [16, 21, 1])
def test_values_are_those_of_tensorflow(rng, size):
    run = tf.function(
        lambda frames: resampling.filtered(frames, size),
        input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)],
    )
    for shape in SHAPES:
        frames = tf.constant(rng.integers(0, 256, (2, *shape, 3)).astype(np.uint8))
        expected = tf.image.resize(frames, [size, size], antialias=True)
        np.testing.assert_allclose(run(frames), expected, atol=1e-3, err_msg=str(shape))


@pytest.mark.parametrize("shape, is_filtered", [((32, 32), False), ((20, 33), True)])
def test_frames_are_filtered_from_half_on(rng, shape, is_filtered):
    frames = tf.constant(rng.integers(0, 256, (1, *shape, 3)).astype(np.uint8))
    expected = tf.image.resize(frames, [16, 16], antialias=is_filtered)
    assert np.abs(tf.image.resize(frames, [16, 16], antialias=not is_filtered) - expected).max() > 1
    np.testing.assert_allclose(resampling.resize(frames, 16), expected, atol=1e-3)


def test_interpolation_worked_out_by_hand():
    # Two pixels of six: centres at 1.5 and 4.5, triangles of three pixels to both sides.
    whole = resampling.interpolation(tf.constant(6), 2, 2)
    assert whole.starts.numpy().tolist() == [0]
    left = np.array([2, 3, 2, 1, 0, 0]) / 8
    np.testing.assert_allclose(whole.weights, [[left, left[::-1]]], rtol=1e-6)
    # The same in blocks of one row, which reach all that is not 0.
    rows = resampling.interpolation(tf.constant(6), 2, 1)
    for row, start, expected in zip(
        rows.weights[:, 0].numpy(), rows.starts.numpy(), whole.weights[0], strict=True
    ):
        found = np.zeros(6)
        found[start : start + len(row)] = row
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_it_compiles(rng):
    run = tf.function(
        lambda frames: resampling.resize(frames, 16),
        input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)],
        jit_compile=True,
    )
    for shape in [(1, 1), (9, 40), (32, 20), (100, 64)]:
        frames = tf.constant(rng.integers(0, 256, (2, *shape, 3)).astype(np.uint8))
        np.testing.assert_allclose(run(frames), resampling.resize(frames, 16), atol=1e-3)
