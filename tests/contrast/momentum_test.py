import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.contrast import momentum


@pytest.mark.parametrize(
    ("step", "schedule", "expected"),
    [
        (0, "constant", 0.99),
        (500, "constant", 0.99),
        (0, "cosine", 0.99),
        (50, "cosine", 0.995),
        (100, "cosine", 1.0),
        (200, "cosine", 1.0),
    ],
)
def test_momentum_at(step, schedule, expected):
    value = momentum.momentum_at(tf.constant(step, tf.int64), 0.99, schedule, 100)
    np.testing.assert_allclose(value, expected, rtol=1e-6)


@pytest.mark.parametrize("m", [0.0, 0.9, 1.0])
def test_every_row_of_every_variable_moves_towards_its_own(m, rng):
    keys = [rng.normal(size=(3, 2)), rng.normal(size=(4,))]
    queries = [rng.normal(size=(3, 2)), rng.normal(size=(4,))]
    variables = [tf.Variable(k) for k in keys]
    momentum.update_key_encoder(variables, [tf.Variable(q) for q in queries], tf.constant(m))
    for variable, key, query in zip(variables, keys, queries, strict=True):
        np.testing.assert_allclose(variable, m * key + (1 - m) * query, rtol=1e-6)


def test_lists_that_do_not_match():
    with pytest.raises(ValueError, match="same variables in the same order, got 1 and 2"):
        momentum.update_key_encoder(
            [tf.Variable([1.0])], [tf.Variable([1.0]), tf.Variable(2.0)], tf.constant(0.9)
        )
    with pytest.raises(ValueError, match="other shapes"):
        momentum.update_key_encoder(
            [tf.Variable([1.0])], [tf.Variable([1.0, 2.0])], tf.constant(0.9)
        )
