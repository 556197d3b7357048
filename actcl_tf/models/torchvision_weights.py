"""Weights in torchvision's names and layouts, for our video backbones.

torchvision's video networks are made of `Sequential`s, whose members are called by their numbers,
and our chains hold the same layers in the same order. So each name follows from a layer's place:

  stem.0.weight                 the first convolution of the stem
  layer2.0.conv1.0.weight       stage 2, block 0: its convolution 1, ...
  layer2.0.conv1.1.weight       ... and the normalisation behind that
  layer2.0.downsample.0.weight  the convolution of the block's shortcut
  layer2.0.conv1.0.3.weight     where convolution 1 is a (2+1)-D one: its factor over time

Kernels are [D, C, T, H, W] there and [T, H, W, C, D] here. Paddings, strides and the epsilon of the
normalisations are the same: see `layers`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from actcl_tf import config
from actcl_tf.models import layers, residual, video_encoders, weights_file

# What torchvision's names and layouts have and we have no use for: the classifier of Kinetics-400's
# classes, and a count that each normalisation keeps of its batches.
CLASSIFIER = ("fc.weight", "fc.bias")
BATCH_COUNT = "num_batches_tracked"

_NORM_NAMES = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}
_TO_THEIRS = (4, 3, 0, 1, 2)  # [T, H, W, C, D] -> [D, C, T, H, W]
_TO_OURS = (2, 3, 4, 1, 0)
_SHOWN = 3  # Differences named in an error.


class Converted(NamedTuple):
    """Weights of a file, as our backbone takes them.

    Attributes:
      weights: float32 arrays in the order of `backbone.weights`, for `backbone.set_weights`.
      ignored: names in the file that the backbone has no use for, sorted.
    """

    weights: list[np.ndarray]
    ignored: list[str]

    def __str__(self) -> str:
        counts = sum(name.endswith(BATCH_COUNT) for name in self.ignored)
        others = [name for name in self.ignored if not name.endswith(BATCH_COUNT)]
        ignored = [*others, *([f"{counts} {BATCH_COUNT}"] if counts else [])]
        size = sum(array.size for array in self.weights)
        return (
            f"{len(self.weights)} tensors, {size:,} numbers; ignored: "
            f"{', '.join(ignored) or 'nothing'}"
        )


def read(path: str, encoder: str) -> Converted:
    """Reads the weights of a video backbone from a file that torchvision publishes.

    Args:
      path: of the file; see `weights_file.read_tensors`.
      encoder: one of `config.PUBLISHED_VIDEO_ENCODERS`; its width is 1.

    Raises:
      weights_file.WeightsError: the file cannot be read, or is not of that network.
    """
    state = weights_file.read_tensors(path)
    backbone = video_encoders.build_video_encoder(encoder, 1.0)
    backbone(tf.keras.Input([8, 32, 32, 3]))  # Makes the variables without any arithmetic.
    try:
        return convert(state, backbone)
    except ValueError as error:
        raise weights_file.WeightsError(
            f"--init_from={path}: does not fit --video_encoder={encoder}, which takes "
            f"torchvision's {config.PUBLISHED_VIDEO_ENCODERS[encoder]}: {error}"
        ) from error


def variables_by_name(backbone: residual.ResNet) -> dict[str, tf.Variable]:
    """What torchvision calls the variables of a video backbone.

    Args:
      backbone: of `video_encoders.build_video_encoder`, with its variables made.

    Returns:
      Name -> variable, in the order of torchvision's state dict.
    """
    named = dict(_walk(backbone.stem, "stem"))
    for index, stage in enumerate(backbone.stages):
        named.update(_walk(stage, f"layer{index + 1}"))
    return named


def convert(state: Mapping[str, np.ndarray], backbone: residual.ResNet) -> Converted:
    """Brings the tensors of a file into our order and layout, and changes no variable.

    Args:
      state: torchvision's name -> array, in PyTorch's layout.
      backbone: the network that they are for, with its variables made.

    Raises:
      ValueError: a tensor is missing, is of another shape or not finite, or is not known; the
        message names the first few, and both shapes.
    """
    variables = variables_by_name(backbone)
    counts = {f"{name.rpartition('.')[0]}.{BATCH_COUNT}" for name in variables}
    ignored = (counts | set(CLASSIFIER)) & state.keys()
    problems = _differences(state, variables, ignored)
    if problems:
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise ValueError("; ".join(problems[:_SHOWN]) + more)
    arrays = {id(variables[name]): _to_ours(state[name]) for name in variables}
    return Converted([arrays[id(variable)] for variable in backbone.weights], sorted(ignored))


def _walk(layer: tf.keras.layers.Layer, name: str) -> Iterator[tuple[str, tf.Variable]]:
    """Yields (name, variable) of a layer and all that it is made of."""
    if isinstance(layer, layers.Chain):
        for index, member in enumerate(layer.chain):
            yield from _walk(member, f"{name}.{index}")
    elif isinstance(layer, residual.BasicBlock):
        for conv, norm in (("conv1", "norm1"), ("conv2", "norm2")):
            yield from _walk(getattr(layer, conv), f"{name}.{conv}.0")
            yield from _walk(getattr(layer, norm), f"{name}.{conv}.1")
        if layer.shortcut is not None:
            yield from _walk(layer.shortcut, f"{name}.downsample")
    elif isinstance(layer, layers.Conv3D):
        yield f"{name}.weight", layer.kernel
    elif isinstance(layer, layers.BatchNorm):
        for theirs, ours in _NORM_NAMES.items():
            yield f"{name}.{theirs}", getattr(layer, ours)
    elif layer.weights:
        raise TypeError(f"{name} is a {type(layer).__name__}, which torchvision's networks lack")


def _differences(
    state: Mapping[str, np.ndarray], variables: Mapping[str, tf.Variable], ignored: set[str]
) -> list[str]:
    problems = []
    for name, variable in variables.items():
        expected = _their_shape(variable.shape)
        if name not in state:
            problems.append(f"{name} must have shape {expected} and is not there")
        elif list(state[name].shape) != expected:
            problems.append(f"{name} must have shape {expected}, got {list(state[name].shape)}")
        elif not np.isfinite(state[name]).all():
            problems.append(f"{name} has values that are not finite")
    for name in state:
        if name not in variables and name not in ignored:
            shape = list(state[name].shape)
            problems.append(f"{name} of shape {shape} is there and the encoder has no such part")
    return problems


def _their_shape(shape: Sequence[int]) -> list[int]:
    return [int(shape[axis]) for axis in _TO_THEIRS] if len(shape) == 5 else list(map(int, shape))


def _to_ours(array: np.ndarray) -> np.ndarray:
    array = np.asarray(array, np.float32)
    return array.transpose(_TO_OURS) if array.ndim == 5 else array
