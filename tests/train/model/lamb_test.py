import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.train.model import lamb, optimizers

NAMES = ("block/kernel", "block/norm/gamma", "block/bias", "zero/kernel")
SETTINGS = {
    "weight_decay": 0.3,
    "exclude_from_weight_decay": optimizers.NOT_DECAYED,
    "exclude_from_layer_adaptation": optimizers.NOT_DECAYED,
}


def _rate(steps):
    return optimizers.WarmupSchedule(0.01, 5, steps, "cosine")


def _variables():
    rng = np.random.default_rng(3)
    values = [rng.normal(size=shape) for shape in ([3, 3, 2, 4], [4], [4])] + [np.zeros([5, 2])]
    return [tf.Variable(v, name=n, dtype=tf.float32) for v, n in zip(values, NAMES, strict=True)]


def _gradients(step):
    """Of all sizes, from step to step; the last variable's is zero at every other step."""
    rng = np.random.default_rng(step)
    found = [rng.normal(scale=10.0 ** (step % 5 - 3), size=v.shape) for v in _variables()]
    found[-1] *= step % 2
    return [tf.constant(gradient, tf.float32) for gradient in found]


def _reference(steps):
    """Algorithm 2 of the paper in NumPy, in float64."""
    rate = _rate(steps)
    variables = [v.numpy().astype(np.float64) for v in _variables()]
    moments = [(np.zeros_like(v), np.zeros_like(v)) for v in variables]
    for step in range(steps):
        for i, gradient in enumerate(_gradients(step)):
            gradient, is_kernel = gradient.numpy().astype(np.float64), "kernel" in NAMES[i]
            mean = 0.9 * moments[i][0] + 0.1 * gradient
            square = 0.999 * moments[i][1] + 0.001 * gradient**2
            moments[i] = mean, square
            mean, square = mean / (1 - 0.9 ** (step + 1)), square / (1 - 0.999 ** (step + 1))
            update = mean / (np.sqrt(square) + 1e-6) + 0.3 * is_kernel * variables[i]
            norms = np.linalg.norm(variables[i]), np.linalg.norm(update)
            ratio = norms[0] / norms[1] if is_kernel and min(norms) > 0 else 1.0
            variables[i] = variables[i] - float(rate(step)) * ratio * update
    return variables


def test_equals_the_paper_in_numpy():
    optimizer, variables = lamb.LAMB(_rate(20), **SETTINGS), _variables()
    for step in range(20):
        optimizer.apply_gradients(zip(_gradients(step), variables, strict=True))
    for given, expected, start in zip(variables, _reference(20), _variables(), strict=True):
        np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-5)
        assert np.abs(expected - start).max() > 0.003


def test_is_made_anew_from_its_settings():
    optimizer = lamb.LAMB(_rate(20), **SETTINGS)
    settings = optimizer.get_config()
    assert settings["weight_decay"] == pytest.approx(0.3)
    again = lamb.LAMB(_rate(20), **{k: v for k, v in settings.items() if k != "learning_rate"})
    assert again.get_config() == settings


@pytest.mark.parametrize("writer", [0, 1], ids=["ours to Addons", "Addons to ours"])
def test_does_what_addons_does_and_serves_its_checkpoints(writer, tmp_path):
    pytest.importorskip("tensorflow_addons")
    theirs = optimizers._lamb()
    assert theirs is not lamb.LAMB
    pair = [kind(_rate(20), **SETTINGS) for kind in (lamb.LAMB, theirs)]
    sets = [_variables() for _ in pair]

    def step_both(steps):
        for step in steps:
            for optimizer, variables in zip(pair, sets, strict=True):
                optimizer.apply_gradients(zip(_gradients(step), variables, strict=True))

    step_both(range(20))
    assert [v.name for v in pair[0].variables()] == [v.name for v in pair[1].variables()]
    for ours, other in zip(
        [*sets[0], *pair[0].variables()], [*sets[1], *pair[1].variables()], strict=True
    ):
        np.testing.assert_array_equal(ours, other)
    checkpoints = [
        tf.train.Checkpoint(optimizer=optimizer, variables=variables)
        for optimizer, variables in zip(pair, sets, strict=True)
    ]
    path = checkpoints[writer].write(str(tmp_path / "saved"))
    step_both([20])
    checkpoints[1 - writer].read(path).assert_consumed()
    checkpoints[writer].read(path).assert_consumed()
    step_both([20])
    for ours, other in zip(*sets, strict=True):
        np.testing.assert_array_equal(ours, other)
