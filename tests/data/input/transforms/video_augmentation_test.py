"""Colours, blur and flips of clips, one by one and by batches, against PIL, SciPy and NumPy."""

import math

import numpy as np
import PIL.Image
import PIL.ImageEnhance
import pytest
import tensorflow as tf
from scipy import ndimage, stats

from actcl_tf.data.input.transforms import video_augmentation
from tests.data.input.transforms.many_draws import over_seeds, seeds

NOTHING = video_augmentation.Strengths(
    flip=False, color_jitter=0.0, gray_probability=0.0, blur_probability=0.0
)
EVERYTHING = video_augmentation.Strengths(
    flip=True, color_jitter=1.0, gray_probability=0.3, blur_probability=0.5
)


def _reference_colors(frames, brightness, contrast, saturation, hue, gray):
    """The five steps one after another in float64, hue as a turn of the (U, V) plane."""
    pixels = frames.astype(np.float64) * brightness
    luma = pixels @ [0.299, 0.587, 0.114]
    pixels = luma.mean() + contrast * (pixels - luma.mean())
    luma = (pixels @ [0.299, 0.587, 0.114])[..., None]
    pixels = luma + saturation * (pixels - luma)
    u, v = 0.492 * (pixels[..., 2] - luma[..., 0]), 0.877 * (pixels[..., 0] - luma[..., 0])
    angle = 2 * math.pi * hue
    u, v = u * np.cos(angle) - v * np.sin(angle), u * np.sin(angle) + v * np.cos(angle)
    red, blue = v / 0.877 + luma[..., 0], u / 0.492 + luma[..., 0]
    green = (luma[..., 0] - 0.299 * red - 0.114 * blue) / 0.587
    pixels = np.stack([red, green, blue], -1)
    if gray:
        pixels = luma.repeat(3, -1)
    return np.clip(np.floor(pixels + 0.5), 0, 255)


@pytest.mark.parametrize(
    "factors",
    [
        [1.0, 1.0, 1.0, 0.0],
        [0.6, 1.0, 1.0, 0.0],
        [1.4, 1.0, 1.0, 0.0],
        [1.0, 0.6, 1.0, 0.0],
        [1.0, 1.8, 1.0, 0.0],
        [1.0, 1.0, 0.0, 0.0],
        [1.0, 1.0, 1.8, 0.0],
        [1.0, 1.0, 1.0, 0.2],
        [1.0, 1.0, 1.0, -0.1],
        [0.7, 1.3, 0.6, 0.15],
        [0.0, 1.0, 1.0, 0.0],
        [1.0, 0.0, 1.0, 0.0],
    ],
)
@pytest.mark.parametrize("gray", [False, True])
def test_colors_equal_the_steps_one_by_one(rng, factors, gray):
    frames = rng.integers(0, 256, (2, 8, 8, 3))
    result = video_augmentation.jitter_colors(
        tf.constant(frames, tf.float32), tf.constant(factors), tf.constant(gray)
    )
    expected = _reference_colors(frames, *factors, gray)
    np.testing.assert_allclose(result.numpy().astype(float), expected, atol=1.01)
    # U and V of the reference are rounded to three digits; what they cannot blur must be exact.
    assert (result.numpy() == expected).mean() > 0.9


@pytest.mark.parametrize(
    ("place", "enhance"),
    [(0, "Brightness"), (1, "Contrast"), (2, "Color")],
)
@pytest.mark.parametrize("factor", [0.5, 1.5])
def test_colors_agree_with_pil(rng, place, enhance, factor):
    frame = rng.integers(60, 160, (16, 16, 3)).astype(np.uint8)
    expected = getattr(PIL.ImageEnhance, enhance)(PIL.Image.fromarray(frame)).enhance(factor)
    factors = np.array([1.0, 1.0, 1.0, 0.0], np.float32)
    factors[place] = factor
    result = video_augmentation.jitter_colors(
        tf.constant(frame[None], tf.float32), tf.constant(factors), tf.constant(False)
    )
    np.testing.assert_allclose(result[0].numpy().astype(int), np.asarray(expected, int), atol=2)


def test_hue_turns_red_towards_green():
    """A third of a turn: red is then mostly green, as in HSV."""
    red = tf.constant([[[[200.0, 80.0, 80.0]]]])
    turned = video_augmentation.jitter_colors(
        red, tf.constant([1.0, 1.0, 1.0, 1 / 3]), tf.constant(False)
    )
    assert int(tf.argmax(turned[0, 0, 0])) == 1


def test_whole_turn_of_hue_and_any_hue_of_grey_change_nothing(rng):
    frames = rng.integers(0, 256, (1, 8, 8, 3))
    turned = video_augmentation.jitter_colors(
        tf.constant(frames, tf.float32), tf.constant([1.0, 1.0, 1.0, 1.0]), tf.constant(False)
    )
    np.testing.assert_array_equal(turned, frames)
    grey = frames[..., :1].repeat(3, -1)
    turned = video_augmentation.jitter_colors(
        tf.constant(grey, tf.float32), tf.constant([1.0, 1.0, 1.7, 0.3]), tf.constant(False)
    )
    np.testing.assert_array_equal(turned, grey)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.0])
def test_blur_equals_scipy_away_from_the_border(rng, sigma):
    frames = rng.uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    expected = ndimage.gaussian_filter(frames, (0, sigma, sigma, 0), truncate=8.0)
    blurred = video_augmentation.blur(tf.constant(frames), tf.constant(sigma)).numpy()
    inner = np.s_[:, 10:-10, 10:-10]
    np.testing.assert_allclose(blurred[inner], expected[inner], atol=0.01)


def test_blur_keeps_flat_pictures_up_to_the_border():
    frames = tf.fill([1, 16, 16, 3], 200.0)
    np.testing.assert_allclose(video_augmentation.blur(frames, tf.constant(1.5)), frames, rtol=1e-5)


def test_nothing_asked_nothing_done(rng):
    frames = rng.integers(0, 256, (2, 16, 16, 3))
    result = video_augmentation.augment(
        tf.constant(frames, tf.float32), tf.constant([1, 2]), NOTHING
    )
    assert result.dtype == tf.uint8
    np.testing.assert_array_equal(result, frames)


def test_frames_of_a_clip_are_augmented_alike(rng):
    """A clip of one repeated frame stays a clip of one repeated frame, whatever is drawn."""
    frame = rng.uniform(0, 255, (1, 16, 16, 3)).astype(np.float32)
    frames = tf.constant(frame.repeat(4, 0))
    results = over_seeds(lambda seed: video_augmentation.augment(frames, seed, EVERYTHING), 40)
    np.testing.assert_array_equal(results, results[:, :1].repeat(4, 1))
    assert len({result[0].tobytes() for result in results}) == 40


@pytest.mark.parametrize(
    ("setting", "value", "lowest", "highest"),
    [
        ("flip", True, 0.5, 0.5),
        ("gray_probability", 0.2, 0.2, 0.2),
        # The weakest blurs, below about a quarter of a pixel, change no pixel by half a unit.
        ("blur_probability", 0.3, 0.25, 0.3),
    ],
)
def test_shares(rng, setting, value, lowest, highest):
    frames = tf.constant(rng.integers(0, 256, (1, 112, 112, 3)), tf.float32)
    settings = NOTHING._replace(**{setting: value})
    results = over_seeds(lambda seed: video_augmentation.augment(frames, seed, settings), 500)
    changed = results[(results != frames.numpy()).any((1, 2, 3, 4))]
    assert stats.binomtest(len(changed), 500, lowest, "less").pvalue > 0.001
    assert stats.binomtest(len(changed), 500, highest, "greater").pvalue > 0.001
    if setting == "flip":
        np.testing.assert_array_equal(changed[0], frames.numpy()[:, :, ::-1])
    if setting == "gray_probability":
        np.testing.assert_array_equal(changed[..., :1].repeat(3, -1), changed)


def test_jitter_strength_sets_the_spread():
    """The brightness of a grey clip is scaled by a uniform factor in 1 +- 0.8 * strength."""
    frames = tf.fill([1, 16, 16, 3], 100.0)
    settings = NOTHING._replace(color_jitter=0.5)
    results = over_seeds(
        lambda seed: video_augmentation.augment(frames, seed, settings)[0, 0, 0, 0], 1000
    )
    assert results.min() >= 60
    assert results.max() <= 140
    assert stats.kstest(results + 0.0, stats.uniform(59.5, 81.0).cdf).pvalue > 0.001


def test_eager_and_graph_agree_and_seeds_differ(rng):
    frames = tf.constant(rng.uniform(0, 255, (2, 16, 16, 3)), tf.float32)

    def augment(seed):
        return video_augmentation.augment(frames, seed, EVERYTHING)

    graph = tf.function(augment)
    for seed in seeds(5):
        eager = augment(seed).numpy().astype(int)
        # Sums may be taken in another order: one unit at a rounding border.
        np.testing.assert_allclose(graph(seed).numpy().astype(int), eager, atol=1)
    different = np.abs(augment(tf.constant([1, 2])).numpy() - augment(tf.constant([1, 3])).numpy())
    assert different.max() > 3
