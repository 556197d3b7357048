"""Multiply-adds of operations, by hand and against TensorFlow's own profiler."""

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.benchmark import arithmetic


def _graph(function, *shapes):
    specs = [tf.TensorSpec(shape) for shape in shapes]
    return tf.function(function, autograph=False).get_concrete_function(*specs).graph


def _with_gradients(function):
    def both(*inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = function(*inputs)
        return outputs, tape.gradient(outputs, inputs)

    return both


def _conv3d(inputs, kernel):
    return tf.nn.conv3d(inputs, kernel, [1, 1, 2, 2, 1], "SAME")


@pytest.mark.parametrize(
    ("function", "shapes", "expected"),
    [
        # [2, 3] by [3, 5]: each of 10 outputs sums over 3.
        (tf.matmul, ([2, 3], [3, 5]), 30),
        (lambda a, b: tf.matmul(a, b, transpose_a=True), ([3, 2], [3, 5]), 30),
        (lambda a, b: tf.matmul(a, b, transpose_b=True), ([2, 3], [5, 3]), 30),
        # The gradient of either factor is a product of as many.
        (_with_gradients(tf.matmul), ([2, 3], [3, 5]), 90),
        # Outputs 2 x 4 x 3 x 2 of 6 channels, each a sum of 3 x 3 x 3 x 5.
        (_conv3d, ([2, 4, 6, 4, 5], [3, 3, 3, 5, 6]), 48 * 6 * 135),
        (_with_gradients(_conv3d), ([2, 4, 6, 4, 5], [3, 3, 3, 5, 6]), 3 * 48 * 6 * 135),
        (tf.add, ([2, 3], [2, 3]), 0),
        (tf.matmul, ([0, 3], [3, 5]), 0),
    ],
)
def test_by_hand(function, shapes, expected):
    assert arithmetic.multiply_adds(_graph(function, *shapes)) == expected


def test_as_the_profiler_counts_pictures():
    def network(inputs, kernel, weights):
        outputs = tf.nn.conv2d(inputs, kernel, 1, "SAME")
        return tf.reshape(outputs, [3, -1]) @ weights

    graph = _graph(_with_gradients(network), [3, 6, 5, 4], [3, 3, 4, 7], [210, 2])
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    counted = tf.compat.v1.profiler.profile(graph, options=options)
    by_kind = {"Conv2D": 1, "Conv2DBackpropInput": 1, "Conv2DBackpropFilter": 1, "MatMul": 3}
    found = [operation.type for operation in graph.get_operations()]
    assert {kind: found.count(kind) for kind in by_kind} == by_kind
    # An addition for each product; it also counts a few additions of other operations.
    assert 2 * arithmetic.multiply_adds(graph) == pytest.approx(counted.total_float_ops, rel=1e-3)


def test_an_unknown_shape_is_an_error():
    with pytest.raises(ValueError, match=r"MatMul .* has a shape that is not known"):
        arithmetic.multiply_adds(_graph(tf.matmul, [None, 3], [3, 5]))


@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
def test_rate_of_matrix_products(dtype, monkeypatch):
    monkeypatch.setattr(arithmetic, "MATRIX", 256)
    rate = arithmetic.multiplier(dtype)()
    assert 1e6 < rate < 1e15 and np.isfinite(rate)
