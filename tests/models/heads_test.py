import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.models import heads
from tests.models import reference


def _trained_head(kind, rng):
    """A head with random weights whose moving statistics have moved."""
    head = heads.ProjectionHead(kind, hidden_size=6, embedding_size=4)
    head(tf.zeros([1, 5]))
    for weight in head.trainable_variables:
        weight.assign(rng.normal(size=weight.shape))
    for _ in range(5):
        head(rng.normal(1.0, 2.0, size=[16, 5]).astype(np.float32), training=True)
    return head


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_affine_form_equals_inference(rng, kind):
    head = _trained_head(kind, rng)
    output = head(rng.normal(size=[7, 5]).astype(np.float32), training=False)
    kernel, scale, offset = head.last_layer_affine()
    assert kernel.shape == [output.hidden.shape[1], 4]
    np.testing.assert_allclose(output.hidden @ kernel * scale + offset, output.outputs, atol=1e-5)
    assert np.abs(offset - head.output_norm.beta).max() > 0.1  # The statistics did move.


@pytest.mark.parametrize("training", [False, True])
def test_mlp_equals_numpy(rng, training):
    head = _trained_head("mlp", rng)
    features = rng.normal(size=[7, 5]).astype(np.float32)
    outputs = features
    norms = (head.hidden_norm, head.output_norm)
    moving = [(norm.moving_mean.numpy(), norm.moving_variance.numpy()) for norm in norms]
    given = head(features, training=training)
    for index, (layer, norm) in enumerate(
        zip((head.hidden_layer, head.last_layer), norms, strict=True)
    ):
        outputs = outputs @ layer.kernel.numpy()
        statistics = (outputs.mean(0), outputs.var(0)) if training else moving[index]
        outputs = reference.normalise(outputs, norm.gamma.numpy(), norm.beta.numpy(), *statistics)
        if index == 0:
            outputs = np.maximum(outputs, 0)
            np.testing.assert_allclose(given.hidden, outputs, atol=1e-4)
    np.testing.assert_allclose(given.outputs, outputs, atol=1e-4)
    expected = outputs / np.linalg.norm(outputs, axis=1, keepdims=True)
    np.testing.assert_allclose(given.embedding, expected, atol=1e-4)


def test_linear_head_hands_its_features_to_the_last_layer(rng):
    features = rng.normal(size=[7, 5]).astype(np.float32)
    head = heads.ProjectionHead("linear", hidden_size=6, embedding_size=4)
    np.testing.assert_array_equal(head(features).hidden, features)
    assert [weight.shape for weight in head.trainable_variables] == [[5, 4], [4], [4]]


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_head_is_float32_under_any_policy(rng, policy):
    features = tf.cast(rng.normal(size=[7, 5]), tf.bfloat16)
    float32 = _trained_head("mlp", np.random.default_rng(1))
    tf.keras.mixed_precision.set_global_policy(policy)
    mixed = _trained_head("mlp", np.random.default_rng(1))
    for given, expected in zip(mixed(features), float32(features), strict=True):
        assert given.dtype == tf.float32
        np.testing.assert_array_equal(given, expected)


@pytest.mark.parametrize(
    ("vector", "expected"),
    [
        ([3.0, -4.0], [0.6, -0.8]),
        ([0.0, 0.0], [0.0, 0.0]),
        ([1e-5, 0.0], [1.0, 0.0]),
        ([1e18, 0.0], [1.0, 0.0]),
        ([1e-20, 0.0], [1e-14, 0.0]),
    ],
)
def test_unit_vectors(vector, expected):
    vectors = tf.constant([vector])
    with tf.GradientTape() as tape:
        tape.watch(vectors)
        units = heads.unit_vectors(vectors)
    np.testing.assert_allclose(units[0], expected, rtol=1e-6)
    assert np.isfinite(tape.gradient(units, vectors)).all()


def test_unknown_kind():
    with pytest.raises(ValueError, match="must be one of linear, mlp, got 'conv'"):
        heads.ProjectionHead("conv", 4, 4)
