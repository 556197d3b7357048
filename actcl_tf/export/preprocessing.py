"""What is done to media inside an exported model, by standard TensorFlow operations only.

Frames are cut and resized by the functions of the input pipeline, so that training and serving
cannot differ.
"""

import functools

import tensorflow as tf

from actcl_tf.data.input.transforms import resampling, video_ops

Region = tuple[float, float, float, float]
# Audio in the integers of a file would be some thousand times too loud, without a word.
LOUDEST = 16.0


def squares_of_frames(video: tf.Tensor, image_size: int, region: Region) -> tf.Tensor:
    """The largest central square of a region of each frame, resized as in evaluation.

    Args:
      video: [B, T, H, W, 3] uint8.
      image_size: height and width of the result, pixels.
      region: top, left, bottom and right, as shares of the height and the width.

    Returns:
      [B, T, image_size, image_size, 3] uint8.
    """
    shape = tf.shape(video)
    box = video_ops.central_box(video_ops.region_of(shape[2:4], region))
    top, left, side, _ = tf.unstack(box)
    frames = video[:, :, top : top + side, left : left + side]
    frames = tf.reshape(frames, [-1, side, side, 3])
    pixels = video_ops.to_uint8(resampling.resize(frames, image_size))
    return tf.reshape(pixels, [shape[0], shape[1], image_size, image_size, 3])


def squares_of_jpegs(frames_jpeg: tf.Tensor, image_size: int, region: Region) -> tf.Tensor:
    """As `squares_of_frames`, of JPEG images, each of any size; large ones are decoded reduced.

    Args:
      frames_jpeg: [B, T] string.
      image_size: height and width of the result, pixels.
      region: top, left, bottom and right, as shares of the height and the width.

    Returns:
      [B, T, image_size, image_size, 3] uint8.
    """

    def square(frame_jpeg: tf.Tensor) -> tf.Tensor:
        box = video_ops.central_box(video_ops.region_of(video_ops.frame_size(frame_jpeg), region))
        cut = video_ops.decode(frame_jpeg[tf.newaxis], box, image_size)
        return video_ops.to_uint8(resampling.resize(cut, image_size))[0]

    shape = tf.shape(frames_jpeg)
    pixels = tf.map_fn(
        square,
        tf.reshape(frames_jpeg, [-1]),
        fn_output_signature=tf.TensorSpec([image_size, image_size, 3], tf.uint8),
    )
    return tf.reshape(pixels, [shape[0], shape[1], image_size, image_size, 3])


def waveform_of_wav(wav: tf.Tensor, sample_rate: int) -> tf.Tensor:
    """A WAV file as the encoder takes audio: mono, at its sample rate.

    Args:
      wav: [] string, a WAV file of 16-bit samples of any rate, with any number of channels.
      sample_rate: of the result, Hz.

    Returns:
      [S] float32 in [-1, 1], the mean of the channels.
    """
    audio, rate = tf.audio.decode_wav(wav)
    mono = tf.reduce_mean(audio, axis=1)
    return tf.cond(
        tf.equal(rate, sample_rate),
        lambda: mono,
        functools.partial(resample, mono, rate, sample_rate),
    )


def resample(waveform: tf.Tensor, rate: tf.Tensor, new_rate: int) -> tf.Tensor:
    """Resamples by cutting or extending the spectrum: exact for what both rates can hold.

    Args:
      waveform: [S] float32.
      rate: [] int32, its samples a second.
      new_rate: samples a second wanted.

    Returns:
      [round(S / rate * new_rate)] float32.
    """
    length = tf.shape(waveform)[0]
    # Whole seconds, so that both lengths are whole numbers, and such that transform fast.
    seconds = tf.maximum((length + rate - 1) // rate, 1)
    spectrum = tf.signal.rfft(waveform, [seconds * rate])
    wide = tf.signal.irfft(spectrum, [seconds * new_rate])
    ratio = new_rate / tf.cast(rate, tf.float64)
    wanted = tf.cast(tf.round(tf.cast(length, tf.float64) * ratio), tf.int32)
    return wide[:wanted] * tf.cast(ratio, tf.float32)
