"""Levels on the mel scale, for a Python that tensorflow-io has no package for.

The functions are those of `tensorflow_io.audio`, operation by operation: encoders that were trained
with the one see the same values through the other.
"""

import tensorflow as tf


def spectrogram(waveforms: tf.Tensor, nfft: int, window: int, stride: int) -> tf.Tensor:
    """Magnitudes of Hann windows, the end padded with zeros.

    Args:
      waveforms: [B, S] float32.
      nfft: samples that a window is padded to.
      window: its length, in samples.
      stride: from one window to the next, in samples.

    Returns:
      [B, F, nfft / 2 + 1] float32, F = ceil(S / stride), at least 0.
    """
    windows = tf.signal.stft(waveforms, window, stride, nfft, tf.signal.hann_window, pad_end=True)
    return tf.abs(windows)


def melscale(magnitudes: tf.Tensor, rate: int, mels: int, fmin: float, fmax: float) -> tf.Tensor:
    """Sums magnitudes over triangular bands of equal width in mel.

    Args:
      magnitudes: [B, F, nfft / 2 + 1] float32.
      rate: of the waveforms, in Hz.
      mels: R, bands.
      fmin: lower edge of the first band, in Hz.
      fmax: upper edge of the last, in Hz.

    Returns:
      [B, F, R] float32, at least 0.
    """
    bins = tf.shape(magnitudes)[-1]
    bands = tf.signal.linear_to_mel_weight_matrix(mels, bins, rate, fmin, fmax)
    return tf.tensordot(magnitudes, bands, 1)


def dbscale(magnitudes: tf.Tensor, top_db: float, amin: float) -> tf.Tensor:
    """Magnitudes -> decibels of power.

    Args:
      magnitudes: [...] float32.
      top_db: levels lower than the highest of all less this are raised to it.
      amin: lowest power.

    Returns:
      [...] float32, dB, at least 10 log10(amin).
    """
    power = tf.maximum(tf.square(magnitudes), amin)
    level = 10.0 * (tf.math.log(power) / tf.math.log(10.0))
    return tf.maximum(level, tf.reduce_max(level) - top_db)
