"""Gradients of convolutions over maps no larger than their kernel, by products of dense matrices.

At the end of a network for small clips a map is 2 x 2 or 3 x 3, and a kernel of 3 x 3 multiplies
mostly padding. A dense matrix from all places to all places needs no more products, and CPUs do
these several times as fast as the gradients of such a convolution.
"""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

# Rows of the product from which on it makes up for building the matrix.
_LEAST_ROWS = 64


def suits(shape: tf.TensorShape, kernel_size: Sequence[int]) -> bool:
    """Whether `convolve` has the faster gradients, for a stride of 1.

    Args:
      shape: of the input, [B, H, W, C] or [B, T, H, W, C]; where an axis has no known length, as in
        serving, the answer is no: there are no gradients.
      kernel_size: odd sizes on the axes between B and C.
    """
    if shape.rank is None or not shape.is_fully_defined():
        return False
    *rows, height, width, _ = shape
    taps = kernel_size[-2] * kernel_size[-1]
    return 1 < taps >= height * width and int(np.prod(rows)) >= _LEAST_ROWS


@tf.custom_gradient
def convolve(
    inputs: tf.Tensor, kernel: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], list[tf.Tensor]]]:
    """A convolution of stride 1 with padding SAME.

    Args:
      inputs: [B, H, W, C] or [B, T, H, W, C] of known shape.
      kernel: [kH, kW, C, O] or [kT, kH, kW, C, O] of the same dtype, of odd sizes.

    Returns:
      [B, H, W, O] or [B, T, H, W, O].
    """

    def gradients(upstream: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch([inputs, kernel])
            outputs = _multiply(inputs, kernel)  # In a graph, what is not needed is left out.
        return tape.gradient(outputs, [inputs, kernel], upstream)

    layout = "NHWC" if inputs.shape.rank == 4 else "NDHWC"
    return tf.nn.convolution(inputs, kernel, padding="SAME", data_format=layout), gradients


def _multiply(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """The same convolution as one product."""
    is_flat = inputs.shape.rank == 4
    if is_flat:
        inputs, kernel = inputs[:, tf.newaxis], kernel[tf.newaxis]
    batch, frames, height, width, channels = inputs.shape
    taps_in_time, *taps, _, filters = kernel.shape
    places = height * width
    seen = np.einsum("aio,bjp->ijopab", _seen(height, taps[0]), _seen(width, taps[1])).reshape(
        [places * places, -1]
    )
    rows = tf.reshape(kernel, [taps_in_time, -1, channels * filters])
    matrix = tf.matmul(tf.constant(seen, kernel.dtype)[tf.newaxis], rows)
    matrix = tf.reshape(matrix, [taps_in_time, places, places, channels, filters])
    matrix = tf.transpose(matrix, [0, 1, 3, 2, 4])
    maps = tf.reshape(inputs, [batch, frames, places * channels])
    margin = taps_in_time // 2
    padded = tf.pad(maps, [[0, 0], [margin, margin], [0, 0]])
    windows = tf.concat([padded[:, i : i + frames] for i in range(taps_in_time)], axis=-1)
    outputs = tf.matmul(
        tf.reshape(windows, [batch * frames, -1]),
        tf.reshape(matrix, [taps_in_time * places * channels, places * filters]),
    )
    shape = [batch, frames, height, width, filters]
    return tf.reshape(outputs, shape[:1] + shape[2:] if is_flat else shape)


def _seen(length: int, taps: int) -> np.ndarray:
    """[taps, length, length]: 1 where a tap shows place i (second axis) to place o (third)."""
    place = np.arange(length)
    tap = place[:, np.newaxis] - place + taps // 2
    return (np.arange(taps)[:, np.newaxis, np.newaxis] == tap).astype(np.float32)
