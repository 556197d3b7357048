import numpy as np
import pytest
import tensorflow as tf

from actcl_tf import config
from actcl_tf.train.model import accumulation
from tests import rounding, small_models


@pytest.fixture(scope="module")
def layer():
    layer = tf.keras.Sequential([tf.keras.layers.Dense(5, "tanh"), tf.keras.layers.Dense(3)])
    layer(tf.zeros([1, 4]))
    return layer


def _encode(layer):
    return lambda part: {"a": layer(part["x"]), "b": 2 * layer(part["x"]) ** 2}


@pytest.mark.parametrize("num_parts", [1, 2, 3, 6])
@pytest.mark.parametrize("compiled", [False, True])
def test_parts_give_what_the_whole_gives(layer, rng, num_parts, compiled):
    batch = {"x": tf.constant(rng.normal(size=[6, 4]), tf.float32)}
    wanted = {m: tf.constant(rng.normal(size=[6, 3]), tf.float32) for m in ("a", "b")}
    with tf.GradientTape() as tape:
        whole = _encode(layer)(batch)
    gradients = tape.gradient(whole, layer.trainable_variables, output_gradients=wanted)

    @tf.function(jit_compile=compiled)
    def in_parts(batch, wanted):
        types = {"a": tf.float32, "b": tf.float32}
        found = accumulation.encode(_encode(layer), batch, num_parts, types)
        return found, accumulation.gradients(
            _encode(layer), batch, wanted, layer.trainable_variables, num_parts
        )

    found, summed = in_parts(batch, wanted)
    for name in whole:
        rounding.assert_close(found[name], whole[name])
    for one, other in zip(summed, gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def _freeze_statistics(model):
    """Batch normalisation apart, parts are to come to what the whole comes to."""
    for tower in (*model.query_towers.values(), *model.key_towers.values()):
        for layer in tower.submodules:
            if isinstance(layer, tf.keras.layers.BatchNormalization):
                layer.call = lambda inputs, training=None, *, own=layer.call: own(
                    inputs, training=False
                )


@pytest.mark.parametrize("negatives", ["active", "in_batch"])
def test_a_step_in_parts_is_the_step_of_the_whole_batch(negatives):
    parts, whole = (
        small_models.build(negatives=negatives, accumulate_steps=steps) for steps in (3, 1)
    )
    batches = list(small_models.batches(4))
    seen = []
    for model in (parts, whole):
        _freeze_statistics(model)
        step = tf.function(model.train_step, autograph=False)
        scalars = [step(batch) for batch in batches]
        seen.append([float(each["loss/total"]) for each in scalars])
    np.testing.assert_allclose(*seen, rtol=1e-5)
    norms = [float(each["optimiser/gradient_norm"]) for each in scalars]
    assert np.isfinite(norms).all()
    for one, other in zip(parts.query_variables, whole.query_variables, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5, err_msg=one.name)
    for modality, target in parts.dictionaries.items():
        np.testing.assert_array_equal(target.queue.ids, whole.dictionaries[modality].queue.ids)
    assert int(parts.step) == 4


def test_statistics_of_each_part_count_once():
    model = small_models.build(accumulate_steps=3)
    (batch,) = small_models.batches(1)
    dense, norm = model.query_towers["audio"].backbone.layers[:2]
    inputs = batch["audio"].numpy() / 64
    expected = norm.moving_mean.numpy()
    for part in np.split(inputs @ dense.kernel.numpy() + dense.bias.numpy(), 3):
        expected = 0.99 * expected + 0.01 * part.mean(0)
    model.train_step(batch)
    np.testing.assert_allclose(norm.moving_mean, expected, atol=1e-6)


def test_parts_must_divide_the_batch():
    message = "--accumulate_steps=4: must divide --batch_size=6"
    with pytest.raises(config.ConfigError, match=message):
        config.TrainConfig(batch_size=6, accumulate_steps=4)
