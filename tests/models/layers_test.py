import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.models import layers
from tests.models import reference


@pytest.mark.parametrize(
    ("channels", "width", "expected"),
    [
        (64, 1.0, 64),
        (45, 1.0, 45),  # Width 1 is the published network, multiple of 8 or not.
        (64, 0.5, 32),
        (45, 0.5, 24),
        (64, 0.01, 8),
        (64, 0.19, 16),
        (64, 2.0, 128),
    ],
)
def test_scale_channels(channels, width, expected):
    assert layers.scale_channels(channels, width) == expected


@pytest.mark.parametrize(
    ("kernel", "strides", "size"),
    [
        ([3, 3], [2, 2], (6, 5)),
        ([7, 7], [2, 2], (8, 7)),
        ([3, 1], [2, 1], (6, 1)),
        ([1, 1], [2, 2], (6, 5)),
        ([3, 3], [1, 1], (4, 5)),
        ([3, 3, 3], [2, 2, 2], (4, 5, 6)),
        ([3, 7, 7], [1, 2, 2], (3, 8, 5)),
        ([1, 1, 1], [2, 2, 2], (1, 4, 5)),
        ([3, 3, 3], [2, 2, 2], (1, 1, 1)),
    ],
)
def test_convolution_pads_as_pytorch(rng, kernel, strides, size):
    inputs = rng.normal(size=(2, *size, 3)).astype(np.float32)
    make = layers.Conv2D if len(kernel) == 2 else layers.Conv3D
    layer = make(4, kernel, strides, "conv")
    outputs = layer(inputs).numpy()
    expected = reference.convolve(inputs, layer.kernel.numpy(), strides)
    assert outputs.shape == expected.shape
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    symbolic = layer(tf.keras.Input([*size, 3]))
    assert tuple(symbolic.shape[1:]) == expected.shape[1:]


def test_strided_padding_by_hand():
    # 1, 2, 3, 4 and a kernel of three ones at stride 2: PyTorch sums (0, 1, 2) and (2, 3, 4), where
    # TensorFlow's SAME would sum (1, 2, 3) and (3, 4, 0).
    layer = layers.Conv2D(1, [3, 1], [2, 1], "conv")
    inputs = np.array([1, 2, 3, 4], np.float32).reshape(1, 4, 1, 1)
    layer.build(inputs.shape)
    layer.set_weights([np.ones([3, 1, 1, 1], np.float32)])
    assert layer(inputs).numpy().ravel().tolist() == [3.0, 9.0]


def test_even_kernels_are_refused():
    with pytest.raises(ValueError, match=r"odd on every axis, got \(3, 4\)"):
        layers.Conv2D(1, [3, 4], [1, 1], "conv")


def test_initial_values_are_he_normal_by_fan_out():
    layer = layers.Conv3D(64, [3, 3, 3], [1, 1, 1], "conv")
    layer.build([None, 8, 8, 8, 32])
    assert layer.kernel.numpy().std() == pytest.approx(np.sqrt(2 / (27 * 64)), rel=0.02)


@pytest.mark.parametrize("size", [(6, 5), (4, 5, 6), (1, 1, 1)])
def test_max_pool(rng, size):
    inputs = np.abs(rng.normal(size=(2, *size, 3))).astype(np.float32)
    window, strides = [3] * len(size), [2] * len(size)
    outputs = layers.MaxPool(window, strides)(inputs).numpy()
    np.testing.assert_array_equal(outputs, reference.max_pool(inputs, window, strides))


@pytest.mark.parametrize("size", [(4, 5), (3, 4, 5), (1, 1, 1)])
def test_batch_norm(rng, size):
    inputs = rng.normal(2.0, 3.0, size=(6, *size, 4)).astype(np.float32)
    norm = layers.BatchNorm("norm")
    norm.build(inputs.shape)
    gamma, beta = rng.normal(size=4), rng.normal(size=4)
    norm.set_weights([gamma, beta, np.zeros(4), np.ones(4)])
    flat = inputs.reshape(-1, 4)
    mean, variance = flat.mean(0), flat.var(0)
    expected = reference.normalise(inputs, gamma, beta, mean, variance)
    np.testing.assert_allclose(norm(inputs, training=True), expected, atol=2e-5)
    # As in PyTorch, the moving variance takes the unbiased estimate.
    np.testing.assert_allclose(norm.moving_mean, 0.1 * mean, rtol=1e-4)
    unbiased = flat.var(0, ddof=1)
    np.testing.assert_allclose(norm.moving_variance, 0.9 + 0.1 * unbiased, rtol=1e-4)
    moving = norm.moving_mean.numpy(), norm.moving_variance.numpy()
    expected = reference.normalise(inputs, gamma, beta, *moving)
    np.testing.assert_allclose(norm(inputs, training=False), expected, atol=2e-5)


def test_batch_norm_takes_any_size_in_a_graph():
    norm = layers.BatchNorm("norm")
    apply = tf.function(
        norm, input_signature=[tf.TensorSpec([None, None, None, None, 4], tf.float32)]
    )
    for shape in ([2, 3, 4, 5, 4], [1, 1, 7, 2, 4]):
        assert apply(tf.ones(shape)).shape == shape


def test_chain_hands_training_on():
    chain = layers.Chain([layers.Chain([layers.BatchNorm("norm")], "inner")], "outer")
    inputs = tf.constant([[[[5.0]]], [[[7.0]]]])
    np.testing.assert_allclose(tf.reshape(chain(inputs, training=False), [-1]), [5, 7], rtol=1e-4)
    np.testing.assert_allclose(tf.reshape(chain(inputs, training=True), [-1]), [-1, 1], rtol=1e-4)


@pytest.mark.parametrize("frames", [1, 2, 3, 4])
@pytest.mark.parametrize("kernel_size", [(3, 3, 3), (3, 1, 1)])
def test_bfloat16_gradient_of_the_kernel_is_that_of_float32(frames, kernel_size):
    inputs = tf.random.stateless_normal([4, frames, 4, 4, 16], [0, 1])
    weights = tf.random.stateless_normal([4, frames, 4, 4, 16], [0, 2])
    gradients = []
    for dtype in ("float32", "bfloat16"):
        layer = layers.Conv3D(16, kernel_size, (1, 1, 1), name="conv")
        layer.build(inputs.shape)
        layer.kernel.assign(tf.random.stateless_normal(layer.kernel.shape, [0, 3]))

        @tf.function
        def gradient(layer=layer, dtype=dtype):
            with tf.GradientTape() as tape:
                kernel = tf.cast(layer.kernel, dtype)
                outputs = layer.convolution_op(tf.cast(inputs, dtype), kernel)
                loss = tf.reduce_sum(tf.cast(outputs, tf.float32) * weights)
            return tape.gradient(loss, layer.kernel)

        gradients.append(gradient().numpy())
    error = np.linalg.norm(gradients[1] - gradients[0]) / np.linalg.norm(gradients[0])
    assert error < 0.02
