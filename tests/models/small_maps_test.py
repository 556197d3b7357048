import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.models import layers, small_maps
from tests import rounding


@pytest.mark.parametrize(
    ("shape", "kernel_size", "expected"),
    [
        ([64, 2, 2, 8], (3, 3), True),
        ([64, 3, 3, 8], (3, 3), True),
        ([64, 4, 2, 8], (3, 3), True),
        ([64, 5, 2, 8], (3, 3), False),  # More products than taps.
        ([63, 2, 2, 8], (3, 3), False),  # Too few rows to make up for the matrix.
        ([16, 4, 2, 2, 8], (3, 3, 3), True),
        ([15, 4, 2, 2, 8], (3, 3, 3), False),
        ([64, 4, 1, 1, 8], (3, 3, 3), True),
        ([64, 4, 1, 1, 8], (3, 1, 1), False),  # Nothing to spare.
        ([None, 4, 2, 2, 8], (3, 3, 3), False),
        (None, (3, 3), False),
    ],
)
def test_where_it_suits(shape, kernel_size, expected):
    assert small_maps.suits(tf.TensorShape(shape), kernel_size) is expected


@pytest.mark.parametrize(
    ("shape", "kernel_size"),
    [
        ([64, 1, 1, 3], (3, 3)),
        ([64, 2, 3, 3], (3, 3)),
        ([64, 4, 2, 3], (3, 3)),
        ([64, 4, 1, 3], (3, 1)),
        ([64, 3, 5, 2], (5, 7)),
        ([32, 4, 2, 2, 3], (3, 3, 3)),
        ([32, 2, 3, 3, 3], (3, 3, 3)),
        ([64, 1, 2, 1, 3], (3, 3, 3)),
        ([32, 3, 2, 2, 3], (1, 3, 3)),
    ],
)
def test_values_and_gradients_are_those_of_the_convolution(shape, kernel_size, rng):
    inputs = tf.constant(rng.normal(size=shape), tf.float32)
    kernel = tf.constant(rng.normal(size=(*kernel_size, shape[-1], 5)), tf.float32)
    upstream = tf.constant(rng.normal(size=(*shape[:-1], 5)), tf.float32)
    found = []
    layout = "NHWC" if len(shape) == 4 else "NDHWC"

    def reference(inputs, kernel):
        return tf.nn.convolution(inputs, kernel, padding="SAME", data_format=layout)

    for convolve in (small_maps.convolve, reference):
        with tf.GradientTape() as tape:
            tape.watch([inputs, kernel])
            outputs = convolve(inputs, kernel)
            total = tf.reduce_sum(outputs * upstream)
        found.append([outputs, *tape.gradient(total, [inputs, kernel])])
    for ours, theirs in zip(*found, strict=True):
        assert ours.shape == theirs.shape
        terms = int(np.prod(shape)) * int(np.prod(kernel_size))
        rounding.assert_close(ours, theirs.numpy(), rounding.of_sums(terms))


@pytest.mark.parametrize(("batch", "expected"), [(32, False), (None, True)])
def test_a_layer_takes_it_for_a_known_batch_alone(batch, expected):
    layer = layers.Conv3D(4, [3, 3, 3], [1, 1, 1], "conv")
    layer(tf.zeros([1, 4, 2, 2, 3]))

    @tf.function(input_signature=[tf.TensorSpec([batch, 4, 2, 2, 3])])
    def gradient(inputs):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(layer(inputs) ** 2)
        return tape.gradient(total, layer.kernel)

    operations = gradient.get_concrete_function().graph.get_operations()
    assert any("Conv3DBackprop" in each.type for each in operations) is expected


def test_half_precision_stays_half_precision(rng):
    inputs, kernel = (
        tf.constant(rng.normal(size=size), tf.bfloat16) for size in ([64, 2, 2, 3], [3, 3, 3, 5])
    )
    with tf.GradientTape() as tape:
        tape.watch([inputs, kernel])
        outputs = small_maps.convolve(inputs, kernel)
    gradients = tape.gradient(outputs, [inputs, kernel])
    assert {each.dtype for each in (outputs, *gradients)} == {tf.bfloat16}
