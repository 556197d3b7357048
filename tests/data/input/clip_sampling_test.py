"""Index arithmetic of spans: tables worked out by hand, and properties over all starts."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from actcl_tf.data.input import clip_sampling
from actcl_tf.data.records import records


@pytest.mark.parametrize(
    ("num_frames", "stride", "frame_rate", "sample_rate", "expected"),
    [
        (16, 1, 10.0, 16000.0, 25600),
        (16, 2, 10.0, 16000.0, 51200),
        (8, 1, 12.5, 16000.0, 10240),
        (1, 1, 29.97, 44100.0, 1471),  # 1471.47
        (1, 1, 24.0, 44100.0, 1838),  # 1837.5: halves round up
        (1, 1, 8.0, 4.0, 1),  # 0.5
    ],
)
def test_num_audio_samples(num_frames, stride, frame_rate, sample_rate, expected):
    assert clip_sampling.num_audio_samples(num_frames, stride, frame_rate, sample_rate) == expected


@pytest.mark.parametrize(
    ("total", "span", "windows", "expected"),
    [
        (10, 4, 1, [3]),
        (11, 4, 1, [3]),  # 3.5: one window rounds down
        (4, 4, 1, [0]),
        (10, 4, 2, [0, 6]),
        (10, 4, 3, [0, 3, 6]),
        (11, 4, 3, [0, 4, 7]),  # 3.5 rounds up
        (10, 4, 4, [0, 2, 4, 6]),
        (4, 4, 3, [0, 0, 0]),
        (5, 4, 4, [0, 0, 1, 1]),  # 0, 1/3, 2/3, 1
        (30, 8, 5, [0, 6, 11, 17, 22]),  # 0, 5.5, 11, 16.5, 22
    ],
)
def test_window_starts(total, span, windows, expected):
    starts = clip_sampling.window_starts(tf.constant(total), span, windows)
    assert starts.dtype == tf.int32
    np.testing.assert_array_equal(starts, expected)


@pytest.mark.parametrize(
    ("start", "num_frames", "stride", "expected"),
    [
        (0, 4, 1, [0, 1, 2, 3]),
        (5, 3, 2, [5, 7, 9]),
        (2, 1, 7, [2]),
        ([0, 3], 2, 4, [[0, 4], [3, 7]]),
    ],
)
def test_frame_indices(start, num_frames, stride, expected):
    indices = clip_sampling.frame_indices(tf.constant(start), num_frames, stride)
    np.testing.assert_array_equal(indices, expected)


@pytest.mark.parametrize(
    ("start", "total_samples", "num_samples", "frame_rate", "sample_rate", "expected"),
    [
        (0, 48000, 25600, 10.0, 16000.0, 0),
        (14, 48000, 25600, 10.0, 16000.0, 22400),
        (1, 10000, 3, 24.0, 44100.0, 1838),  # 1837.5: halves round up
        (3, 5, 1, 2.0, 3.0, 4),  # 4.5 rounds to 5; only 4 leaves room: one sample to the left
        # At 48 kHz after two hours float32 could not hold the sample's number.
        (72001, 345_609_600, 4800, 10.0, 48000.0, 345_604_800),
        ([0, 2], 48000, 1600, 10.0, 16000.0, [0, 3200]),
    ],
)
def test_audio_starts(start, total_samples, num_samples, frame_rate, sample_rate, expected):
    first = clip_sampling.audio_starts(
        tf.constant(start), tf.constant(total_samples), num_samples, frame_rate, sample_rate
    )
    np.testing.assert_array_equal(first, expected)


@pytest.mark.parametrize("frame_rate", [10.0, 12.5, 24.0, 25.0, 29.97, 30000 / 1001])
@pytest.mark.parametrize("sample_rate", [8000.0, 11025.0, 16000.0, 44100.0])
def test_spans_stay_inside_and_in_time(frame_rate, sample_rate):
    """Every span of every clip length ends inside the waveform and starts within a sample."""
    for total_frames in (7, 16, 37, 250):
        total_samples = records.num_samples(total_frames, frame_rate, sample_rate)
        for num_frames, stride in ((7, 1), (3, 2), (1, 1)):
            span = clip_sampling.span_frames(num_frames, stride)
            samples = clip_sampling.num_audio_samples(num_frames, stride, frame_rate, sample_rate)
            starts = np.arange(total_frames - span + 1, dtype=np.int32)
            first = clip_sampling.audio_starts(
                tf.constant(starts), tf.constant(total_samples), samples, frame_rate, sample_rate
            ).numpy()
            assert first.min() >= 0
            assert first.max() + samples <= total_samples
            error = first - starts.astype(np.float64) / frame_rate * sample_rate
            assert np.abs(error).max() <= 1.5
            last_frame = clip_sampling.frame_indices(tf.constant(starts), num_frames, stride)
            assert last_frame.numpy().max() < total_frames


def test_random_start_is_uniform_and_reaches_both_ends():
    seeds = tf.stack([tf.range(4000), tf.fill([4000], 7)], 1)

    @tf.function
    def draw(seeds):
        return tf.map_fn(
            lambda seed: clip_sampling.random_start(tf.constant(20), 11, seed),
            seeds,
            fn_output_signature=tf.int32,
        )

    starts = draw(seeds).numpy()
    counts = np.bincount(starts, minlength=10)
    assert len(counts) == 10
    assert stats.chisquare(counts).pvalue > 0.001


def test_random_start_of_a_clip_as_long_as_the_span_is_zero():
    assert int(clip_sampling.random_start(tf.constant(11), 11, tf.constant([1, 2]))) == 0


def test_random_start_is_a_function_of_the_seed_in_eager_and_graph():
    graph = tf.function(clip_sampling.random_start)
    for value in range(5):
        seed = tf.constant([value, 3])
        eager = clip_sampling.random_start(tf.constant(1000), 11, seed)
        assert int(eager) == int(graph(tf.constant(1000), 11, seed))
        assert int(eager) == int(clip_sampling.random_start(tf.constant(1000), 11, seed))


def test_short_clip_is_refused():
    with pytest.raises(tf.errors.InvalidArgumentError, match="fewer frames than the span"):
        clip_sampling.random_start(tf.constant(10), 11, tf.constant([1, 2]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="fewer frames than the span"):
        clip_sampling.window_starts(tf.constant(10), 11, 2)


def test_waveform_shorter_than_the_frames_is_refused():
    with pytest.raises(tf.errors.InvalidArgumentError, match="shorter than its frames"):
        clip_sampling.audio_starts(tf.constant(9), tf.constant(998), 100, 10.0, 1000.0)
