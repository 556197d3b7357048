"""Frames of one clip: crop windows and decoding; the window is the same in all frames."""

import functools
import math

import numpy as np
import tensorflow as tf

from actcl_tf.data.input.transforms import resampling
from actcl_tf.data.records import jpeg_header

_LOG_ASPECT = math.log(4.0 / 3.0)
_PNG, _PNG_SIDES = b"\x89PNG", (16, 8)  # How one starts; where its width and height are.
_RATIOS = (1, 2, 4, 8)  # By which a JPEG decoder can reduce a frame.


def frame_size(frame_jpeg: tf.Tensor) -> tf.Tensor:
    """Height and width of a JPEG or a PNG, [2] int32, from its header alone."""

    def png_size() -> tf.Tensor:
        sides = tf.strings.substr(frame_jpeg, *_PNG_SIDES)
        return tf.io.decode_raw(sides, tf.int32, little_endian=False)[::-1]

    return tf.cond(_is_png(frame_jpeg), png_size, lambda: tf.io.extract_jpeg_shape(frame_jpeg)[:2])


def _is_png(frame: tf.Tensor) -> tf.Tensor:
    return tf.equal(tf.strings.substr(frame, 0, len(_PNG)), _PNG)


def clip_size(frames_jpeg: tf.Tensor) -> tf.Tensor:
    """Height and width of the frames of a clip, [2] int32, from the head of the first.

    Args:
      frames_jpeg: [T] string.

    Raises:
      tf.errors.InvalidArgumentError: it says that they are larger than any video's, which a few
        bytes can say, and memory would be set aside for it.
    """
    size = frame_size(frames_jpeg[0])
    tf.debugging.assert_less_equal(
        tf.reduce_prod(tf.cast(size, tf.int64)),
        tf.constant(jpeg_header.MOST_PIXELS, tf.int64),
        f"frames must have at most {jpeg_header.MOST_PIXELS:,} pixels",
    )
    return size


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


def end_boxes(region: tf.Tensor) -> list[tf.Tensor]:
    """The largest squares at the start, in the middle and at the end of a region's longer side.

    Args:
      region: [4] int32: top, left, height, width.

    Returns:
      Three [4] int32: top, left, height, width; all alike where the region is a square.
    """
    central = central_box(region)
    start, room = region[:2], region[2:] - central[2:]
    return [tf.concat([place, central[2:]], 0) for place in (start, central[:2], start + room)]


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


def fixed_box(region: tf.Tensor, size: int, seed: tf.Tensor) -> tf.Tensor:
    """Draws the place of a square crop window of `size` pixels.

    Args:
      region: [4] int32, top, left, height and width of the part of the frame to crop from.
      size: of the window, pixels.
      seed: [2] int32, stateless seed.

    Returns:
      [4] int32: top, left, size, size; inside the region.

    Raises:
      tf.errors.InvalidArgumentError: the region is smaller.
    """
    too_small = "--crop=fixed: frames are smaller than --image_size: lower it, or --crop=resized"
    check = tf.debugging.assert_greater_equal(tf.reduce_min(region[2:]), size, too_small)
    with tf.control_dependencies([] if check is None else [check]):
        room = tf.cast(region[2:] - size + 1, tf.float32)
    place = tf.floor(tf.random.stateless_uniform([2], seed) * room)
    return tf.concat([region[:2] + tf.cast(place, tf.int32), [size, size]], 0)


def decode(frames_jpeg: tf.Tensor, box: tf.Tensor, target: int | None = None) -> tf.Tensor:
    """Decodes one window of each frame, and only that window.

    Where the window is at least twice as large as what it is to be resized to, the frames are
    decoded at 1/2, 1/4 or 1/8 of their size, which leaves out most of the inverse transform: to the
    smallest at which nothing has to be enlarged.

    Args:
      frames_jpeg: [T] string, JPEG or PNG frames of one size.
      box: [4] int32: top, left, height, width.
      target: side of the frame that the window will be resized to, pixels; None: full size.

    Returns:
      [T, height, width, 3] uint8, RGB; of a reduced window, its sides divided by the reduction,
      borders rounded outwards.

    Raises:
      tf.errors.InvalidArgumentError: a frame is damaged, or of another size than the first.
    """
    if target is None:
        return _decode_reduced(frames_jpeg, box, 1)
    smallest = tf.reduce_min(box[2:])
    level = tf.reduce_sum(tf.cast(smallest >= [target * ratio for ratio in _RATIOS[1:]], tf.int32))
    branches = [functools.partial(_decode_reduced, frames_jpeg, box, ratio) for ratio in _RATIOS]
    return tf.switch_case(level, branches)


def _decode_reduced(frames_jpeg: tf.Tensor, box: tf.Tensor, ratio: int) -> tf.Tensor:
    # The window is one of the reduced frame, whose sides are rounded up.
    start = box[:2] // ratio
    window = tf.concat([start, (box[:2] + box[2:] + ratio - 1) // ratio - start], 0)
    size = frame_size(frames_jpeg[0])

    def decode_one(frame: tf.Tensor) -> tf.Tensor:
        tf.debugging.assert_equal(frame_size(frame), size, "frames must be of one size")

        def cut_jpeg() -> tf.Tensor:
            # The accurate transform costs 3% of a clip's time and gives the pixels of others.
            return tf.io.decode_and_crop_jpeg(
                frame, window, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE"
            )

        return tf.cond(_is_png(frame), lambda: _cut_png(frame, window, ratio), cut_jpeg)

    return tf.map_fn(
        decode_one, frames_jpeg, fn_output_signature=tf.TensorSpec([None, None, 3], tf.uint8)
    )


def _cut_png(frame: tf.Tensor, window: tf.Tensor, ratio: int) -> tf.Tensor:
    """A window of a PNG, [h, w, 3] uint8, reduced as a JPEG is: by the mean of each square."""
    pixels = tf.io.decode_png(frame, channels=3)
    if ratio > 1:
        room = -tf.shape(pixels)[:2] % ratio
        edges = tf.stack([tf.stack([0, room[0]]), tf.stack([0, room[1]]), tf.constant([0, 0])])
        padded = tf.cast(tf.pad(pixels, edges, "SYMMETRIC"), tf.float32)
        pixels = to_uint8(tf.nn.avg_pool2d(padded[tf.newaxis], ratio, ratio, "VALID"))[0]
    top, left, height, width = tf.unstack(window)
    return pixels[top : top + height, left : left + width]


def decode_boxes(
    frames_jpeg: tf.Tensor, boxes: list[tf.Tensor], target: int | None = None
) -> list[tf.Tensor]:
    """Decodes several windows of the same frames, each frame once.

    Args:
      frames_jpeg: [T] string, JPEG or PNG frames of one size.
      boxes: windows, [4] int32 each: top, left, height, width.
      target: see `decode`; several windows are decoded in full size.

    Returns:
      One [T, height, width, 3] uint8 for each window.
    """
    if len(boxes) == 1:
        return [decode(frames_jpeg, boxes[0], target)]
    stacked = tf.stack(boxes)
    origin = tf.reduce_min(stacked[:, :2], 0)
    end = tf.reduce_max(stacked[:, :2] + stacked[:, 2:], 0)
    frames = decode(frames_jpeg, tf.concat([origin, end - origin], 0))
    crops = []
    for box in boxes:
        top, left = tf.unstack(box[:2] - origin)
        crops.append(frames[:, top : top + box[2], left : left + box[3]])
    return crops


def fit(frames: tf.Tensor, image_size: int, *, is_resized: bool) -> tf.Tensor:
    """Frames of the size that is trained on: resized, or cropped to it already.

    Args:
      frames: [T, h, w, 3] uint8.
      image_size: height and width of the result (H, W), pixels.
      is_resized: see `resampling.resize`; otherwise h and w are `image_size` already.

    Returns:
      [T, H, W, 3]: float32 in [0, 255] if resized, else uint8.
    """
    if is_resized:
        return resampling.resize(frames, image_size)
    return tf.ensure_shape(frames, [None, image_size, image_size, 3])


def to_uint8(frames: tf.Tensor, offset: float = 0.0) -> tf.Tensor:
    """Rounds to the nearest integer (halves up) and clips to [0, 255].

    Args:
      frames: [...] float32; uint8 passes as it is.
      offset: [] float32, added before rounding.

    Returns:
      [...] uint8.
    """
    if frames.dtype == tf.uint8:
        return frames
    # Half the time of tf.saturate_cast, for the same numbers.
    return tf.cast(tf.clip_by_value(frames + (offset + 0.5), 0.0, 255.0), tf.uint8)
