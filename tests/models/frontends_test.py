import random

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from actcl_tf.models import frontends

SAMPLE_RATE = 16000


def _log_mel(waveform, mel_bands, fft_length):
    """Log-mel of one clip by NumPy, in float64: 25 ms Hann windows, 10 ms hop, HTK's mel scale."""
    hop, window_length = 160, 400
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window_length) / window_length)
    count = -(-len(waveform) // hop)
    padded = np.concatenate([waveform, np.zeros(window_length)])
    frames = np.stack([padded[i * hop : i * hop + window_length] for i in range(count)])
    magnitude = np.abs(np.fft.rfft(frames * window, fft_length))

    def mel(hertz):
        return 1127 * np.log(1 + hertz / 700)

    bins = mel(np.arange(fft_length // 2 + 1) * SAMPLE_RATE / fft_length)
    edges = np.linspace(mel(20.0), mel(SAMPLE_RATE / 2), mel_bands + 2)
    bands = np.zeros([len(bins), mel_bands])
    for band in range(mel_bands):
        low, centre, high = edges[band : band + 3]
        rise, fall = (bins - low) / (centre - low), (high - bins) / (high - centre)
        bands[:, band] = np.maximum(0, np.minimum(rise, fall))
    bands[0] = 0  # The constant part of the signal counts in no band.
    power = np.maximum((magnitude @ bands) ** 2, 1e-6)
    return (10 * np.log10(power) + 20) / 20


def _frontend(mel_bands=80, time_mask=0.0, frequency_mask=0.0):
    return frontends.AudioFrontend(SAMPLE_RATE, mel_bands, time_mask, frequency_mask)


def _waveforms(rng, samples):
    """A chirp, noise, a soft tone."""
    time = np.arange(samples) / SAMPLE_RATE
    return np.stack(
        [
            np.sin(2 * np.pi * (100 * time + 1500 * time**2)),
            0.1 * rng.normal(size=samples),
            1e-3 * np.sin(2 * np.pi * 440 * time),
        ]
    ).astype(np.float32)


@pytest.mark.parametrize("samples", [20480, 4001, 160, 37])
def test_log_mel_equals_numpy(rng, samples):
    waveforms = _waveforms(rng, samples)
    frontend = _frontend()
    log_mel = frontend(waveforms).numpy()
    assert log_mel.shape == (3, -(-samples // 160), 80)
    for given, waveform in zip(log_mel, waveforms, strict=True):
        expected = _log_mel(waveform, 80, frontend.fft_length)
        # 0.005 is 0.1 dB, needed 90 dB below the loudest band, where float32 rounds.
        np.testing.assert_allclose(given, expected, atol=5e-3)
        loud = expected > expected.max() - 2.0
        np.testing.assert_allclose(given[loud], expected[loud], atol=1e-4)


def test_clips_do_not_depend_on_their_batch(rng):
    waveforms = _waveforms(rng, 4000)
    together = _frontend()(waveforms)
    alone = tf.concat([_frontend()(waveform[np.newaxis]) for waveform in waveforms], 0)
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_silence_is_the_floor_and_full_scale_is_within_reach():
    time = np.arange(8000) / SAMPLE_RATE
    log_mel = _frontend()(np.stack([0 * time, np.sin(2 * np.pi * 1000 * time)]).astype(np.float32))
    np.testing.assert_allclose(log_mel[0], -2.0, atol=1e-6)
    assert 2.5 < np.max(log_mel[1]) < 3.5


def test_number_of_frames_is_static():
    assert _frontend()(tf.keras.Input([20480])).shape == [None, 128, 80]


@pytest.mark.parametrize("mel_bands", [8, 64, 80, 128, 256, 512])
@pytest.mark.parametrize("sample_rate", [8000, 16000, 44100])
def test_no_band_is_empty(mel_bands, sample_rate):
    frontend = frontends.AudioFrontend(sample_rate, mel_bands, 0.0, 0.0)
    assert frontend.fft_length >= frontend.window
    bands = tf.signal.linear_to_mel_weight_matrix(
        mel_bands, frontend.fft_length // 2 + 1, sample_rate, 20.0, sample_rate / 2
    )
    assert (bands.numpy().max(0) > 0).all()


def test_too_many_bands():
    with pytest.raises(ValueError, match="mel_bands=5000 is too many at a sample rate of 16000"):
        _frontend(mel_bands=5000)


def test_video_frontend(rng):
    frames = rng.integers(0, 256, size=[2, 3, 4, 5, 3], dtype=np.uint8)
    mean = np.array([0.43216, 0.394666, 0.37645])
    std = np.array([0.22803, 0.22145, 0.216989])
    given = frontends.VideoFrontend()(frames)
    np.testing.assert_allclose(given, (frames / 255 - mean) / std, atol=1e-5)
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    mixed = frontends.VideoFrontend()(frames)
    assert mixed.dtype == tf.bfloat16
    np.testing.assert_array_equal(mixed, tf.cast(given, tf.bfloat16))


def test_spectrogram_is_computed_in_float32_under_a_mixed_policy(rng):
    waveforms = _waveforms(rng, 4000)
    expected = _frontend()(waveforms)
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    mixed = _frontend()(waveforms)
    assert mixed.dtype == tf.bfloat16
    np.testing.assert_array_equal(mixed, tf.cast(expected, tf.bfloat16))


def _seeds(count):
    return tf.stack([tf.range(count), tf.range(count) // 7], axis=1)


def test_masks_are_one_span_of_frames_and_one_of_bands():
    masked = frontends.mask_spectrograms(tf.ones([500, 20, 12]), _seeds(500), 0.25, 0.5) == 0
    for clip in masked.numpy():
        frames, bands = clip.all(axis=1), clip.all(axis=0)
        np.testing.assert_array_equal(clip, frames[:, np.newaxis] | bands[np.newaxis, :])
        for span, longest in ((frames, 5), (bands, 6)):
            assert span.sum() <= longest
            assert np.abs(np.diff(np.pad(span.astype(int), 1))).sum() in (0, 2)


def test_lengths_and_places_of_masks_are_uniform():
    count = 6000
    masked = frontends.mask_spectrograms(tf.ones([count, 20, 3]), _seeds(count), 0.25, 0.0) == 0
    frames = masked.numpy().all(axis=2)
    lengths = np.bincount(frames.sum(axis=1), minlength=6)
    assert len(lengths) == 6  # 0 to 5 frames of 20.
    assert scipy.stats.chisquare(lengths).pvalue > 0.01
    of_five = frames[frames.sum(axis=1) == 5]
    starts = np.bincount(of_five.argmax(axis=1), minlength=16)
    assert len(starts) == 16
    assert scipy.stats.chisquare(starts).pvalue > 0.01
    assert frames.mean() == pytest.approx(2.5 / 20, rel=0.05)


@pytest.mark.parametrize(("time_mask", "frequency_mask"), [(0.0, 0.0), (0.04, 0.07)])
def test_masks_shorter_than_one_frame_change_nothing(time_mask, frequency_mask):
    ones = tf.ones([50, 20, 12])
    masked = frontends.mask_spectrograms(ones, _seeds(50), time_mask, frequency_mask)
    np.testing.assert_array_equal(masked, ones)


def test_masks_depend_on_the_clips_seed_alone(rng):
    spectrograms = rng.normal(size=[9, 20, 12]).astype(np.float32)
    seeds = _seeds(9)
    masked = frontends.mask_spectrograms(spectrograms, seeds, 0.5, 0.5)
    order = rng.permutation(9)
    shuffled = frontends.mask_spectrograms(spectrograms[order], tf.gather(seeds, order), 0.5, 0.5)
    np.testing.assert_array_equal(shuffled, tf.gather(masked, order))
    other = frontends.mask_spectrograms(spectrograms, seeds + 1, 0.5, 0.5)
    assert np.mean((masked == 0).numpy() != (other == 0).numpy()) > 0.1


def test_masks_only_in_training_with_seeds(rng):
    waveforms = _waveforms(rng, 4000)
    frontend, seeds = _frontend(time_mask=0.9, frequency_mask=0.9), _seeds(3)
    plain = frontend(waveforms).numpy()
    np.testing.assert_array_equal(frontend(waveforms, seeds=seeds, training=False), plain)
    np.testing.assert_array_equal(frontend(waveforms, training=True), plain)
    masked = frontend(waveforms, seeds=seeds, training=True).numpy()
    assert 0.2 < np.mean(masked != plain) < 0.95
    np.testing.assert_array_equal(masked[masked != plain], 0)
    traced = tf.function(frontend)(waveforms, seeds=seeds, training=True)
    np.testing.assert_array_equal(traced.numpy() == 0, masked == 0)


def _uniforms_in_python(seed, count):
    """The generator of `per_clip_uniforms` on Python's integers."""

    def mix(word):
        for _ in range(2):
            word ^= word >> 16
            word = word * 0x45D9F3B % 2**32
        return word ^ (word >> 16)

    first, second = (word % 2**32 for word in seed)
    state = mix(mix((first + 0x9E3779B9) % 2**32) ^ second)
    return [(mix((state + (i + 1) * 0x9E3779B9) % 2**32) >> 8) / 2**24 for i in range(count)]


def test_uniforms_are_the_same_everywhere():
    draw = random.Random(0)
    seeds = [[draw.randrange(-(2**31), 2**31) for _ in range(2)] for _ in range(20)]
    seeds += [[0, 0], [-1, -1], [2**31 - 1, -(2**31)]]
    expected = np.array([_uniforms_in_python(seed, 3) for seed in seeds], np.float32)
    seeds = tf.constant(seeds, tf.int32)
    for draws in (
        frontends.per_clip_uniforms,
        tf.function(frontends.per_clip_uniforms),
        tf.function(frontends.per_clip_uniforms, jit_compile=True),
    ):
        np.testing.assert_array_equal(draws(seeds, 3), expected)


def test_uniforms_of_neighbouring_seeds_are_uniform_and_independent():
    seeds = tf.stack([tf.zeros([20000], tf.int32), tf.range(20000)], axis=1)
    draws = frontends.per_clip_uniforms(seeds, 2).numpy()
    assert (draws >= 0).all() and (draws < 1).all()
    cells = (draws * 8).astype(int)
    within = np.bincount(cells[:, 0] * 8 + cells[:, 1], minlength=64)
    between = np.bincount(cells[:-1, 0] * 8 + cells[1:, 0], minlength=64)
    for counts in (within, between):
        assert scipy.stats.chisquare(counts).pvalue > 0.01
