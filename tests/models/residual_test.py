import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.models import layers, residual
from tests.models import reference


def _conv(channels_in, channels, stride, name):
    return layers.Conv3D(channels, [3, 3, 3], [stride] * 3, name)


def _pointwise(channels_in, channels, stride, name):
    return layers.Conv3D(channels, [1, 1, 1], [stride] * 3, name)


def _randomise(block, rng):
    """Random weights, positive where they are gammas or variances."""
    for weight in block.weights:
        value = rng.normal(size=weight.shape) * 0.3
        if "gamma" in weight.name or "variance" in weight.name:
            value = 0.5 + np.abs(value)
        weight.assign(value)


def _apply(conv, norm, inputs):
    outputs = reference.convolve(inputs, conv.kernel.numpy(), conv.strides)
    return reference.normalise(
        outputs,
        norm.gamma.numpy(),
        norm.beta.numpy(),
        norm.moving_mean.numpy(),
        norm.moving_variance.numpy(),
    )


def _expected_shortcut(block, inputs):
    return inputs if block.shortcut is None else _apply(*block.shortcut.chain, inputs)


@pytest.mark.parametrize(("channels", "stride"), [(4, 1), (6, 1), (4, 2)])
def test_basic_block_equals_numpy(rng, channels, stride):
    inputs = rng.normal(size=(2, 3, 4, 5, 4)).astype(np.float32)
    block = residual.BasicBlock(4, channels, stride, _conv, _pointwise, "block")
    block(inputs)
    _randomise(block, rng)
    middle = np.maximum(_apply(block.conv1, block.norm1, inputs), 0)
    outputs = _apply(block.conv2, block.norm2, middle)
    expected = np.maximum(outputs + _expected_shortcut(block, inputs), 0)
    assert (block.shortcut is None) == (channels == 4 and stride == 1)
    np.testing.assert_allclose(block(inputs, training=False), expected, atol=1e-4)


@pytest.mark.parametrize(("channels", "stride"), [(1, 1), (3, 2)])
def test_bottleneck_equals_numpy(rng, channels, stride):
    inputs = rng.normal(size=(2, 3, 4, 5, 4)).astype(np.float32)
    block = residual.Bottleneck(4, channels, stride, _conv, _pointwise, "block")
    block(inputs)
    _randomise(block, rng)
    outputs = np.maximum(_apply(block.conv1, block.norm1, inputs), 0)
    outputs = np.maximum(_apply(block.conv2, block.norm2, outputs), 0)
    outputs = _apply(block.conv3, block.norm3, outputs)
    expected = np.maximum(outputs + _expected_shortcut(block, inputs), 0)
    assert expected.shape[-1] == 4 * channels
    np.testing.assert_allclose(block(inputs, training=False), expected, atol=1e-4)


def test_network_averages_its_last_map_in_float32(rng):
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    stem = layers.Chain([layers.Conv3D(4, [1, 1, 1], [1, 1, 1], "conv")], "stem")
    network = residual.ResNet(stem, [], num_features=4)
    inputs = tf.cast(rng.normal(size=(2, 3, 4, 5, 3)), tf.bfloat16)
    features = network(inputs)
    assert features.dtype == tf.float32
    last_map = stem(inputs)
    assert last_map.dtype == tf.bfloat16
    np.testing.assert_allclose(
        features, tf.cast(last_map, tf.float32).numpy().mean((1, 2, 3)), atol=1e-6
    )
