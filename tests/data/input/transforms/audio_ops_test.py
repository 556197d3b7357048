"""Augmentation of waveforms, against NumPy arithmetic on what came out."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from actcl_tf.data.input.transforms import audio_ops


def _seeds(count):
    return tf.stack([tf.range(count), tf.fill([count], 5)], 1)


def _waveform(rng, samples=4000):
    return rng.uniform(-1, 1, samples).astype(np.float32)


def test_nothing_asked_nothing_done(rng):
    waveform = _waveform(rng)
    result = audio_ops.augment(tf.constant(waveform), tf.constant([1, 2]), gain_db=0.0, noise=0.0)
    np.testing.assert_array_equal(result, waveform)


@pytest.mark.parametrize("samples", [0, 1, 100])
def test_silence_without_noise_stays_silence(samples):
    waveform = tf.zeros([samples])
    result = audio_ops.augment(waveform, tf.constant([1, 2]), gain_db=6.0, noise=0.0)
    np.testing.assert_array_equal(result, waveform)


def test_gain_is_uniform_in_decibels_and_the_same_for_all_samples(rng):
    waveform = tf.constant(_waveform(rng, 16) + 2.0)
    results = tf.map_fn(
        lambda seed: audio_ops.augment(waveform, seed, gain_db=6.0, noise=0.0),
        _seeds(2000),
        fn_output_signature=tf.float32,
    ).numpy()
    ratios = results / waveform.numpy()
    np.testing.assert_allclose(ratios, ratios[:, :1].repeat(16, 1), rtol=1e-6)
    decibels = 20.0 * np.log10(ratios[:, 0].astype(np.float64))
    assert stats.kstest(decibels, stats.uniform(-6.0, 12.0).cdf).pvalue > 0.001


def test_full_gain_doubles_without_clipping():
    """+6.0206 dB are a factor of 2; a full-scale sample then leaves [-1, 1]."""
    loudest = max(
        float(audio_ops.augment(tf.ones([1]), seed, gain_db=6.0206, noise=0.0)[0])
        for seed in _seeds(200)
    )
    assert 1.9 < loudest <= 2.0 + 1e-4


def test_noise_is_white_gaussian_with_a_uniform_deviation():
    results = tf.map_fn(
        lambda seed: audio_ops.augment(tf.zeros([4000]), seed, gain_db=0.0, noise=0.1),
        _seeds(500),
        fn_output_signature=tf.float32,
    ).numpy()
    deviations = results.std(1)
    assert stats.kstest(deviations, stats.uniform(0.0, 0.1).cdf).pvalue > 0.001
    loudest = results[deviations.argmax()] / deviations.max()
    assert stats.kstest(loudest, "norm").pvalue > 0.001
    neighbours = np.corrcoef(loudest[:-1], loudest[1:])[0, 1]
    assert abs(neighbours) < 4 / np.sqrt(4000)


def test_noise_does_not_follow_the_gain(rng):
    waveform = _waveform(rng)
    seed = tf.constant([3, 4])
    both = audio_ops.augment(tf.constant(waveform), seed, gain_db=6.0, noise=0.1)
    gain = audio_ops.augment(tf.constant(waveform), seed, gain_db=6.0, noise=0.0)
    noise = audio_ops.augment(tf.zeros_like(waveform), seed, gain_db=6.0, noise=0.1)
    np.testing.assert_allclose(both, gain + noise, atol=1e-6)


def test_eager_and_graph_agree_and_seeds_differ(rng):
    waveform = tf.constant(_waveform(rng))

    def augment(seed):
        return audio_ops.augment(waveform, seed, gain_db=6.0, noise=0.1)

    eager = augment(tf.constant([1, 2]))
    np.testing.assert_allclose(tf.function(augment)(tf.constant([1, 2])), eager, rtol=1e-6)
    assert np.abs(eager - augment(tf.constant([1, 3]))).max() > 0.01
