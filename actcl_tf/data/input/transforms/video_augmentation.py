"""Augmentation of the frames of one clip: colours, blur and flips.

Every draw is made once a clip, so that all of its frames get the same colours and blur. Brightness,
contrast, saturation, hue and grey are one 3x3 matrix and one offset, applied in a single pass over
the pixels; values are clipped to [0, 255] once, at the end.
"""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from actcl_tf.config import DataConfig
from actcl_tf.data.input.transforms import resampling
from actcl_tf.data.input.transforms.video_ops import to_uint8

# Rec. 601, as JPEG's own luma.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_RGB_TO_YIQ = np.array(
    [[0.299, 0.587, 0.114], [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]],
    np.float32,
)
_YIQ_TO_RGB = np.linalg.inv(_RGB_TO_YIQ)

# Shares of the strength of the colour jitter that brightness, contrast, saturation and hue take
# (SimCLR, arXiv 2002.05709, A.1).
_JITTER = (0.8, 0.8, 0.8, 0.2)
_PIXELS_A_ROW = 4
# Standard deviations of the blur, in pixels of a 112-pixel frame.
_BLUR_SIGMA, BLUR_SIDE = (0.1, 2.0), 112
# Standard deviations from which on a blur is left out: less than one in a million.
_CUT_OFF = 5.0


class Looks(NamedTuple):
    """What is drawn for the looks of a clip; every tensor with the same leading dimensions.

    Attributes:
      blurred: [] bool.
      sigma: [] float32, standard deviation of the blur, in pixels of a 112-pixel frame.
      factors: [4] float32: brightness, contrast and saturation factors (1: no change), and the turn
        of hue (0: no change; 1: a full turn).
      grey: [] bool, whether to drop all colour.
      flipped: [] bool, from left to right.
    """

    blurred: tf.Tensor
    sigma: tf.Tensor
    factors: tf.Tensor
    grey: tf.Tensor
    flipped: tf.Tensor


class Strengths(NamedTuple):
    """How much clips are changed.

    Attributes:
      flip: whether half of the clips are mirrored from left to right.
      color_jitter: strength, 0 (none) to 1: factors of brightness, contrast and saturation are
        uniform in 1 +- 0.8 strength, the turn of hue in +- 0.2 strength.
      gray_probability: share of clips turned to grey.
      blur_probability: share of clips blurred, with a standard deviation that is uniform from 0.1
        to 2 pixels at 112 pixels and grows with the frame.
    """

    flip: bool
    color_jitter: float
    gray_probability: float
    blur_probability: float


def build_strengths(config: DataConfig) -> Strengths:
    """Those of a configuration."""
    return Strengths(*(getattr(config, name) for name in Strengths._fields))


def draw_looks(seed: tf.Tensor, strengths: Strengths) -> Looks:
    """Draws the looks of one clip; the seed is stateless, [2] int32."""
    draws = tf.random.stateless_uniform([8], seed)
    low, high = _BLUR_SIGMA
    spread = strengths.color_jitter * np.array(_JITTER, np.float32)
    return Looks(
        blurred=draws[1] < strengths.blur_probability,
        sigma=low + (high - low) * draws[0],
        factors=np.array([1.0, 1.0, 1.0, 0.0], np.float32) + spread * (2.0 * draws[2:6] - 1.0),
        grey=draws[6] < strengths.gray_probability,
        flipped=(draws[7] < 0.5) & strengths.flip,
    )


def color_matrix(factors: tf.Tensor, gray: tf.Tensor) -> tf.Tensor:
    """Brightness, contrast, saturation, hue and grey as one matrix on rows of RGB.

    Hue turns the chroma plane of YIQ, from red towards yellow, and keeps luma.

    Args:
      factors: [4] float32, see `Looks`.
      gray: [] bool.

    Returns:
      [3, 3] float32, to be multiplied from the right.
    """
    brightness, contrast, saturation, hue = tf.unstack(factors)
    saturation = tf.where(gray, 0.0, saturation)
    angle = hue * (2.0 * math.pi)
    cos, sin = tf.cos(angle) * saturation, tf.sin(angle) * saturation
    turn = tf.stack([[1.0, 0.0, 0.0], [0.0, cos, sin], [0.0, -sin, cos]])
    # Rows of pixels are multiplied from the left, hence the transposes.
    matrix = tf.matmul(tf.matmul(_RGB_TO_YIQ.T, turn, transpose_b=True), _YIQ_TO_RGB.T)
    return matrix * (brightness * contrast)


def contrast_offset(factors: tf.Tensor, mean_color: tf.Tensor) -> tf.Tensor:
    """What contrast adds: it is about the mean luma of the whole clip, so that nothing flickers.

    Turning and desaturating leave grey as it is, so one number serves all three channels.

    Args:
      factors: [..., 4] float32, see `Looks`.
      mean_color: [..., 3] float32, mean of all pixels of the clip.

    Returns:
      [...] float32.
    """
    mean_luma = tf.tensordot(mean_color, _LUMA, 1)
    return factors[..., 0] * (1.0 - factors[..., 1]) * mean_luma


def jitter_colors(frames: tf.Tensor, factors: tf.Tensor, gray: tf.Tensor) -> tf.Tensor:
    """Brightness, contrast, saturation, hue and grey, in this order, in one pass.

    Args:
      frames: [T, H, W, 3] float32, in [0, 255].
      factors: [4] float32, see `Looks`.
      gray: [] bool, whether to drop all colour.

    Returns:
      [T, H, W, 3] uint8.
    """
    # Matrix products are fastest where rows are not short: several pixels make one row, and the sum
    # over all pixels is a product, too. Together this halves the time.
    pixels = _PIXELS_A_ROW if (frames.shape[2] or 1) % _PIXELS_A_ROW == 0 else 1
    rows = tf.reshape(frames, [-1, 3 * pixels])
    num_rows = tf.shape(rows)[0]
    sums = tf.reshape(tf.matmul(tf.ones([1, num_rows]), rows), [pixels, 3])
    mean_color = tf.reduce_sum(sums, 0) / tf.cast(num_rows * pixels, tf.float32)
    matrix = color_matrix(factors, gray)
    blocks = tf.eye(pixels)[:, None, :, None] * matrix[None, :, None, :]
    rows = tf.matmul(rows, tf.reshape(blocks, [3 * pixels, 3 * pixels]))
    offset = contrast_offset(factors, mean_color)
    return to_uint8(tf.reshape(rows, tf.shape(frames)), offset)


def blur_kernel(size: int, sigma: tf.Tensor) -> tf.Tensor:
    """A Gaussian blur as a product with columns of pixels.

    Args:
      size: of the columns.
      sigma: [...] float32, standard deviation in pixels, positive.

    Returns:
      [..., size, size] float32; every row sums to 1.
    """
    distance = np.arange(size)[:, None] - np.arange(size)[None, :]
    squared = tf.constant(distance.astype(np.float32) ** 2)
    return tf.nn.softmax(-squared / (2.0 * sigma[..., None, None] ** 2))


def blur(frames: tf.Tensor, sigma: tf.Tensor) -> tf.Tensor:
    """Gaussian blur; at the border the kernel is what lies inside, scaled to sum to 1.

    Two products with the kernel as a matrix, without what is 0 of it: faster on a CPU than
    depthwise convolution with three channels.

    Args:
      frames: [T, size, size, 3] float32, square.
      sigma: [] float32, standard deviation in pixels, positive.

    Returns:
      [T, size, size, 3] float32.
    """
    size = frames.shape[1]
    radius = tf.cast(tf.math.ceil(_CUT_OFF * sigma), tf.int32)
    kernel = resampling.band_of(blur_kernel(size, sigma), radius)

    def blur_columns(images: tf.Tensor) -> tf.Tensor:
        return tf.transpose(resampling.along_rows(images, kernel, size), [0, 2, 1, 3])

    return blur_columns(blur_columns(frames))


def augment(frames: tf.Tensor, seed: tf.Tensor, strengths: Strengths) -> tf.Tensor:
    """Flips, blurs and recolours a clip, all frames alike.

    Args:
      frames: [T, H, W, 3] float32, in [0, 255], or uint8; square.
      seed: [2] int32, stateless seed.
      strengths: of what is done.

    Returns:
      [T, H, W, 3] uint8.
    """
    looks = draw_looks(seed, strengths)
    if strengths.blur_probability > 0:
        sigma = looks.sigma * (frames.shape[1] / BLUR_SIDE)
        frames = tf.cast(frames, tf.float32)
        frames = tf.cond(looks.blurred, lambda: blur(frames, sigma), lambda: frames)
    if strengths.color_jitter > 0 or strengths.gray_probability > 0:
        pixels = jitter_colors(tf.cast(frames, tf.float32), looks.factors, looks.grey)
    else:
        pixels = to_uint8(frames)
    if strengths.flip:
        pixels = tf.cond(looks.flipped, lambda: _mirrored(pixels), lambda: pixels)
    return pixels


def _mirrored(pixels: tf.Tensor) -> tf.Tensor:
    """Frames [T, H, W, 3] from right to left; TensorFlow is quick with three dimensions alone."""
    lines = tf.reshape(pixels, [-1, pixels.shape[2], 3])
    return tf.reshape(tf.reverse(lines, [1]), tf.shape(pixels))
