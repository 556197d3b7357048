"""Audio of the built-in data set: an oscillator of the object's material, driven by its course."""

import numpy as np

from actcl_tf.data.synthetic import scene

# Partials of the tonal materials: (multiple of the pitch, amplitude).
_PARTIALS = {
    # A bell's partials are no harmonics, and the high ones are strong.
    "bell": ((1.0, 1.0), (2.76, 0.8), (5.40, 0.6), (8.93, 0.4)),
    # A wooden bar: nearly a pure tone.
    "wood": ((1.0, 1.0), (2.0, 0.12), (4.0, 0.05)),
    # An engine: many harmonics.
    "buzz": tuple((float(n), n**-0.6) for n in range(1, 15)),
}
# What each companion whistles, in Hz, and how loud against the object's own voice.
_WHISTLES, _WHISTLE_LEVEL = (2100.0, 2900.0, 4000.0, 5600.0), 0.7
_ROUGHNESS_HZ = 35.0
_PEAK = 0.9


def render_audio(
    causes: scene.Causes, nuisance: scene.Nuisance, *, num_samples: int, sample_rate: int
) -> np.ndarray:
    """Renders the audio of a scene.

    Args:
      causes: what is seen and heard.
      nuisance: noise and gain.
      num_samples: S, length in samples.
      sample_rate: samples a second.

    Returns:
      [S] float32 waveform in (-1, 1); sample s is taken at s / sample_rate seconds.
    """
    rng = np.random.default_rng([nuisance.seed, 1])
    voice = render_voice(causes, nuisance, num_samples=num_samples, sample_rate=sample_rate)
    noise = _shaped_noise(rng, num_samples, sample_rate, nuisance.audio_noise_tilt)
    # Against the loudest tenth of the voice, so that a short strike and a long tone compare.
    level = np.sqrt(np.quantile(voice**2, 0.9))
    waveform = voice + noise * level * 10.0 ** (nuisance.audio_noise_db / 20.0)
    waveform *= _PEAK * 10.0 ** (nuisance.gain_db / 20.0) / np.abs(waveform).max()
    return waveform.astype(np.float32)


def render_voice(
    causes: scene.Causes, nuisance: scene.Nuisance, *, num_samples: int, sample_rate: int
) -> np.ndarray:
    """Renders the object's own voice, without background noise and gain.

    Args:
      causes: what is seen and heard.
      nuisance: of the scene; of it the seed of the hiss only.
      num_samples: S, length in samples.
      sample_rate: samples a second.

    Returns:
      [S] float64 waveform of no particular level.
    """
    times = np.arange(num_samples) / sample_rate
    pitch = scene.pitch_contour(causes, scene.state(causes, nuisance, times).height)
    phase = 2 * np.pi * np.cumsum(pitch) / sample_rate
    if causes.material == "hiss":
        rng = np.random.default_rng([nuisance.seed, 2])
        voice = _breath(rng, phase, causes.pitch, sample_rate)
    else:
        voice = np.zeros(num_samples)
        for multiple, amplitude in _PARTIALS[causes.material]:
            if multiple * pitch.max() < 0.47 * sample_rate:
                voice += amplitude * np.sin(multiple * phase)
    if causes.material == "buzz":
        voice *= 1.0 + 0.6 * np.sin(2 * np.pi * _ROUGHNESS_HZ * times)
    for has_companion, frequency in zip(causes.build, _WHISTLES, strict=True):
        if has_companion == "1" and frequency < 0.47 * sample_rate:
            whistle = np.sin(2 * np.pi * frequency * times)
            voice = voice + _WHISTLE_LEVEL * voice.std() * whistle
    return voice * scene.loudness(causes, times)


def _breath(
    rng: np.random.Generator, phase: np.ndarray, pitch: float, sample_rate: int
) -> np.ndarray:
    """Noise in a band around the pitch: slow complex noise carried by the tone.

    Args:
      rng: source of the noise.
      phase: [S] float64, phase of the tone in radians.
      pitch: Hz, sets the width of the band.
      sample_rate: samples a second.

    Returns:
      [S] float64.
    """
    frequencies = np.fft.fftfreq(phase.size, 1.0 / sample_rate)
    spectrum = rng.standard_normal(phase.size) + 1j * rng.standard_normal(phase.size)
    spectrum *= np.exp(-((frequencies / (0.4 * pitch)) ** 2))
    carrier = np.fft.ifft(spectrum)
    return np.real(carrier * np.exp(1j * phase)) / np.abs(carrier).std()


def _shaped_noise(
    rng: np.random.Generator, num_samples: int, sample_rate: int, tilt: float
) -> np.ndarray:
    """Noise of power frequency ** -tilt above 50 Hz; [S] float64 of unit RMS."""
    spectrum = np.fft.rfft(rng.standard_normal(num_samples))
    frequencies = np.fft.rfftfreq(num_samples, 1.0 / sample_rate)
    spectrum *= np.maximum(frequencies, 50.0) ** (-0.5 * tilt)
    noise = np.fft.irfft(spectrum, num_samples)
    return noise / np.sqrt(np.mean(noise**2))
