"""Frames of one clip: crop windows, decoding, resizing and augmentation.

Every draw is made once a clip, so that all of its frames get the same crop, colours and blur.
Brightness, contrast, saturation, hue and grey are one 3x3 matrix and one offset, applied in a
single pass over the pixels; values are clipped to [0, 255] once, at the end.
"""

import math

import numpy as np
import tensorflow as tf

# Rec. 601, as JPEG's own luma.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_RGB_TO_YIQ = np.array(
    [[0.299, 0.587, 0.114], [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]],
    np.float32,
)
_YIQ_TO_RGB = np.linalg.inv(_RGB_TO_YIQ)

# Shares of the strength of the colour jitter that each part takes (SimCLR, arXiv 2002.05709, A.1).
_BRIGHTNESS, _CONTRAST, _SATURATION, _HUE = 0.8, 0.8, 0.8, 0.2
# Standard deviations of the blur, in pixels of a 112-pixel picture.
_BLUR_SIGMA = (0.1, 2.0)
_LOG_ASPECT = math.log(4.0 / 3.0)
# Bilinear interpolation reads two pixels a side: beyond this reduction it would skip some.
_ANTIALIAS_FROM = 2


def frame_size(frame_jpeg: tf.Tensor) -> tf.Tensor:
    """Height and width of a JPEG, [2] int32, from its header alone."""
    return tf.io.extract_jpeg_shape(frame_jpeg)[:2]


def region_of(size: tf.Tensor, shares: tuple[float, float, float, float]) -> tf.Tensor:
    """The part of a frame that is looked at.

    Args:
      size: [2] int32, height and width of the frame.
      shares: top, left, bottom and right, as shares of the height and the width.

    Returns:
      [4] int32: top, left, height, width; height and width at least 1.
    """
    ends = tf.reshape(tf.cast(size, tf.float32) * np.reshape(shares, [2, 2]).astype("f"), [4])
    ends = tf.cast(tf.round(ends), tf.int32)
    start = tf.minimum(ends[:2], size - 1)
    return tf.concat([start, tf.maximum(ends[2:] - start, 1)], 0)


def central_box(region: tf.Tensor) -> tf.Tensor:
    """The largest square in the middle of a region.

    Args:
      region: [4] int32: top, left, height, width.

    Returns:
      [4] int32: top, left, height, width.
    """
    start, size = region[:2], region[2:]
    side = tf.reduce_min(size)
    return tf.concat([start + (size - side) // 2, [side, side]], 0)


def random_box(region: tf.Tensor, min_area: float, seed: tf.Tensor) -> tf.Tensor:
    """Draws a crop window: area, then aspect ratio (3/4 to 4/3), then place.

    The area is uniform; the aspect ratio log-uniform among those that fit the region at that area.
    Where none fits (a large area of a very wide region), the window shrinks until it does.

    Args:
      region: [4] int32, top, left, height and width of the part of the frame to crop from.
      min_area: smallest share of the region's area, in (0, 1].
      seed: [2] int32, stateless seed.

    Returns:
      [4] int32: top, left, height, width; inside the region, height and width at least 1.
    """
    start, size = region[:2], region[2:]
    draws = tf.random.stateless_uniform([4], seed)
    height, width = tf.unstack(tf.cast(size, tf.float32))
    area = height * width * (min_area + (1.0 - min_area) * draws[0])
    narrowest = tf.maximum(tf.math.log(area / height**2), -_LOG_ASPECT)
    widest = tf.minimum(tf.math.log(width**2 / area), _LOG_ASPECT)
    log_aspect = tf.clip_by_value(
        narrowest + (widest - narrowest) * draws[1], -_LOG_ASPECT, _LOG_ASPECT
    )
    aspect = tf.exp(log_aspect)
    crop_height = tf.minimum(tf.minimum(tf.sqrt(area / aspect), height), width / aspect)
    sides = tf.round(tf.stack([crop_height, crop_height * aspect]))
    sides = tf.clip_by_value(tf.cast(sides, tf.int32), 1, size)
    room = tf.cast(size - sides + 1, tf.float32)
    return tf.concat([start + tf.cast(tf.floor(draws[2:] * room), tf.int32), sides], 0)


def decode(frames_jpeg: tf.Tensor, box: tf.Tensor) -> tf.Tensor:
    """Decodes one window of each frame, and only that window.

    Args:
      frames_jpeg: [T] string, JPEG frames of one size.
      box: [4] int32: top, left, height, width.

    Returns:
      [T, height, width, 3] uint8, RGB.
    """
    return tf.map_fn(
        # The accurate transform costs 3% of a clip's time and gives the pixels other decoders give.
        lambda frame: tf.io.decode_and_crop_jpeg(
            frame, box, channels=3, dct_method="INTEGER_ACCURATE"
        ),
        frames_jpeg,
        fn_output_signature=tf.TensorSpec([None, None, 3], tf.uint8),
    )


def decode_boxes(frames_jpeg: tf.Tensor, boxes: list[tf.Tensor]) -> list[tf.Tensor]:
    """Decodes several windows of the same frames, each frame once.

    Args:
      frames_jpeg: [T] string, JPEG frames of one size.
      boxes: windows, [4] int32 each: top, left, height, width.

    Returns:
      One [T, height, width, 3] uint8 for each window.
    """
    if len(boxes) == 1:
        return [decode(frames_jpeg, boxes[0])]
    stacked = tf.stack(boxes)
    origin = tf.reduce_min(stacked[:, :2], 0)
    end = tf.reduce_max(stacked[:, :2] + stacked[:, 2:], 0)
    frames = decode(frames_jpeg, tf.concat([origin, end - origin], 0))
    crops = []
    for box in boxes:
        top, left = tf.unstack(box[:2] - origin)
        crops.append(frames[:, top : top + box[2], left : left + box[3]])
    return crops


def resize(frames: tf.Tensor, image_size: int) -> tf.Tensor:
    """Resizes frames bilinearly, with a low-pass filter where they shrink to less than half.

    Args:
      frames: [T, h, w, 3] uint8.
      image_size: height and width of the result (H, W), pixels.

    Returns:
      [T, H, W, 3] float32, in [0, 255].
    """
    size = [image_size, image_size]
    longest = tf.reduce_max(tf.shape(frames)[1:3])
    resized = tf.cond(
        longest > _ANTIALIAS_FROM * image_size,
        lambda: tf.image.resize(frames, size, antialias=True),
        lambda: tf.image.resize(frames, size),
    )
    return tf.ensure_shape(resized, [None, image_size, image_size, 3])


def to_uint8(frames: tf.Tensor, offset: float = 0.0) -> tf.Tensor:
    """Rounds to the nearest integer (halves up) and clips to [0, 255].

    Args:
      frames: [...] float32.
      offset: [] float32, added before rounding.

    Returns:
      [...] uint8.
    """
    return tf.saturate_cast(frames + (offset + 0.5), tf.uint8)


def jitter_colors(frames: tf.Tensor, factors: tf.Tensor, gray: tf.Tensor) -> tf.Tensor:
    """Brightness, contrast, saturation, hue and grey, in this order, in one pass.

    Contrast is about the mean luma of the whole clip, so that it cannot flicker. Hue turns the
    chroma plane of YIQ, from red towards yellow, and keeps luma.

    Args:
      frames: [T, H, W, 3] float32, in [0, 255].
      factors: [4] float32: brightness, contrast and saturation factors (1: no change), and the turn
        of hue (0: no change; 1: a full turn).
      gray: [] bool, whether to drop all colour.

    Returns:
      [T, H, W, 3] uint8.
    """
    brightness, contrast, saturation, hue = tf.unstack(factors)
    saturation = tf.where(gray, 0.0, saturation)
    angle = hue * (2.0 * math.pi)
    cos, sin = tf.cos(angle) * saturation, tf.sin(angle) * saturation
    turn = tf.stack([[1.0, 0.0, 0.0], [0.0, cos, sin], [0.0, -sin, cos]])
    # Rows of pixels are multiplied from the left, hence the transposes.
    matrix = tf.matmul(tf.matmul(_RGB_TO_YIQ.T, turn, transpose_b=True), _YIQ_TO_RGB.T)
    rows = tf.reshape(frames, [-1, 3])
    mean_luma = tf.tensordot(tf.reduce_mean(rows, 0), _LUMA, 1)
    offset = brightness * (1.0 - contrast) * mean_luma
    # Turning and desaturating leave grey as it is, so one number serves all three channels.
    rows = tf.matmul(rows, matrix * (brightness * contrast))
    return to_uint8(tf.reshape(rows, tf.shape(frames)), offset)


def blur(frames: tf.Tensor, sigma: tf.Tensor) -> tf.Tensor:
    """Gaussian blur; at the border the kernel is what lies inside, scaled to sum to 1.

    Two products with a dense [size, size] kernel matrix: faster on a CPU than depthwise convolution
    with three channels.

    Args:
      frames: [T, size, size, 3] float32, square.
      sigma: [] float32, standard deviation in pixels, positive.

    Returns:
      [T, size, size, 3] float32.
    """
    size = frames.shape[1]
    distance = np.arange(size)[:, None] - np.arange(size)[None, :]
    squared = tf.constant(distance.astype(np.float32) ** 2)
    kernel = tf.nn.softmax(-squared / (2.0 * sigma**2))

    def blur_columns(images: tf.Tensor) -> tf.Tensor:
        rows = tf.matmul(kernel[None], tf.reshape(images, [-1, size, size * 3]))
        return tf.transpose(tf.reshape(rows, [-1, size, size, 3]), [0, 2, 1, 3])

    return blur_columns(blur_columns(frames))


def augment(
    frames: tf.Tensor,
    seed: tf.Tensor,
    *,
    flip: bool,
    color_jitter: float,
    gray_probability: float,
    blur_probability: float,
) -> tf.Tensor:
    """Flips, blurs and recolours a clip, all frames alike.

    Args:
      frames: [T, H, W, 3] float32, in [0, 255], square.
      seed: [2] int32, stateless seed.
      flip: whether half of the clips are mirrored from left to right.
      color_jitter: strength, 0 (none) to 1: factors of brightness, contrast and saturation are
        uniform in 1 +- 0.8 strength, the turn of hue in +- 0.2 strength.
      gray_probability: share of clips turned to grey.
      blur_probability: share of clips blurred, with a standard deviation that is uniform from 0.1
        to 2 pixels at 112 pixels and grows with the picture.

    Returns:
      [T, H, W, 3] uint8.
    """
    draws = tf.random.stateless_uniform([8], seed)
    if blur_probability > 0:
        low, high = (limit * frames.shape[1] / 112 for limit in _BLUR_SIGMA)
        sigma = low + (high - low) * draws[0]
        frames = tf.cond(draws[1] < blur_probability, lambda: blur(frames, sigma), lambda: frames)
    if color_jitter > 0 or gray_probability > 0:
        spread = color_jitter * np.array([_BRIGHTNESS, _CONTRAST, _SATURATION, _HUE], np.float32)
        factors = np.array([1.0, 1.0, 1.0, 0.0], np.float32) + spread * (2.0 * draws[2:6] - 1.0)
        pixels = jitter_colors(frames, factors, draws[6] < gray_probability)
    else:
        pixels = to_uint8(frames)
    if flip:
        pixels = tf.cond(draws[7] < 0.5, lambda: tf.reverse(pixels, [2]), lambda: pixels)
    return pixels
