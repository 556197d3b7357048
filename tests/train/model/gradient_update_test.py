import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.train.model import gradient_update


@pytest.mark.parametrize(
    "clip_norm, gradients, expected, norm",
    [
        (0.0, [3.0, 4.0], [3.0, 4.0], 5.0),
        (1.0, [3.0, 4.0], [0.6, 0.8], 5.0),
        (6.0, [3.0, 4.0], [3.0, 4.0], 5.0),
        (1.0, [0.0, 0.0], [0.0, 0.0], 0.0),
    ],
)
def test_sum_and_clip_by_the_global_norm(clip_norm, gradients, expected, norm):
    found, found_norm = gradient_update.sum_and_clip(
        [tf.constant([g]) for g in gradients], clip_norm
    )
    np.testing.assert_allclose(np.concatenate(found), expected, rtol=1e-6)
    assert float(found_norm) == norm


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_sum_and_clip_names_what_is_not_finite_unless_it_may_overflow(value):
    gradients = [tf.constant([1.0, value])]
    with pytest.raises(tf.errors.InvalidArgumentError, match="gradient"):
        gradient_update.sum_and_clip(gradients, 0.0)
    _, norm = gradient_update.sum_and_clip(gradients, 0.0, may_overflow=True)
    assert not np.isfinite(norm)


def test_an_optimizer_without_scaling_gets_the_loss_as_it_is():
    variable = tf.Variable([1.0, 2.0])
    scaling = gradient_update.LossScaling(tf.keras.optimizers.SGD(0.5))
    assert float(scaling.scale(tf.constant(3.0))) == 3.0
    assert float(scaling.update([tf.constant([3.0, 4.0])], [variable], clip_norm=1.0)) == 5.0
    np.testing.assert_allclose(variable, [0.7, 1.6], rtol=1e-6)
    assert scaling.scalars() == {}
