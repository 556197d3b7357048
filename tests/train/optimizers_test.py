import numpy as np
import pytest
import tensorflow as tf

from actcl_tf import config
from actcl_tf.train import optimizers


@pytest.mark.parametrize(
    ("step", "schedule", "expected"),
    [
        (0, "constant", 0.1),
        (4, "constant", 0.5),
        (9, "constant", 1.0),
        (100, "constant", 1.0),
        (10, "cosine", 1.0),
        (60, "cosine", 0.5),
        (110, "cosine", 0.0),
        (500, "cosine", 0.0),
    ],
)
def test_warmup_and_schedule(step, schedule, expected):
    rate = optimizers.WarmupSchedule(1.0, 10, 110, schedule)(tf.constant(step, tf.int64))
    np.testing.assert_allclose(rate, expected, atol=1e-6)


def test_no_warmup():
    assert float(optimizers.WarmupSchedule(0.5, 0, 10, "constant")(tf.constant(0))) == 0.5


def _apply(name, gradient, precision="float32", **changes):
    """One step on a kernel, a batch normalisation's gamma and a bias, all ones."""
    train = config.TrainConfig(
        optimizer=name,
        learning_rate=0.1,
        warmup_steps=0,
        learning_rate_schedule="constant",
        **changes,
    )
    optimizer = optimizers.build_optimizer(train, precision)
    names = ("block/kernel", "block/norm/gamma", "block/bias")
    variables = [tf.Variable(tf.ones([2]), name=name) for name in names]
    optimizer.apply_gradients([(tf.fill([2], gradient), v) for v in variables])
    return [float(v[0]) for v in variables]


@pytest.mark.parametrize("name", config.OPTIMIZERS)
def test_weight_decay_shrinks_kernels_only(name):
    kernel, gamma, bias = _apply(name, 0.0, weight_decay=0.5)
    assert kernel < 1.0
    assert (gamma, bias) == (1.0, 1.0)


@pytest.mark.parametrize("name", config.OPTIMIZERS)
def test_moves_against_the_gradient(name):
    assert all(value < 1.0 for value in _apply(name, 1.0, weight_decay=0.0))


def test_first_steps_by_hand():
    np.testing.assert_allclose(_apply("adam", 3.0, weight_decay=0.0), [0.9] * 3, atol=1e-5)
    np.testing.assert_allclose(_apply("sgd", 3.0, weight_decay=0.0), [0.7] * 3, atol=1e-5)
    np.testing.assert_allclose(_apply("adamw", 3.0, weight_decay=0.5), [0.85, 0.9, 0.9], atol=1e-5)


def test_half_precision_scales_the_loss():
    optimizer = optimizers.build_optimizer(config.TrainConfig(), "mixed_float16")
    assert float(optimizer.get_scaled_loss(tf.constant(1.0))) == 2.0**15
