"""The encoders of a run as PyTorch modules: the same layers, strides, paddings and weights.

`from_keras` walks a backbone of ours and builds its twin, so that what is raced is the same network
by construction; a test holds their outputs together.
"""

import functools
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from actcl_tf import config
from actcl_tf.models import audio_encoders, layers, residual


def require() -> None:
    """Refuses where PyTorch is not installed.

    Raises:
      config.ConfigError: it is not.
    """
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise config.ConfigError(
            "--peer=torch: PyTorch is not installed here; .venv/bin/pip install 'torch>=2.6'"
        ) from error


def from_keras(backbone: residual.ResNet) -> Any:
    """Builds the PyTorch twin of a backbone, with its weights.

    Args:
      backbone: of `video_encoders` or `audio_encoders`, with its variables made.

    Returns:
      A torch.nn.Module: what `inputs_from_keras` gives -> [B, d_b] float32; in channels-last memory
      format and in training mode.

    Raises:
      TypeError: a layer that has no twin here.
    """
    parts = [_twin(backbone.stem), *map(_twin, backbone.stages), _kinds().Mean()]
    twin = _sequence(parts)
    return twin.to(memory_format=_memory_format(len(backbone.stem.chain[0].kernel_size)))


class _Kinds(NamedTuple):
    """Kinds of module that PyTorch lacks."""

    Residual: type
    BatchNorm: type
    Mean: type


@functools.cache
def _kinds() -> _Kinds:
    import torch

    class Residual(torch.nn.Module):
        """Convolutions with their normalisations, and a shortcut."""

        def __init__(self, main: torch.nn.Module, shortcut: torch.nn.Module) -> None:
            super().__init__()
            self.main, self.shortcut = main, shortcut

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return torch.relu(self.main(inputs) + self.shortcut(inputs))

    class BatchNorm(torch.nn.BatchNorm3d):
        """Of any number of axes, as ours is."""

        def _check_input_dim(self, input: torch.Tensor) -> None:
            del input

    class Mean(torch.nn.Module):
        """Average over all axes behind the channels."""

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return inputs.float().mean(dim=tuple(range(2, inputs.ndim)))

    return _Kinds(Residual, BatchNorm, Mean)


def _twin(layer: object) -> Any:
    import torch

    if isinstance(layer, layers.Chain):
        return _sequence(map(_twin, layer.chain))
    if isinstance(layer, (residual.BasicBlock, residual.Bottleneck)):
        return _block(layer)
    if isinstance(layer, (layers.Conv2D, layers.Conv3D)):
        return _convolution(layer)
    if isinstance(layer, layers.BatchNorm):
        return _normalisation(layer)
    if isinstance(layer, layers.Relu):
        return torch.nn.ReLU(inplace=True)
    if isinstance(layer, layers.MaxPool):
        pool = torch.nn.MaxPool2d if len(layer.window) == 2 else torch.nn.MaxPool3d
        padding = tuple((size - 1) // 2 for size in layer.window)
        return pool(tuple(layer.window), tuple(layer.strides), padding)
    raise TypeError(f"no PyTorch twin of {type(layer).__name__}")


def _sequence(modules: Iterable[Any]) -> Any:
    import torch

    return torch.nn.Sequential(*modules)


def _block(block: residual.BasicBlock | residual.Bottleneck) -> Any:
    import torch

    count = 3 if isinstance(block, residual.Bottleneck) else 2
    parts: list[torch.nn.Module] = []
    for index in range(1, count + 1):
        parts += [_twin(getattr(block, f"{name}{index}")) for name in ("conv", "norm")]
        parts += [torch.nn.ReLU(inplace=True)] * (index < count)
    shortcut = _twin(block.shortcut) if block.shortcut is not None else torch.nn.Identity()
    return _kinds().Residual(_sequence(parts), shortcut)


def _convolution(layer: layers.Conv2D | layers.Conv3D) -> Any:
    import torch

    kernel = layer.kernel.numpy()
    rank = kernel.ndim - 2
    kind = torch.nn.Conv2d if rank == 2 else torch.nn.Conv3d
    padding = tuple((each - 1) // 2 for each in layer.kernel_size)
    twin = kind(*kernel.shape[-2:], layer.kernel_size, layer.strides, padding, bias=False)
    axes = (rank + 1, rank, *range(rank))  # Output and input channels come first there.
    with torch.no_grad():
        twin.weight.copy_(torch.from_numpy(np.ascontiguousarray(kernel.transpose(axes))))
    return twin


def _normalisation(layer: layers.BatchNorm) -> Any:
    import torch

    size, momentum = layer.gamma.shape[0], 1 - layer.momentum
    twin = _kinds().BatchNorm(size, eps=layer.epsilon, momentum=momentum)
    pairs = (
        (twin.weight, layer.gamma),
        (twin.bias, layer.beta),
        (twin.running_mean, layer.moving_mean),
        (twin.running_var, layer.moving_variance),
    )
    with torch.no_grad():
        for target, source in pairs:
            target.copy_(torch.from_numpy(source.numpy()))
    return twin


def inputs_from_keras(backbone: residual.ResNet, inputs: tf.Tensor) -> Any:
    """What a backbone takes, as its twin takes it.

    Args:
      backbone: of `video_encoders` or `audio_encoders`.
      inputs: [B, T, H, W, 3] or [B, F, R] float32, as of a frontend.

    Returns:
      A torch.Tensor, [B, 3, T, H, W], [B, 1, F, R] or [B, R, F, 1] float32, in channels-last memory
      format.
    """
    import torch

    if isinstance(backbone, audio_encoders.AudioResNet):
        inputs = backbone.as_image(inputs)
    values = np.moveaxis(inputs.numpy(), -1, 1)
    layout = _memory_format(values.ndim - 2)
    return torch.from_numpy(np.ascontiguousarray(values)).contiguous(memory_format=layout)


def _memory_format(rank: int) -> Any:
    import torch

    return {2: torch.channels_last, 3: torch.channels_last_3d}[rank]
