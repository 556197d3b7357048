import math

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.models import mel_scale


def _levels(audio, waveforms, sample_rate, mels, top_db):
    window, stride = sample_rate // 40, sample_rate // 100
    magnitudes = audio.spectrogram(waveforms, nfft=1024, window=window, stride=stride)
    bands = audio.melscale(magnitudes, rate=sample_rate, mels=mels, fmin=20.0, fmax=sample_rate / 2)
    return audio.dbscale(bands, top_db=top_db, amin=1e-6)


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize(
    ("samples", "sample_rate", "mels", "top_db"),
    [(20480, 16000, 80, math.inf), (4001, 16000, 128, 30.0), (37, 8000, 40, math.inf)],
)
def test_equals_tensorflow_io(rng, samples, sample_rate, mels, top_db, traced):
    tfio = pytest.importorskip("tensorflow_io")
    waveforms = rng.normal(size=[3, samples]).astype(np.float32)
    waveforms[1] *= 0.001
    waveforms[2] = 0.0
    levels = tf.function(_levels) if traced else _levels
    ours, theirs = (
        levels(audio, tf.constant(waveforms), sample_rate, mels, top_db)
        for audio in (mel_scale, tfio.audio)
    )
    np.testing.assert_array_equal(ours, theirs)


def test_a_sine_is_in_its_band_at_its_level():
    """A Hann window of n samples gathers n / 4 of a sine of length 1; in dB, 20 log10 of that."""
    wave = np.sin(2 * np.pi * 1000 * np.arange(1600) / 16000).astype(np.float32)
    magnitudes = mel_scale.spectrogram(wave[np.newaxis], nfft=512, window=512, stride=512)
    assert magnitudes.shape == [1, 4, 257]
    assert np.argmax(magnitudes[0, 0]) == 32  # 1000 Hz of 31.25 Hz a bin.
    level = mel_scale.dbscale(magnitudes, top_db=math.inf, amin=1e-6)
    assert float(level[0, 0, 32]) == pytest.approx(20 * math.log10(512 / 4), abs=0.01)


@pytest.mark.parametrize(
    ("magnitude", "top_db", "expected"),
    [
        ([1.0, 10.0], math.inf, [0.0, 20.0]),
        ([0.0, 0.0], math.inf, [-60.0, -60.0]),
        ([1e-4, 1.0], math.inf, [-60.0, 0.0]),
        ([0.01, 1.0], 30.0, [-30.0, 0.0]),
    ],
)
def test_decibels_by_hand(magnitude, top_db, expected):
    level = mel_scale.dbscale(tf.constant(magnitude), top_db=top_db, amin=1e-6)
    np.testing.assert_allclose(level, expected, atol=1e-5)
