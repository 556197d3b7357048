"""Multiply-adds: how many the convolutions and products of a graph take, and how fast a device is.

What holds nearly all arithmetic of an encoder is counted, forward and backward; additions,
normalisations and Fourier transforms are not.
"""

import math
import time
from collections.abc import Callable

import tensorflow as tf

MATRIX = 2048  # Rows and columns of the matrices that are multiplied.
_FORWARD = ("Conv2D", "Conv3D")
# Gradient of an input: (sizes, kernel, gradient of the output).
_OF_INPUT = ("Conv2DBackpropInput", "Conv3DBackpropInputV2")
# Gradient of a kernel: (input, sizes, gradient of the output) -> a gradient of the kernel's shape.
_OF_KERNEL = ("Conv2DBackpropFilter", "Conv3DBackpropFilterV2")


def multiply_adds(graph: tf.Graph) -> int:
    """Products that a graph takes in its convolutions, their gradients and its matrix products.

    Args:
      graph: of static shapes; functions that it calls are not looked into.

    Raises:
      ValueError: an operation whose shape is not known.
    """
    return sum(map(_of_operation, graph.get_operations()))


def _of_operation(operation: tf.Operation) -> int:
    if operation.type == "MatMul":
        outputs, first = operation.outputs[0], operation.inputs[0]
        summed = first.shape[0 if operation.get_attr("transpose_a") else 1]
    elif operation.type in _FORWARD:
        outputs, summed = operation.outputs[0], _summed(operation.inputs[1])
    elif operation.type in _OF_INPUT:
        outputs, summed = operation.inputs[2], _summed(operation.inputs[1])
    elif operation.type in _OF_KERNEL:
        # Each weight meets each output of its channel once, as it does forward.
        outputs, summed = operation.inputs[2], _summed(operation.outputs[0])
    else:
        return 0
    if summed is None or not outputs.shape.is_fully_defined():
        raise ValueError(f"{operation.type} {operation.name} has a shape that is not known")
    return summed * math.prod(outputs.shape)


def _summed(kernel: tf.Tensor) -> int | None:
    """Products that make one output of a convolution by a kernel [..., in, out]."""
    return math.prod(kernel.shape[:-1]) if kernel.shape.is_fully_defined() else None


def multiplier(dtype: tf.DType) -> Callable[[], float]:
    """A function that multiplies two large matrices and gives the multiply-adds a second."""
    factor = tf.cast(tf.random.stateless_normal([MATRIX, MATRIX], [0, 0]), dtype)

    def multiply() -> float:
        started = time.perf_counter()
        tf.matmul(factor, factor)[0, 0].numpy()  # One number: copying all would count too.
        return MATRIX**3 / (time.perf_counter() - started)

    multiply()
    return multiply
