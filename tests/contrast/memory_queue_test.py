import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.contrast import memory_queue


def _queue(size=4):
    return memory_queue.MemoryQueue(size, {"keys": tf.TensorSpec([1])})


def _put(queue, ids, count=None):
    rows = tf.constant([[float(i)] for i in ids]) if ids else tf.zeros([0, 1])
    queue.enqueue(tf.constant(ids, tf.int64), {"keys": rows}, count)


def _held(queue):
    return queue.ids.numpy().tolist()


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        ([[1, 2]], [1, 2, -1, -1]),
        ([[1, 2], [3, 4]], [1, 2, 3, 4]),
        ([[1, 2, 3], [4, 5]], [5, 2, 3, 4]),  # Wraps around and drops nothing.
        ([[1, 2, 3], [4, 5, 6], [7, 8, 9]], [9, 6, 7, 8]),
        ([[1, 2, 3, 4], [5, 6, 7, 8]], [5, 6, 7, 8]),
        ([[1, 2], [1]], [-1, 2, 1, -1]),  # A clip seen again: its old row goes.
        ([[1, 1]], [-1, 1, -1, -1]),  # The same clip twice in a batch.
        ([[]], [-1, -1, -1, -1]),
    ],
)
def test_rows_and_order(batches, expected):
    queue = _queue()
    for ids in batches:
        _put(queue, ids)
    assert _held(queue) == expected
    keys = queue.columns["keys"].numpy()[:, 0]
    held = np.array(expected)
    np.testing.assert_array_equal(keys[held >= 0], held[held >= 0])
    assert int(queue.filled()) == (held >= 0).sum()


@pytest.mark.parametrize(
    ("count", "expected"), [(0, [1, 2, 3, -1]), (1, [1, 2, 3, 4]), (2, [5, 2, 3, 4])]
)
def test_only_the_first_count_rows_are_written(count, expected):
    queue = _queue()
    _put(queue, [1, 2, 3])
    _put(queue, [4, 5, 6], tf.constant(count))
    assert _held(queue) == expected


@pytest.mark.parametrize("seed", range(3))
def test_like_a_deque_over_many_batches(seed):
    rng = np.random.default_rng(seed)
    queue, model, next_id = _queue(7), [], 0
    enqueue = tf.function(queue.enqueue, reduce_retracing=True)
    for _ in range(30):
        m = int(rng.integers(0, 8))
        ids = list(range(next_id, next_id + m))
        next_id += m
        enqueue(
            tf.constant(ids, tf.int64), {"keys": tf.reshape(tf.constant(ids, tf.float32), [m, 1])}
        )
        model = (model + ids)[-7:]
        assert sorted(i for i in _held(queue) if i >= 0) == model


def test_survives_a_checkpoint(tmp_path):
    queue, other = _queue(), _queue()
    _put(queue, [1, 2, 3])
    path = tf.train.Checkpoint(queue=queue).write(str(tmp_path / "queue"))
    tf.train.Checkpoint(queue=other).read(path).assert_consumed()
    _put(queue, [4, 5])
    _put(other, [4, 5])
    assert _held(other) == _held(queue)
    np.testing.assert_array_equal(other.columns["keys"], queue.columns["keys"])


def test_clear():
    queue = _queue()
    _put(queue, [1, 2, 3])
    queue.clear()
    assert _held(queue) == [-1] * 4
    _put(queue, [9])
    assert _held(queue) == [9, -1, -1, -1]


def test_errors():
    with pytest.raises(ValueError, match="at least 1 row, got size=0"):
        _queue(0)
    with pytest.raises(ValueError, match="cannot enqueue 5 rows into a queue of 4"):
        _put(_queue(), [1, 2, 3, 4, 5])
    with pytest.raises(ValueError, match="expected columns"):
        _queue().enqueue(tf.constant([1], tf.int64), {"features": tf.zeros([1, 1])})


@pytest.mark.parametrize(
    ("ids", "keys", "message"),
    [
        ([1.0], [[1.0]], "ids must have type int64 and shape .*got float32"),
        ([True], [[1.0]], "ids must have type int64 .*got bool"),
        ([[1]], [[1.0]], r"ids must have type int64 and shape \(None,\), got int32 and \(1, 1\)"),
        ([-3], [[1.0]], "ids must not be negative, got -3"),
        ([1], [[1]], "keys must have type float32 and shape .*got int32"),
        ([1], [[1.0, 2.0]], r"keys must have .* shape \(None, 1\), got float32 and \(1, 2\)"),
    ],
)
def test_numbers_of_another_kind_are_refused_and_not_cut(ids, keys, message):
    queue = _queue()
    with pytest.raises(ValueError, match=message):
        queue.enqueue(tf.constant(ids), {"keys": tf.constant(keys)})
    assert _held(queue) == [-1] * 4


def test_other_widths_of_the_same_kind_are_taken():
    queue = _queue()
    queue.enqueue(np.array([7], np.int32), {"keys": np.array([[0.5]], np.float64)})
    assert _held(queue) == [7, -1, -1, -1]
    assert queue.columns["keys"][0].numpy().tolist() == [0.5]


@pytest.mark.parametrize(
    ("ids", "others", "expected"),
    [
        ([1, 5, 9], [9, 1, 7], [True, False, True]),
        ([1], [], [False]),
        ([], [1], []),
        ([2**62, -1], [-1, 2**62], [True, True]),
        ([3, 3], [3, 3], [True, True]),
    ],
)
@pytest.mark.parametrize("compiled", [False, True])
def test_contains(ids, others, expected, compiled):
    contains = tf.function(memory_queue.contains, jit_compile=compiled)
    found = contains(tf.constant(ids, tf.int64), tf.constant(others, tf.int64))
    np.testing.assert_array_equal(found, np.array(expected, bool))
