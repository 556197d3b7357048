"""Video backbones: 3D-ResNet, R(2+1)D and MC3, laid out as torchvision's.

3D-ResNet-18, R(2+1)D-18 and MC3-18 are Tran et al. 2018 (arXiv 1711.11248) as torchvision publishes
them; depths 10 and 34 share their stem, and depth 6, for small clips and quick trials, has the
first two stages alone. 3D-ResNet-50 is Hara et al. 2018 (arXiv 1711.09577), with a 7x7x7 stem and
a max pool behind it.
"""

import functools
from typing import NamedTuple

from actcl_tf import config
from actcl_tf.models import layers, residual

_FACTORISED_STEM = 45  # Channels between the two convolutions of the R(2+1)D stem.


class _Strides(NamedTuple):
    """Strides of the first layer in T, and in H and W; whether the stages leave T as it is."""

    in_time: int
    in_space: int
    keeps_time: bool


_STRIDES = {"published": _Strides(1, 2, False), "early": _Strides(2, 4, True)}


def build_video_encoder(name: str, width: float, strides: str = "published") -> residual.ResNet:
    """Builds a video backbone; its weights are made on the first call.

    Args:
      name: one of `config.VIDEO_ENCODERS`.
      width: multiplier of all channels, 1 for the published network.
      strides: one of `config.VIDEO_STRIDES`; with "early" ones the first layer halves T, H and W
        once more than the published one, as a max pool does in Hara et al.'s networks, and the
        stages leave T as it is, as those of SlowFast networks do (arXiv 1812.03982).

    Returns:
      Model [B, T, H, W, 3] -> features [B, num_features] float32. Its last feature map has a
      stride of 16 in H and W (32 for resnet3d_50, 4 for resnet3d_6) and of 8 in T (16 for
      resnet3d_50, 2 for resnet3d_6, 1 for mc3_18); with early strides, of 32 in H and W (8 for
      resnet3d_6) and of 2 in T.

    Raises:
      ValueError: the name or the strides are not known, or resnet3d_50 is to have early ones.
    """
    if name not in config.VIDEO_ENCODERS:
        known = ", ".join(config.VIDEO_ENCODERS)
        raise ValueError(f"video encoder must be one of {known}, got {name!r}")
    pooled = name in config.POOLED_VIDEO_ENCODERS
    if strides not in config.VIDEO_STRIDES or (pooled and strides != "published"):
        known = ", ".join(config.VIDEO_STRIDES[: 1 if pooled else None])
        raise ValueError(f"strides of {name} must be one of {known}, got {strides!r}")
    in_time, in_space, keeps_time = _STRIDES[strides]
    family, _, depth = name.rpartition("_")
    block = residual.Bottleneck if depth == "50" else residual.BasicBlock
    depths = residual.DEPTHS[depth]
    channels = [layers.scale_channels(each, width) for each in residual.CHANNELS[: len(depths)]]
    if family == "r2plus1d":
        middle = layers.scale_channels(_FACTORISED_STEM, width)
        first = _factorised_stem(middle, channels[0], in_time, in_space)
    else:
        first = _stem(channels[0], pooled, in_time, in_space)
    convs, pointwise = (
        [functools.partial(conv, keeps_time=keeps_time) for conv in kind] for kind in _CONVS[family]
    )
    stages = residual.build_stages(block, depths, channels, convs, pointwise)
    return residual.ResNet(first, stages, num_features=channels[-1] * block.expansion)


def mid_channels(channels_in: int, channels_out: int) -> int:
    """Channels between the factors of a (2+1)-D convolution.

    Chosen so that the two factors have about as many weights as the 3x3x3 convolution that they
    stand for (Tran et al. 2018, section 3.5), rounded down as torchvision does.
    """
    return channels_in * channels_out * 27 // (channels_in * 9 + 3 * channels_out)


def _stem(channels: int, pooled: bool, in_time: int, in_space: int) -> layers.Chain:
    kernel = [7 if pooled else 3, 7, 7]
    strides = [in_time, in_space, in_space]
    stem = layers.conv_norm_relu(layers.Conv3D(channels, kernel, strides, "conv"))
    return layers.Chain(
        [*stem, layers.MaxPool([3, 3, 3], [2, 2, 2])] if pooled else stem, name="stem"
    )


def _factorised_stem(middle: int, channels: int, in_time: int, in_space: int) -> layers.Chain:
    spatial = layers.Conv3D(middle, [1, 7, 7], [1, in_space, in_space], "spatial_conv")
    temporal = layers.Conv3D(channels, [3, 1, 1], [in_time, 1, 1], "conv")
    return layers.Chain(
        [*layers.conv_norm_relu(spatial, "spatial_"), *layers.conv_norm_relu(temporal)], name="stem"
    )


def _in_space(stride: int, keeps_time: bool) -> list[int]:
    return [1 if keeps_time else stride, stride, stride]


def _conv_3x3x3(
    channels_in: int, channels: int, stride: int, name: str, *, keeps_time: bool
) -> layers.Conv3D:
    del channels_in
    return layers.Conv3D(channels, [3, 3, 3], _in_space(stride, keeps_time), name)


def _conv_1x3x3(
    channels_in: int, channels: int, stride: int, name: str, *, keeps_time: bool
) -> layers.Conv3D:
    del channels_in, keeps_time  # It has no say over time.
    return layers.Conv3D(channels, [1, 3, 3], [1, stride, stride], name)


def _conv_1x1x1(
    channels_in: int, channels: int, stride: int, name: str, *, keeps_time: bool
) -> layers.Conv3D:
    del channels_in
    return layers.Conv3D(channels, [1, 1, 1], _in_space(stride, keeps_time), name)


def _conv_1x1x1_spatial(
    channels_in: int, channels: int, stride: int, name: str, *, keeps_time: bool
) -> layers.Conv3D:
    del keeps_time
    return _conv_1x1x1(channels_in, channels, stride, name, keeps_time=True)


def _conv_2plus1d(
    channels_in: int, channels: int, stride: int, name: str, *, keeps_time: bool
) -> layers.Chain:
    middle = mid_channels(channels_in, channels)
    spatial = layers.Conv3D(middle, [1, 3, 3], [1, stride, stride], "spatial_conv")
    in_time = [1 if keeps_time else stride, 1, 1]
    temporal = layers.Conv3D(channels, [3, 1, 1], in_time, "temporal_conv")
    return layers.Chain([*layers.conv_norm_relu(spatial, "spatial_"), temporal], name=name)


# Family -> (what makes each stage's convolutions, what makes those with a kernel of size 1).
_CONVS = {
    "resnet3d": ([_conv_3x3x3] * 4, [_conv_1x1x1] * 4),
    "r2plus1d": ([_conv_2plus1d] * 4, [_conv_1x1x1] * 4),
    "mc3": ([_conv_3x3x3] + [_conv_1x3x3] * 3, [_conv_1x1x1] + [_conv_1x1x1_spatial] * 3),
}
