"""NumPy references, written from PyTorch's definitions and without TensorFlow."""

import itertools

import numpy as np


def windows(inputs, kernel_size, strides, fill):
    """Yields (position, window [B, *kernel_size, C]), with (k - 1) // 2 of `fill` at each side."""
    margins = [((size - 1) // 2,) * 2 for size in kernel_size]
    padded = np.pad(inputs, [(0, 0), *margins, (0, 0)], constant_values=fill)
    counts = [
        (length + 2 * ((size - 1) // 2) - size) // stride + 1
        for length, size, stride in zip(inputs.shape[1:-1], kernel_size, strides, strict=True)
    ]
    for position in itertools.product(*(range(count) for count in counts)):
        cut = [
            slice(index * stride, index * stride + size)
            for index, stride, size in zip(position, strides, kernel_size, strict=True)
        ]
        yield position, padded[(slice(None), *cut, slice(None))]


def _collect(placed):
    placed = list(placed)
    shape = [1 + max(position[axis] for position, _ in placed) for axis in range(len(placed[0][0]))]
    outputs = np.zeros([placed[0][1].shape[0], *shape, placed[0][1].shape[-1]])
    for position, value in placed:
        outputs[(slice(None), *position, slice(None))] = value
    return outputs


def convolve(inputs, kernel, strides):
    """[B, ..., C] and [..., C, D] -> [B, ..., D]."""
    rank = kernel.ndim - 2
    return _collect(
        (position, np.tensordot(window, kernel, axes=rank + 1))
        for position, window in windows(inputs, kernel.shape[:-2], strides, 0.0)
    )


def max_pool(inputs, window_size, strides):
    """[B, ..., C] -> [B, ..., C]."""
    axes = tuple(range(1, inputs.ndim - 1))
    return _collect(
        (position, window.max(axis=axes))
        for position, window in windows(inputs, window_size, strides, -np.inf)
    )


def normalise(inputs, gamma, beta, mean, variance, epsilon=1e-5):
    """Batch normalisation with the given statistics."""
    return (inputs - mean) / np.sqrt(variance + epsilon) * gamma + beta
