import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.contrast import gradient_embeddings

N, M, D_FEATURES, D = 7, 5, 6, 4


def _inputs(seed, temperature=0.3):
    rng = np.random.default_rng(seed)
    queries = rng.normal(size=(M, D))
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    layer = gradient_embeddings.LastLayer(
        tf.constant(rng.normal(size=(D_FEATURES, D)), tf.float32),
        tf.constant(rng.uniform(0.5, 2.0, size=D), tf.float32),
        tf.constant(rng.normal(size=D), tf.float32),
    )
    features = tf.constant(rng.normal(size=(N, D_FEATURES)), tf.float32)
    return features, layer, tf.constant(queries, tf.float32), temperature


def _autodiff(features, layer, queries, temperature):
    """Gradient of the pseudo-label loss of each candidate, by TensorFlow's own autodiff."""
    gradients = []
    for row in features:
        kernel = tf.Variable(layer.kernel)
        with tf.GradientTape() as tape:
            outputs = tf.linalg.matvec(kernel, row, transpose_a=True) * layer.scale + layer.offset
            key = tf.linalg.l2_normalize(outputs)
            logits = tf.linalg.matvec(queries, key) / temperature
            label = tf.stop_gradient(tf.argmax(logits))
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(label, logits)
        gradients.append(tape.gradient(loss, kernel).numpy())
    return np.stack(gradients)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("compiled", [False, True])
def test_factors_equal_autodiff_of_the_last_layer(seed, compiled):
    inputs = _inputs(seed)
    function = tf.function(gradient_embeddings.gradient_factors, jit_compile=compiled)
    u, h = function(*inputs)
    built = np.einsum("nd,nk->ndk", h, u)
    expected = _autodiff(*inputs)
    np.testing.assert_allclose(built, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("temperature", [0.05, 0.7, 10.0])
def test_temperature_is_differentiated_too(temperature):
    inputs = _inputs(9, temperature)
    u, h = gradient_embeddings.gradient_factors(*inputs)
    expected = _autodiff(*inputs)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(np.einsum("nd,nk->ndk", h, u), expected, atol=2e-4 * scale)


def test_embedding_space_is_the_gradient_without_the_features():
    features, layer, queries, temperature = _inputs(0)
    u, h = gradient_embeddings.gradient_factors(features, layer, queries, temperature, "embedding")
    expected, _ = gradient_embeddings.gradient_factors(features, layer, queries, temperature)
    np.testing.assert_array_equal(u, expected)
    np.testing.assert_array_equal(h, np.ones((N, 1)))


def test_squared_norms_are_those_of_the_built_gradients():
    u, h = gradient_embeddings.gradient_factors(*_inputs(3))
    norms = gradient_embeddings.squared_norms(gradient_embeddings.GradientFactors(u, h))
    built = np.einsum("nd,nk->ndk", h, u).reshape(N, -1)
    np.testing.assert_allclose(norms, (built**2).sum(1), rtol=1e-5)


def test_hand_worked():
    # Key (1, 0) between queries (1, 0) and (0, 1) at temperature 1: p = (e, 1) / (e + 1), label 0.
    # c = (p0 - 1, p1); its part across the key is (0, p1); |W h| = 2 halves it.
    layer = gradient_embeddings.LastLayer(tf.eye(2), tf.ones(2), tf.zeros(2))
    u, h = gradient_embeddings.gradient_factors(tf.constant([[2.0, 0.0]]), layer, tf.eye(2), 1.0)
    np.testing.assert_allclose(u, [[0.0, 1.0 / (np.e + 1.0) / 2.0]], rtol=1e-5)
    np.testing.assert_array_equal(h, [[2.0, 0.0]])


def test_a_layer_alone_is_one_that_nothing_stands_behind():
    features, layer, *rest = _inputs(0)
    alone = gradient_embeddings.LastLayer(layer.kernel)
    plain = layer._replace(scale=tf.ones(D), offset=tf.zeros(D))
    for found, expected in zip(
        gradient_embeddings.gradient_factors(features, alone, *rest),
        gradient_embeddings.gradient_factors(features, plain, *rest),
        strict=True,
    ):
        np.testing.assert_array_equal(found, expected)


def test_one_query_leaves_nothing_uncertain():
    features, layer, queries, temperature = _inputs(0)
    u, _ = gradient_embeddings.gradient_factors(features, layer, queries[:1], temperature)
    np.testing.assert_array_equal(u, np.zeros((N, D)))


def test_features_of_all_zeros_stay_finite():
    _, layer, queries, temperature = _inputs(0)
    layer = layer._replace(offset=tf.zeros(D))
    u, h = gradient_embeddings.gradient_factors(
        tf.zeros([N, D_FEATURES]), layer, queries, temperature
    )
    assert np.isfinite(u).all()
    assert np.isfinite(h).all()


def test_half_precision_features_are_computed_in_float32():
    features, layer, queries, temperature = _inputs(0)
    u, _ = gradient_embeddings.gradient_factors(
        tf.cast(features, tf.bfloat16), layer, queries, temperature
    )
    assert u.dtype == tf.float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"space": "pixels"}, "last_layer or embedding, got pixels"),
        ({"queries": tf.zeros([M, D + 1])}, r"queries \[M, 4\]"),
        ({"features": tf.zeros([N, 2])}, r"features must have shape \[N, 6\]"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    features, layer, queries, temperature = _inputs(0)
    arguments = {
        "features": features,
        "last_layer": layer,
        "queries": queries,
        "temperature": temperature,
        **change,
    }
    with pytest.raises(ValueError, match=message):
        gradient_embeddings.gradient_factors(**arguments)
