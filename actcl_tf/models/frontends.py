"""From raw input to what the backbones take, inside the graph: training and serving cannot differ.

Neither frontend has weights, and both consist of standard TensorFlow operations once traced, so
that a saved model loads without tensorflow-io.
"""

import importlib.util
import math

import numpy as np
import tensorflow as tf

if importlib.util.find_spec("tensorflow_io") is not None:
    from tensorflow_io import audio
else:
    from actcl_tf.models import mel_scale as audio

# Mean and standard deviation of Kinetics-400's pixels, as torchvision's video models use them.
VIDEO_MEAN = (0.43216, 0.394666, 0.37645)
VIDEO_STD = (0.22803, 0.22145, 0.216989)

WINDOW_SECONDS = 0.025
HOP_SECONDS = 0.010
LOWEST_HERTZ = 20.0
# A full-scale sine has about +40 dB in its band. Ordinary audio lies around LEVEL_MEAN_DB with
# LEVEL_STD_DB; nothing is lower than FLOOR_DB, which is where digital silence ends up.
FLOOR_DB = -60.0
LEVEL_MEAN_DB = -20.0
LEVEL_STD_DB = 20.0
_LARGEST_FFT = 16384

_WORD = 0xFFFFFFFF
_GOLDEN = 0x9E3779B9
_FACTOR = 0x45D9F3B


class VideoFrontend(tf.keras.layers.Layer):
    """Frames of bytes -> frames of about zero mean and unit variance."""

    def __init__(self) -> None:
        super().__init__(name="frontend", dtype="float32")
        self._output_dtype = tf.keras.mixed_precision.global_policy().compute_dtype

    def call(
        self,
        inputs: tf.Tensor,
        seeds: tf.Tensor | None = None,
        training: bool | None = None,
    ) -> tf.Tensor:
        """Normalises frames.

        Args:
          inputs: [B, T, H, W, 3] uint8, RGB.
          seeds: not used; frames are augmented in the input pipeline.
          training: not used.

        Returns:
          [B, T, H, W, 3] of the compute dtype, (inputs / 255 - mean) / std of each channel.
        """
        del seeds, training
        std = np.asarray(VIDEO_STD, np.float32)
        scale, offset = 1 / (255 * std), np.asarray(VIDEO_MEAN, np.float32) / std
        return tf.cast(tf.cast(inputs, tf.float32) * scale - offset, self._output_dtype)


class AudioFrontend(tf.keras.layers.Layer):
    """Waveform -> log-mel spectrogram, masked in training.

    Hann windows of 25 ms every 10 ms, the end padded with zeros, so that F = ceil(S / hop) is a
    function of S alone. Levels are normalised by fixed constants, never by the clip, so that loud
    and soft stay apart and silence is a value of its own: (dB + 20) / 20, at least -2.

    Attributes:
      window, hop, fft_length: of the spectrogram, in samples.
    """

    def __init__(
        self,
        sample_rate: int,
        mel_bands: int,
        time_mask: float,
        frequency_mask: float,
    ) -> None:
        """Describes the frontend.

        Args:
          sample_rate: of the waveforms, in Hz.
          mel_bands: R, between 20 Hz and half the sample rate.
          time_mask: longest time mask, as a share of F.
          frequency_mask: widest frequency mask, as a share of R.

        Raises:
          ValueError: so many bands that some would stay empty.
        """
        super().__init__(name="frontend", dtype="float32")
        self.sample_rate = int(sample_rate)
        self.mel_bands = mel_bands
        self.window = round(WINDOW_SECONDS * self.sample_rate)
        self.hop = round(HOP_SECONDS * self.sample_rate)
        self.fft_length = _fft_length(self.window, self.sample_rate, mel_bands)
        self._time_mask = time_mask
        self._frequency_mask = frequency_mask
        self._output_dtype = tf.keras.mixed_precision.global_policy().compute_dtype

    def call(
        self,
        inputs: tf.Tensor,
        seeds: tf.Tensor | None = None,
        training: bool | None = None,
    ) -> tf.Tensor:
        """Computes the spectrogram in float32.

        Args:
          inputs: [B, S] float32, waveforms in [-1, 1].
          seeds: [B, 2] int32, one stateless seed a clip; None: no masks.
          training: masks are drawn only in training.

        Returns:
          [B, F, R] of the compute dtype, F = ceil(S / hop), about zero mean and unit variance.
        """
        spectrogram = audio.spectrogram(
            inputs, nfft=self.fft_length, window=self.window, stride=self.hop
        )
        mel = audio.melscale(
            spectrogram,
            rate=self.sample_rate,
            mels=self.mel_bands,
            fmin=LOWEST_HERTZ,
            fmax=self.sample_rate / 2,
        )
        # top_db would cut relative to the loudest clip of the batch; the floor is fixed instead.
        level = audio.dbscale(mel, top_db=math.inf, amin=10.0 ** (FLOOR_DB / 10))
        log_mel = (level - LEVEL_MEAN_DB) / LEVEL_STD_DB
        log_mel = tf.ensure_shape(log_mel, [inputs.shape[0], None, self.mel_bands])
        if training and seeds is not None:
            log_mel = mask_spectrograms(log_mel, seeds, self._time_mask, self._frequency_mask)
        return tf.cast(log_mel, self._output_dtype)


def mask_spectrograms(
    log_mel: tf.Tensor, seeds: tf.Tensor, time_mask: float, frequency_mask: float
) -> tf.Tensor:
    """Masks one span of time and one span of bands of each clip (SpecAugment, Park et al. 2019).

    Args:
      log_mel: [B, F, R] float32 of mean 0.
      seeds: [B, 2] int32; a clip's masks are a function of its row alone.
      time_mask: longest time mask, as a share of F, 0 to 1.
      frequency_mask: widest frequency mask, as a share of R, 0 to 1.

    Returns:
      [B, F, R] float32, masked values 0, the mean. The length of a mask is uniform between none
      and the longest (rounded down), its place uniform among those inside the spectrogram.
    """
    draws = per_clip_uniforms(seeds, 4)
    shape = tf.shape(log_mel)
    masked_frames = _span(draws[:, 0], draws[:, 1], shape[1], time_mask)
    masked_bands = _span(draws[:, 2], draws[:, 3], shape[2], frequency_mask)
    masked = masked_frames[:, :, tf.newaxis] | masked_bands[:, tf.newaxis, :]
    return tf.where(masked, tf.zeros_like(log_mel), log_mel)


def per_clip_uniforms(seeds: tf.Tensor, count: int) -> tf.Tensor:
    """Stateless uniform numbers, each row a function of its own seed.

    `tf.random.stateless_uniform` takes one seed a call, and would need a loop over the batch.

    Args:
      seeds: [B, 2] int32.
      count: numbers wanted of each seed.

    Returns:
      [B, count] float32 in [0, 1), multiples of 2**-24.
    """
    words = tf.bitwise.bitwise_and(tf.cast(seeds, tf.int64), _WORD)
    index = tf.range(1, count + 1, dtype=tf.int64)[tf.newaxis, :]
    # Multiples of the golden ratio keep neighbouring seeds and indices apart, as in SplitMix.
    state = _mix(words[:, :1] + _GOLDEN)
    state = _mix(tf.bitwise.bitwise_xor(state, words[:, 1:]))
    state = _mix(state + index * _GOLDEN)
    return tf.cast(tf.bitwise.right_shift(state, 8), tf.float32) * 2.0**-24


def _mix(words: tf.Tensor) -> tf.Tensor:
    """Maps 32-bit words one to one, such that every bit depends on every bit of the input.

    They are held in int64, where their products with a 27-bit factor fit; overflow is cut off.
    """
    words = tf.bitwise.bitwise_and(words, _WORD)
    for _ in range(2):
        words = tf.bitwise.bitwise_xor(words, tf.bitwise.right_shift(words, 16))
        words = tf.bitwise.bitwise_and(words * _FACTOR, _WORD)
    return tf.bitwise.bitwise_xor(words, tf.bitwise.right_shift(words, 16))


def _span(
    length_draw: tf.Tensor, start_draw: tf.Tensor, size: tf.Tensor, share: float
) -> tf.Tensor:
    """[B, size] bool, True on one span of at most share * size; draws [B] in [0, 1)."""
    total = tf.cast(size, tf.float32)
    longest = tf.floor(share * total + 1e-4)
    length = tf.floor(length_draw * (longest + 1))
    start = tf.floor(start_draw * (total - length + 1))
    position = tf.range(total)[tf.newaxis, :]
    start, end = start[:, tf.newaxis], (start + length)[:, tf.newaxis]
    return (position >= start) & (position < end)


def _fft_length(window: int, sample_rate: int, mel_bands: int) -> int:
    """Smallest power of two, at least the window, at which every mel band holds a frequency."""
    edges = np.linspace(_mel(LOWEST_HERTZ), _mel(sample_rate / 2), mel_bands + 2)
    length = 2 ** math.ceil(math.log2(window))
    while length <= _LARGEST_FFT:
        bins = _mel(np.arange(1, length // 2 + 1) * sample_rate / length)
        # Band i spans edges i to i + 2, and is zero on both.
        inside = (bins > edges[:-2, np.newaxis]) & (bins < edges[2:, np.newaxis])
        if inside.any(axis=1).all():
            return length
        length *= 2
    raise ValueError(
        f"mel_bands={mel_bands} is too many at a sample rate of {sample_rate} Hz: some bands would "
        "hold no frequency; use fewer"
    )


def _mel(hertz: np.ndarray) -> np.ndarray:
    """Hertz -> mel by the formula of `tf.signal.linear_to_mel_weight_matrix` (HTK's)."""
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)
