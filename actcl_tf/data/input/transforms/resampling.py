"""Resizing of frames, by operations that every compiler of models takes, XLA and ONNX among them.

Plain interpolation is such an operation; with a low-pass filter, as `tf.image.resize` has it, it is
not. Filtered, a frame is multiplied by one matrix along its rows and by another along its
columns, to the same values. The rows of such a matrix are different from 0 near their own pixel
alone, so that it is kept as blocks, each a few rows and the columns which they reach.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

# Bilinear interpolation reads two pixels a side: beyond this reduction it would skip some.
_FILTERED_FROM = 2
# Rows of a block. Short blocks hold fewer zeros, long ones make fewer and faster products.
_ROWS, _SHORT = 16, 8


class Band(NamedTuple):
    """A matrix [size, length] as blocks of rows; all else is 0.

    Attributes:
      weights: [blocks, rows, reach] float32; blocks * rows is at least `size`.
      starts: [blocks] int32, first column that each block reaches, in [0, length - reach].
    """

    weights: tf.Tensor
    starts: tf.Tensor


def resize(frames: tf.Tensor, image_size: int) -> tf.Tensor:
    """Resizes frames bilinearly, with a low-pass filter where they shrink to less than half.

    Args:
      frames: [T, h, w, 3] uint8.
      image_size: height and width of the result (H, W), pixels.

    Returns:
      [T, H, W, 3] float32, in [0, 255]; as of `tf.image.resize`, with `antialias` where filtered.
    """
    size = [image_size, image_size]
    longest = tf.reduce_max(tf.shape(frames)[1:3])
    resized = tf.cond(
        longest > _FILTERED_FROM * image_size,
        lambda: filtered(frames, image_size),
        # ONNX gives back the type that it was given, and would round.
        lambda: tf.image.resize(tf.cast(frames, tf.float32), size),
    )
    return tf.ensure_shape(resized, [None, image_size, image_size, 3])


def filtered(frames: tf.Tensor, image_size: int) -> tf.Tensor:
    """`tf.image.resize` with `antialias`, as two matrix products.

    Args:
      frames: [T, h, w, 3] uint8 or float32.
      image_size: height and width of the result (H, W), pixels.

    Returns:
      [T, H, W, 3] float32.
    """
    height, width = tf.unstack(tf.shape(frames)[1:3])
    rows = _along_rows_of_bytes(frames, interpolation(height, image_size, _SHORT), image_size)
    return _along_columns(rows, interpolation(width, image_size, _SHORT), image_size)


def interpolation(length: tf.Tensor, size: int, rows: int) -> Band:
    """The matrix that makes `size` pixels of `length`, with a triangle as kernel.

    Pixel i of the result lies at (i + 1/2) length / size. The kernel reaches one pixel to both
    sides, or one of the result where those are further apart. Rows sum to 1.

    Args:
      length: [] int32.
      size: number of rows.
      rows: of a block.
    """
    # Whole numbers, in units of 1 / (2 size): nothing is rounded before rows are scaled. Where no
    # result is negative, all runtimes agree on what a division of whole numbers is.
    unit, support = 2 * size, 2 * tf.maximum(length, size)
    pixels = np.arange(-(-size // rows) * rows, dtype=np.int32).reshape([-1, rows])
    most = (2 * (rows - 1) * length + 2 * support + unit - 1) // unit
    reach = tf.minimum(most, length)
    before = (2 * pixels[:, 0] + 1) * length - support - size
    starts = tf.minimum(tf.maximum(before + unit, 0) // unit, length - reach)
    columns = _reached(starts, reach)[:, None]
    distance = (2 * columns + 1) * size - (2 * pixels[:, :, None] + 1) * length
    weights = tf.cast(tf.maximum(support - tf.abs(distance), 0), tf.float32)
    # Rows of the last block that are beyond `size` may be all 0.
    sums = tf.maximum(tf.reduce_sum(weights, 2, keepdims=True), 1.0)
    return Band(weights / sums, starts)


def band_of(matrix: tf.Tensor, radius: tf.Tensor) -> Band:
    """Blocks of a matrix that is 0 but near its diagonal.

    Args:
      matrix: [size, size] float32.
      radius: [] int32, distance from the diagonal beyond which all is 0, or left out.
    """
    size = matrix.shape[0]
    rows = np.minimum(np.arange(-(-size // _ROWS) * _ROWS, dtype=np.int32), size - 1)
    rows = rows.reshape([-1, _ROWS])
    reach = tf.minimum(2 * radius + _ROWS, size)
    starts = tf.clip_by_value(rows[:, 0] - radius, 0, size - reach)
    reached = _reached(starts, reach)
    return Band(tf.gather(tf.gather(matrix, rows), reached, axis=2, batch_dims=1), starts)


def _reached(starts: tf.Tensor, reach: tf.Tensor) -> tf.Tensor:
    """Columns that each block reaches, [blocks, reach] int32."""
    return starts[:, None] + tf.range(reach)[None]


def along_rows(frames: tf.Tensor, band: Band, size: int) -> tf.Tensor:
    """The product of a matrix with the columns of frames.

    Args:
      frames: [T, h, w, 3] float32.
      band: [size, h].
      size: height of the result, pixels.

    Returns:
      [T, size, w, 3] float32.
    """
    shape = tf.shape(frames)
    lines = tf.reshape(frames, [shape[0], shape[1], shape[2] * 3])
    reached = _reached(band.starts, tf.shape(band.weights)[2])
    blocks = tf.gather(lines, reached, axis=1)
    made = tf.reshape(tf.matmul(band.weights, blocks), [shape[0], -1, shape[2] * 3])
    return tf.reshape(made[:, :size], [shape[0], size, shape[2], 3])


def _along_rows_of_bytes(frames: tf.Tensor, band: Band, size: int) -> tf.Tensor:
    """As `along_rows`, of [T, h, w, 3] uint8 too.

    One block after the other: large frames, all of them as floats at a time, would be four times
    the bytes, go to memory and come back from there.
    """
    shape = tf.shape(frames)
    lines = tf.reshape(frames, [shape[0], shape[1], shape[2] * 3])
    reach = tf.shape(band.weights)[2]
    made = []
    for i in range(band.weights.shape[0]):
        block = tf.slice(lines, [0, band.starts[i], 0], [-1, reach, -1])
        made.append(tf.matmul(band.weights[i], tf.cast(block, tf.float32)))
    return tf.reshape(tf.concat(made, 1)[:, :size], [shape[0], size, shape[2], 3])


def _along_columns(frames: tf.Tensor, band: Band, size: int) -> tf.Tensor:
    """[T, h, w, 3] -> [T, h, size, 3] float32.

    The colours of a pixel stay side by side: moving them apart and together again would take longer
    than the zeros between them, which are multiplied instead.
    """
    shape = tf.shape(frames)
    lines = tf.reshape(frames, [shape[0] * shape[1], shape[2] * 3])
    count, rows, _ = band.weights.shape
    reach = tf.shape(band.weights)[2]
    pixels = tf.transpose(band.weights, [0, 2, 1])[:, :, None, :, None]
    matrices = pixels * np.eye(3, dtype=np.float32)[None, None, :, None, :]
    matrices = tf.reshape(matrices, [count, reach * 3, rows * 3])
    made = [
        tf.matmul(tf.slice(lines, [0, band.starts[i] * 3], [-1, reach * 3]), matrices[i])
        for i in range(count)
    ]
    joined = tf.concat(made, 1)[:, : size * 3]
    return tf.reshape(joined, [shape[0], shape[1], size, 3])
