"""Audio: measured pitch, timbre, onsets and beats against the causes that made them."""

import dataclasses

import numpy as np
import pytest

from actcl_tf.data.synthetic import audio as synthetic_audio
from actcl_tf.data.synthetic import categories, scene

RATE = 16000
NUISANCE = dataclasses.replace(scene.draw_nuisance(0, "train", 0), gain_db=0.0)


def still(material, radius):
    """An even tone: a swing that does not move, at mid height."""
    return scene.Causes("swing", material, radius, 1.0, 0.0, 0.5, 0.0)


def voice(causes, seconds=1.0):
    return synthetic_audio.render_voice(
        causes, NUISANCE, num_samples=round(seconds * RATE), sample_rate=RATE
    )


def audio(causes, nuisance=NUISANCE, seconds=1.0):
    return synthetic_audio.render_audio(
        causes, nuisance, num_samples=round(seconds * RATE), sample_rate=RATE
    )


def power(waveform):
    """Frequencies and power spectrum."""
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(waveform.size))) ** 2
    return np.fft.rfftfreq(waveform.size, 1 / RATE), spectrum


def envelope(waveform, width=80):
    """Mean magnitude over blocks of `width` samples (5 ms)."""
    return np.abs(waveform[: waveform.size // width * width]).reshape(-1, width).mean(1)


@pytest.mark.parametrize("material", ["bell", "wood"])
def test_measured_pitch_is_set_by_the_size(material):
    measured = []
    for radius in (0.11, 0.15, 0.2, 0.28):
        causes = still(material, radius)
        frequencies, spectrum = power(audio(causes))
        measured.append(frequencies[spectrum.argmax()])
        assert measured[-1] == pytest.approx(causes.pitch, rel=0.01, abs=1.0)
    assert np.all(np.diff(measured) < 0) and np.log2(measured[0] / measured[-1]) > 2.5


def test_pitch_of_the_hiss_falls_with_size_too():
    centres = []
    for radius in (0.11, 0.15, 0.2, 0.28):
        frequencies, spectrum = power(voice(still("hiss", radius), 3.0))
        centres.append((frequencies * spectrum).sum() / spectrum.sum())
        assert centres[-1] == pytest.approx(still("hiss", radius).pitch, rel=0.1)
    assert np.all(np.diff(centres) < 0)


def test_buzz_is_harmonic_and_rough():
    causes = still("buzz", 0.2)
    frequencies, spectrum = power(voice(causes))
    for multiple in range(1, 8):
        near = np.abs(frequencies - multiple * causes.pitch) < 3
        between = np.abs(frequencies - (multiple + 0.5) * causes.pitch) < 3
        assert spectrum[near].max() > 100 * spectrum[between].max()
    beat = np.abs(np.fft.rfft(envelope(voice(causes), 16) - envelope(voice(causes), 16).mean()))
    assert np.abs(beat[:100]).argmax() == 35  # Bins of 1 Hz.


@pytest.mark.parametrize("radius", [0.11, 0.18, 0.28])
def test_material_sets_the_timbre(radius):
    centroid, spread = {}, {}
    for material in categories.MATERIALS:
        causes = still(material, radius)
        frequencies, spectrum = power(voice(causes))
        centroid[material] = (frequencies * spectrum).sum() / spectrum.sum() / causes.pitch
        # Effective number of bins that hold the power: tones few, noise many.
        spread[material] = spectrum.sum() ** 2 / (spectrum**2).sum()
    assert centroid["wood"] < 1.1 < 1.5 < min(centroid["bell"], centroid["buzz"])
    assert spread["wood"] < spread["bell"] < spread["buzz"]
    assert spread["hiss"] > 3 * max(spread["wood"], spread["bell"], spread["buzz"])


def test_height_bends_the_tone():
    causes = scene.Causes("swing", "wood", 0.15, 1.0, 0.0, 0.2, 0.6)
    waveform = voice(causes)
    low, high = waveform[:800], waveform[7600:8400]  # At the bottom and at the top.
    pitches = []
    for part in (low, high):
        spectrum = np.abs(np.fft.rfft(part * np.hanning(part.size), 16 * RATE))
        pitches.append(spectrum.argmax() / 16)
    assert np.log2(pitches[1] / pitches[0]) == pytest.approx(1.25 * 0.6, abs=0.02)


@pytest.mark.parametrize("material", categories.MATERIALS)
@pytest.mark.parametrize("motion", ["bounce", "hop"])
def test_impacts_are_heard_at_their_time(motion, material):
    for index in range(3):
        causes = scene.draw_causes(0, "train", index, f"{motion}_{material}", 3.0)
        events = scene.event_times(causes, 3.0)
        events = events[(events > 0.05) & (events < 2.95)]
        # Measured over 20 ms before and after each moment, the loudness rises most at impacts.
        level = envelope(voice(causes, 3.0))
        level = np.convolve(level, np.ones(4) / 4, "valid")
        rise = np.log(level[4:] + 1e-3) - np.log(level[:-4] + 1e-3)
        times = 0.02 + 0.005 * np.arange(rise.size)
        if material == "hiss":  # Noise rises by itself: the mean over the impacts counts.
            at = np.mean([rise[np.abs(times - event).argmin()] for event in events])
            assert at > rise.mean() + rise.std()
            continue
        for event in events:
            window = np.abs(times - event) < 0.12
            assert abs(times[window][rise[window].argmax()] - event) <= 0.02


def test_spin_sets_the_beat():
    for period in (0.42, 0.75, 1.2):
        causes = scene.Causes("spin", "bell", 0.15, period, 0.3, 0.5, 0.0)
        level = envelope(voice(causes, 6 * period))
        spectrum = np.abs(np.fft.rfft(level - level.mean()))
        assert spectrum[:40].argmax() == 6  # Six turns, six beats.


def test_gain_is_the_peak_and_nothing_is_clipped():
    loud = audio(BELL := still("bell", 0.2))
    quiet = audio(BELL, dataclasses.replace(NUISANCE, gain_db=-12.0))
    assert loud.dtype == np.float32 and np.abs(loud).max() == pytest.approx(0.9, abs=1e-6)
    np.testing.assert_allclose(quiet, loud * 10 ** (-12 / 20), atol=1e-7)


@pytest.mark.parametrize("level_db", [-40.0, -20.0])
def test_background_noise_has_its_level(level_db):
    causes = still("wood", 0.2)
    noisy = audio(causes, dataclasses.replace(NUISANCE, audio_noise_db=level_db), 2.0)
    clean = voice(causes, 2.0)
    scale = np.dot(noisy, clean) / np.dot(clean, clean)
    noise = noisy - scale * clean
    loud = np.sqrt(np.quantile((scale * clean) ** 2, 0.9))
    measured = 20 * np.log10(np.sqrt(np.mean(noise**2)) / loud)
    assert measured == pytest.approx(level_db, abs=0.5)


@pytest.mark.parametrize("category", categories.list_categories())
def test_every_category_sounds_in_every_span(category):
    for index in range(3):
        causes = scene.draw_causes(3, "test", index, category, 3.0)
        waveform = audio(causes, scene.draw_nuisance(3, "test", index), 3.0)
        assert waveform.shape == (48000,) and np.isfinite(waveform).all()
        spans = waveform[: 48000 // 19200 * 19200].reshape(-1, 19200)
        assert np.abs(spans).max(1).min() > 0.1 * np.abs(waveform).max()


def test_low_sample_rate_does_not_alias():
    causes = scene.Causes("swing", "bell", 0.15, 1.0, 0.0, 0.5, 0.0)
    waveform = synthetic_audio.render_voice(causes, NUISANCE, num_samples=8000, sample_rate=8000)
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(8000)))
    peaks = np.flatnonzero(spectrum > 0.05 * spectrum.max())
    # 1100 Hz and 3036 Hz; the higher partials lie above 4 kHz and are left out.
    assert np.all((np.abs(peaks - 1100) < 4) | (np.abs(peaks - 3036) < 4))


def test_same_scene_same_audio():
    causes = still("hiss", 0.2)
    np.testing.assert_array_equal(audio(causes), audio(causes))
    other = audio(causes, dataclasses.replace(NUISANCE, seed=NUISANCE.seed + 1))
    assert np.abs(audio(causes) - other).max() > 0.1


def test_each_companion_whistles_its_tone():
    for number, frequency in enumerate((2100, 2900, 4000, 5600)):
        build = "".join("1" if place == number else "0" for place in range(4))
        waveform = voice(dataclasses.replace(still("wood", 0.3), build=build), 1.0)
        spectrum = np.abs(np.fft.rfft(waveform * np.hanning(waveform.size)))
        assert np.argmax(spectrum[1800:]) + 1800 == pytest.approx(frequency, abs=2)
    bare = voice(still("wood", 0.3), 1.0)
    spectrum = np.abs(np.fft.rfft(bare * np.hanning(bare.size)))
    assert spectrum[1800:].max() < 0.05 * spectrum.max()
