"""Windows over long input: where they start, and what is averaged."""

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.export import windows


@pytest.mark.parametrize(
    "length, window, expected",
    [
        (8, 8, [0]),
        (9, 8, [0, 1]),
        (16, 8, [0, 8]),
        (20, 8, [0, 6, 12]),
        (3, 1, [0, 1, 2]),
        (1, 1, [0]),
        # An hour at 48 kHz in windows of a second; their product is beyond 32 bits.
        (3600 * 48000, 48000, list(range(0, 3600 * 48000, 48000))),
    ],
)
def test_starts_worked_out_by_hand(length, window, expected):
    found = windows.starts(tf.constant(length), tf.constant(window))
    assert found.dtype == tf.int32
    assert found.numpy().tolist() == expected


@pytest.mark.parametrize("window", [1, 2, 5, 16])
@pytest.mark.parametrize("length", [16, 17, 31, 100])
def test_windows_cover_everything_with_little_overlap(length, window):
    found = windows.starts(tf.constant(length), tf.constant(window)).numpy()
    assert (found[0], found[-1]) == (0, length - window)
    assert len(found) == -(-length // window)
    steps = np.diff(found)
    assert np.all(steps <= window)
    assert steps.size == 0 or steps.max() - steps.min() <= 1


def _encode(part):
    total = tf.reduce_sum(part, axis=1)
    return {"embedding": tf.stack([total, tf.ones_like(total)], 1), "features": total[:, None]}


@pytest.mark.parametrize("graph", [False, True])
def test_averages_worked_out_by_hand(graph):
    def run(inputs):
        return windows.encode_average(_encode, inputs, 2, {"embedding": 2, "features": 1})

    run = tf.function(run, autograph=False) if graph else run
    found = run(tf.constant([[1.0, 2.0, 3.0], [0.0, 4.0, 0.0]]))
    # Windows [1, 2] and [2, 3]; [0, 4] and [4, 0].
    np.testing.assert_allclose(found["features"], [[4.0], [4.0]])
    expected = np.array([4.0, 1.0]) / np.sqrt(17.0)
    np.testing.assert_allclose(found["embedding"], [expected, expected], rtol=1e-6)


def test_input_shorter_than_a_window_is_one_window():
    inputs = tf.constant([[1.0, 2.0, 4.0]])
    found = windows.encode_average(_encode, inputs, 100, {"embedding": 2, "features": 1})
    np.testing.assert_allclose(found["features"], [[7.0]])
