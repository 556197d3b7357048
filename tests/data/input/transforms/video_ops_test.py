"""Crops, resizing and colours of clips, against PIL, SciPy and NumPy."""

import io

import numpy as np
import PIL.Image
import PIL.ImageEnhance
import pytest
import tensorflow as tf
from scipy import stats

from actcl_tf.data.input.transforms import video_ops
from tests.data.input.transforms.many_draws import over_seeds, smooth


def _jpegs(frames):
    return tf.stack(
        [tf.io.encode_jpeg(frame, quality=95, chroma_downsampling=False) for frame in frames]
    )


def _random_boxes(size, min_area, count):
    return over_seeds(
        lambda seed: video_ops.random_box(tf.constant([0, 0, *size]), min_area, seed),
        count,
        tf.int32,
    )


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ([10, 10], [0, 0, 10, 10]),
        ([10, 16], [0, 3, 10, 10]),
        ([17, 10], [3, 0, 10, 10]),
        ([1, 5], [0, 2, 1, 1]),
        ([1, 1], [0, 0, 1, 1]),
    ],
)
def test_central_box(size, expected):
    np.testing.assert_array_equal(video_ops.central_box(tf.constant([0, 0, *size])), expected)


@pytest.mark.parametrize(
    ("size", "expected_sides"),
    [
        ([64, 64], [64, 64]),  # the whole frame, and no other window has its area
        ([100, 400], [100, 133]),  # no allowed window is that large: the largest one
        ([400, 100], [133, 100]),
        ([1, 1], [1, 1]),
        ([1, 100], [1, 1]),
    ],
)
def test_random_box_of_the_whole_area(size, expected_sides):
    boxes = _random_boxes(size, 1.0, 50)
    np.testing.assert_array_equal(boxes[:, 2:], np.tile(expected_sides, (50, 1)))


@pytest.mark.parametrize("size", [[96, 96], [72, 128], [128, 72], [20, 200], [3, 2]])
@pytest.mark.parametrize("min_area", [0.05, 0.4, 1.0])
def test_random_box_lies_inside_with_an_allowed_shape(size, min_area):
    boxes = _random_boxes(size, min_area, 200)
    height, width = boxes[:, 2], boxes[:, 3]
    assert boxes[:, :2].min() >= 0
    assert boxes[:, 2:].min() >= 1
    assert (boxes[:, 0] + height).max() <= size[0]
    assert (boxes[:, 1] + width).max() <= size[1]
    # Half a pixel of rounding on each side.
    assert ((height - 0.5) * 3 / 4 <= width + 0.5).all()
    assert ((width - 0.5) * 3 / 4 <= height + 0.5).all()
    largest = min(size[0], size[1] * 4 / 3) * min(size[1], size[0] * 4 / 3)
    wanted = min(min_area * size[0] * size[1], largest)
    assert ((height + 0.5) * (width + 0.5) >= wanted * 0.999).all()


def test_random_box_area_is_uniform_and_places_reach_the_edges():
    boxes = _random_boxes([1000, 1000], 0.25, 3000)
    areas = boxes[:, 2] * boxes[:, 3] / 1e6
    assert stats.kstest(areas, stats.uniform(0.25, 0.75).cdf).pvalue > 0.001
    small = boxes[(boxes[:, 2] < 700) & (boxes[:, 3] < 700)]
    places = small[:, :2] / (1000 - small[:, 2:])
    for axis in (0, 1):
        assert stats.kstest(places[:, axis], "uniform").pvalue > 0.001
    assert abs(np.log(boxes[:, 3] / boxes[:, 2]).mean()) < 0.02


@pytest.mark.parametrize("box", [[0, 0, 40, 48], [3, 5, 20, 31], [39, 47, 1, 1]])
def test_decode_equals_pil(rng, box):
    jpegs = _jpegs(smooth(rng, 3, 40, 48))
    top, left, height, width = box
    expected = [
        np.asarray(PIL.Image.open(io.BytesIO(jpeg)))[top : top + height, left : left + width]
        for jpeg in jpegs.numpy()
    ]
    frames = video_ops.decode(jpegs, tf.constant(box))
    assert frames.dtype == tf.uint8
    np.testing.assert_allclose(frames.numpy().astype(int), expected, atol=2)


@pytest.mark.parametrize(
    "box, target, expected",
    [
        ([0, 0, 80, 96], 41, (80, 96)),  # Half would be less than the target.
        ([0, 0, 80, 96], 40, (40, 48)),
        ([16, 32, 64, 64], 32, (32, 32)),
        ([16, 32, 64, 64], 16, (16, 16)),
        ([0, 0, 80, 96], 10, (10, 12)),
        ([0, 0, 80, 96], 2, (10, 12)),  # An eighth is the smallest.
        ([7, 9, 33, 41], 16, (17, 21)),  # Rows 7 to 39 lie in 3 to 19 of half size.
    ],
)
def test_reduced_decoding_is_the_picture_reduced(rng, box, target, expected):
    frames = smooth(rng, 2, 80, 96)
    found = video_ops.decode(_jpegs(frames), tf.constant(box), target).numpy()
    assert found.shape[1:3] == expected
    ratio = round(box[2] / expected[0])
    top, left = box[0] // ratio * ratio, box[1] // ratio * ratio
    region = (left, top, left + expected[1] * ratio, top + expected[0] * ratio)
    for frame, one in zip(frames, found, strict=True):
        picture = PIL.Image.fromarray(np.asarray(frame))
        reduced = picture.resize(expected[::-1], PIL.Image.Resampling.BOX, box=region)
        assert np.abs(np.asarray(reduced, int) - one).mean() < 2.5


def test_decode_of_a_grey_jpeg_has_three_equal_channels(rng):
    jpeg = tf.io.encode_jpeg(smooth(rng, 1, 16, 16)[0, :, :, :1])
    frames = video_ops.decode(jpeg[None], tf.constant([0, 0, 16, 16])).numpy()
    assert frames.shape == (1, 16, 16, 3)
    np.testing.assert_array_equal(frames[..., :1].repeat(3, -1), frames)


def test_decode_refuses_what_is_no_jpeg():
    with pytest.raises(tf.errors.InvalidArgumentError):
        video_ops.decode(tf.constant([b"no picture"]), tf.constant([0, 0, 1, 1]))


def test_boxes_of_two_views_equal_boxes_decoded_alone(rng):
    jpegs = _jpegs(smooth(rng, 2, 40, 48))
    boxes = [tf.constant([4, 6, 20, 25]), tf.constant([10, 0, 30, 12])]
    for crop, box in zip(video_ops.decode_boxes(jpegs, boxes), boxes, strict=True):
        alone = video_ops.decode(jpegs, box).numpy().astype(int)
        np.testing.assert_allclose(crop.numpy().astype(int), alone, atol=2)


def test_frame_size_comes_from_the_header(rng):
    jpeg = _jpegs(smooth(rng, 1, 24, 40))[0]
    np.testing.assert_array_equal(video_ops.frame_size(jpeg), [24, 40])


@pytest.mark.parametrize(
    ("value", "offset", "expected"),
    [(-5.0, 0.0, 0), (0.49, 0.0, 0), (0.5, 0.0, 1), (254.6, 0.0, 255), (300.0, 0.0, 255),
     (10.0, 2.5, 13), (10.0, -20.0, 0)],
)  # fmt: skip
def test_to_uint8(value, offset, expected):
    assert int(video_ops.to_uint8(tf.constant(value), offset)) == expected


@pytest.mark.parametrize(
    ("size", "shares", "expected"),
    [
        ([100, 200], (0.0, 0.0, 1.0, 1.0), [0, 0, 100, 200]),
        ([100, 200], (0.5, 0.25, 1.0, 0.75), [50, 50, 50, 100]),
        ([3, 3], (0.0, 0.0, 0.1, 0.1), [0, 0, 1, 1]),  # Never empty.
        ([1, 1], (0.6, 0.9, 1.0, 1.0), [0, 0, 1, 1]),
    ],
)
def test_region_of(size, shares, expected):
    np.testing.assert_array_equal(video_ops.region_of(tf.constant(size), shares), expected)


def test_boxes_stay_inside_their_region():
    region = tf.constant([10, 40, 30, 20])
    np.testing.assert_array_equal(video_ops.central_box(region), [15, 40, 20, 20])
    for i in range(50):
        top, left, height, width = video_ops.random_box(region, 0.3, [0, i]).numpy()
        assert 10 <= top <= top + height <= 40
        assert 40 <= left <= left + width <= 60


@pytest.mark.parametrize(
    ("box", "target"),
    [([0, 0, 48, 61], None), ([5, 7, 20, 30], None), ([2, 3, 40, 41], 20), ([1, 0, 47, 61], 10)],
)
def test_a_png_is_cut_to_the_pixels_that_it_holds(rng, box, target):
    frames = smooth(rng, 2, 48, 61)
    pngs = tf.stack([tf.io.encode_png(frame) for frame in frames])
    assert video_ops.clip_size(pngs).numpy().tolist() == [48, 61]
    cut = tf.function(video_ops.decode)(pngs, tf.constant(box), target).numpy()
    top, left, height, width = box
    if target is None:
        np.testing.assert_array_equal(cut, frames[:, top : top + height, left : left + width])
        return
    # Reduced as a JPEG is: of the same shape, and of nearly the same pixels, but for the edges.
    expected = tf.function(video_ops.decode)(_jpegs(frames), tf.constant(box), target).numpy()
    assert cut.shape == expected.shape and cut.shape[1] < height
    np.testing.assert_allclose(cut.astype(int), expected.astype(int), atol=20)
    assert np.abs(cut.astype(int) - expected).mean() < 2
