import numpy as np
import pytest
import sklearn.metrics
import tensorflow as tf

from actcl_tf.contrast import losses


def _unit(rng, rows, size):
    x = rng.normal(size=(rows, size))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(
    ("query_ids", "key_ids", "expected"),
    [
        ([1, 2], [1, 2, 3], [[False, True, True], [True, False, True]]),
        ([1], [-1, 4], [[False, True]]),  # An empty slot.
        ([1], [1, 1], [[False, False]]),  # Nothing but the own clip.
        ([1], [], [[]]),
    ],
)
def test_negative_mask(query_ids, key_ids, expected):
    mask = losses.negative_mask(tf.constant(query_ids, tf.int64), tf.constant(key_ids, tf.int64))
    np.testing.assert_array_equal(mask, np.array(expected, bool).reshape(mask.shape))


def test_hand_worked():
    # Cosine 1 with the own key, 0 with one negative, temperature 1: log(1 + e^-1).
    result = losses.info_nce(
        tf.constant([[1.0, 0.0]]),
        tf.constant([[1.0, 0.0]]),
        tf.constant([[0.0, 1.0], [1.0, 0.0]]),
        tf.constant([[True, False]]),
        1.0,
    )
    np.testing.assert_allclose(result.loss, [np.log1p(np.exp(-1.0))], rtol=1e-6)
    np.testing.assert_allclose(result.bound, [np.log(2) - np.log1p(np.exp(-1.0))], rtol=1e-5)
    np.testing.assert_array_equal(result.rank, [0])


def test_agrees_with_scikit_learns_log_loss(rng):
    queries, positives, negatives = _unit(rng, 6, 5), _unit(rng, 6, 5), _unit(rng, 9, 5)
    mask = rng.random((6, 9)) < 0.7
    mask[:, 0] = True
    result = losses.info_nce(queries, positives, negatives, tf.constant(mask), 0.2)
    for i in range(6):
        logits = np.concatenate([[queries[i] @ positives[i]], (negatives @ queries[i])[mask[i]]])
        p = np.exp(logits.astype(np.float64) / 0.2)
        expected = sklearn.metrics.log_loss([0], [p / p.sum()], labels=np.arange(len(p)))
        np.testing.assert_allclose(result.loss[i], expected, rtol=1e-4)
        np.testing.assert_array_equal(result.rank[i], (logits[1:] >= logits[0]).sum())


@pytest.mark.parametrize("temperature", [0.01, 0.07, 0.7])
def test_bound_never_exceeds_log_of_the_choices(rng, temperature):
    queries = _unit(rng, 8, 4)
    result = losses.info_nce(
        queries, queries, _unit(rng, 20, 4), tf.fill([8, 20], True), temperature
    )
    assert (result.bound.numpy() <= np.log(21) + 1e-5).all()


def test_keys_all_alike_are_at_chance():
    same = tf.tile([[1.0, 0.0]], [3, 1])
    result = losses.info_nce(same, same, tf.tile(same[:1], [7, 1]), tf.fill([3, 7], True), 0.1)
    np.testing.assert_allclose(result.loss, np.log(8.0) * np.ones(3), rtol=1e-5)
    np.testing.assert_array_equal(result.rank, [7, 7, 7])  # Ties count against.


def test_masked_keys_and_empty_dictionary_give_no_loss_and_no_gradient():
    queries = tf.Variable([[1.0, 0.0]])
    with tf.GradientTape() as tape:
        result = losses.info_nce(
            queries, tf.constant([[0.6, 0.8]]), tf.zeros([4, 2]), tf.fill([1, 4], False), 0.001
        )
        loss = tf.reduce_sum(result.loss)
    np.testing.assert_allclose(result.loss, [0.0], atol=1e-6)
    np.testing.assert_allclose(result.bound, [0.0], atol=1e-6)
    np.testing.assert_allclose(tape.gradient(loss, queries), [[0.0, 0.0]], atol=1e-6)


def test_nan_is_not_hidden():
    result = losses.info_nce(
        tf.constant([[np.nan, 0.0]]), tf.eye(2)[:1], tf.eye(2), tf.fill([1, 2], True), 0.1
    )
    assert np.isnan(result.loss.numpy()).all()
