"""Augmentation of waveforms. Masks of the spectrogram are the audio frontend's."""

import math

import tensorflow as tf


def augment(waveform: tf.Tensor, seed: tf.Tensor, *, gain_db: float, noise: float) -> tf.Tensor:
    """Changes the loudness of a waveform and adds white Gaussian noise.

    The gain is uniform in decibels; the noise's standard deviation is uniform in [0, noise] and
    does not follow the gain. Nothing is clipped: clipping would put distortion of its own into
    loud clips, and the frontend has no need of a bounded waveform.

    Args:
      waveform: [S] float32, full scale is [-1, 1].
      seed: [2] int32, stateless seed.
      gain_db: the gain is drawn from +- this many dB; 0 leaves the loudness alone.
      noise: largest standard deviation of the noise, of full scale; 0 adds none.

    Returns:
      [S] float32, may leave [-1, 1] by the gain and the noise.
    """
    seeds = tf.random.split(seed, 2)
    draws = tf.random.stateless_uniform([2], seeds[0])
    if gain_db > 0:
        # 10 ** (dB / 20), as a power of e.
        waveform *= tf.exp((2.0 * draws[0] - 1.0) * (gain_db * math.log(10.0) / 20.0))
    if noise > 0:
        deviation = noise * draws[1]
        waveform += deviation * tf.random.stateless_normal(tf.shape(waveform), seeds[1])
    return waveform
