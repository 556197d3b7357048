"""Which frames of a clip are used, and which samples go with them: index arithmetic only.

A *span* is a run of `num_frames * frame_stride` stored frames, [start, start + span). Video takes
every `frame_stride`-th frame of it, beginning with the first; audio takes all of its time. So both
cover the same seconds, and a span never reaches beyond the clip.
"""

import tensorflow as tf

from actcl_tf.data.records import records

TOO_SHORT = "the clip has fewer frames than the span: lower --num_frames"
AUDIO_TOO_SHORT = "the clip's audio is shorter than the window: lower --audio_window"


def span_frames(num_frames: int, frame_stride: int) -> int:
    """Stored frames that a span covers."""
    return num_frames * frame_stride


def num_audio_samples(
    num_frames: int, frame_stride: int, frame_rate: float, sample_rate: float
) -> int:
    """Samples (S) that cover the time of a span; halves round up.

    Args:
      num_frames: frames used (T).
      frame_stride: step between them, in stored frames.
      frame_rate: stored frames a second.
      sample_rate: samples a second.
    """
    return records.num_samples(span_frames(num_frames, frame_stride), frame_rate, sample_rate)


def random_start(
    total_frames: tf.Tensor, span: int, seed: tf.Tensor, too_short: str = TOO_SHORT
) -> tf.Tensor:
    """Draws where a span starts, every valid start being as likely as any other.

    Args:
      total_frames: [] int32, stored frames of the clip, or samples, at least `span`.
      span: stored frames, or samples, that the span covers.
      seed: [2] int32, stateless seed.
      too_short: what is said of a clip that is shorter.

    Returns:
      [] int32, in [0, total_frames - span].

    Raises:
      tf.errors.InvalidArgumentError: the clip is shorter than the span.
    """
    total_frames = _checked_length(total_frames, span, too_short)
    return tf.random.stateless_uniform([], seed, 0, total_frames - span + 1, tf.int32)


def window_starts(
    total_frames: tf.Tensor, span: int, num_windows: int, too_short: str = TOO_SHORT
) -> tf.Tensor:
    """Starts of evenly spread spans: from the first possible to the last; the middle for one.

    Args:
      total_frames: [] int32, stored frames of the clip, or samples, at least `span`.
      span: stored frames, or samples, that a span covers.
      num_windows: number of spans (W), at least 1.
      too_short: what is said of a clip that is shorter than one.

    Returns:
      [W] int32, rising, in [0, total_frames - span]; halves round up (down for a single window).
      Starts repeat where the clip has fewer than W of them.

    Raises:
      tf.errors.InvalidArgumentError: the clip is shorter than the span.
    """
    total_frames = _checked_length(total_frames, span, too_short)
    last = total_frames - span
    if num_windows == 1:
        return tf.reshape(last // 2, [1])
    gaps = num_windows - 1
    return (2 * tf.range(num_windows) * last + gaps) // (2 * gaps)


def frame_indices(starts: tf.Tensor, num_frames: int, frame_stride: int) -> tf.Tensor:
    """Indices of the frames used.

    Args:
      starts: [...] int32, where spans start.
      num_frames: frames used (T).
      frame_stride: step between them, in stored frames.

    Returns:
      [..., T] int32.
    """
    return tf.expand_dims(starts, -1) + tf.range(num_frames) * frame_stride


def audio_starts(
    starts: tf.Tensor,
    total_samples: tf.Tensor,
    num_samples: int,
    frame_rate: float,
    sample_rate: float,
) -> tf.Tensor:
    """First samples of spans; halves round up.

    The start, the length of the span and the length of the clip are rounded to whole samples each
    by itself, so that a span at the clip's end may come out one sample too far right: it is then
    moved left by that one sample.

    Args:
      starts: [...] int32, first frames of the spans.
      total_samples: [] int32, samples of the clip.
      num_samples: samples a span takes (S).
      frame_rate: stored frames a second.
      sample_rate: samples a second.

    Returns:
      [...] int32, in [0, total_samples - num_samples].

    Raises:
      tf.errors.InvalidArgumentError: the audio ends more than a sample before the frames do.
    """
    exact = tf.cast(starts, tf.float64) / frame_rate * sample_rate
    first = tf.cast(tf.floor(exact + 0.5), tf.int32)
    latest = total_samples - num_samples
    check = tf.debugging.assert_less_equal(
        first, latest + 1, "the clip's waveform is shorter than its frames: prepare the data again"
    )
    with tf.control_dependencies([] if check is None else [check]):
        return tf.minimum(first, latest)


def _checked_length(total_frames: tf.Tensor, span: int, too_short: str) -> tf.Tensor:
    """The length, to be used only once it is found long enough: what comes first is reported."""
    check = tf.debugging.assert_greater_equal(total_frames, span, too_short)
    with tf.control_dependencies([] if check is None else [check]):
        return tf.identity(total_frames)
