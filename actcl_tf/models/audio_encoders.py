"""Audio backbones: residual networks on a log-mel spectrogram, in two dimensions or over time only.

Layout, paddings and strides are torchvision's 2-D ResNets' (He et al. 2016; the stride of a
bottleneck in its 3x3 convolution), with one input channel.
"""

import tensorflow as tf

from actcl_tf import config
from actcl_tf.models import layers, residual


def build_audio_encoder(name: str, width: float) -> "AudioResNet":
    """Builds an audio backbone; its weights are made on the first call.

    Args:
      name: one of `config.AUDIO_ENCODERS`: resnet2d_* see the spectrogram as a picture of one
        channel, resnet1d_18 sees the mel bands as channels and convolves over time only.
      width: multiplier of all channels, 1 for the published network.

    Returns:
      Model log-mel [B, F, R] -> features [B, num_features] float32. Its last feature map has a
      total stride of 32 in F, and in R too for resnet2d_*: 2 in the stem, 2 in the max pool, 2 in
      each of the stages 2 to 4; of 8 for resnet2d_6, which ends with stage 2. So 1.28 s of audio
      (F = 128) with R = 80 end as a map of 4 x 3.

    Raises:
      ValueError: the name is not known.
    """
    if name not in config.AUDIO_ENCODERS:
        known = ", ".join(config.AUDIO_ENCODERS)
        raise ValueError(f"audio encoder must be one of {known}, got {name!r}")
    family, _, depth = name.rpartition("_")
    block = residual.Bottleneck if depth == "50" else residual.BasicBlock
    depths = residual.DEPTHS[depth]
    channels = [layers.scale_channels(each, width) for each in residual.CHANNELS[: len(depths)]]
    over_time = family == "resnet1d"
    convs, pointwise = (_conv_3x1, _conv_1x1_time) if over_time else (_conv_3x3, _conv_1x1)
    stem = layers.Chain(
        [
            *layers.conv_norm_relu(
                layers.Conv2D(
                    channels[0], [7, 1] if over_time else [7, 7], _strides(over_time), "conv"
                )
            ),
            layers.MaxPool([3, 1] if over_time else [3, 3], _strides(over_time)),
        ],
        name="stem",
    )
    stages = residual.build_stages(block, depths, channels, [convs] * 4, [pointwise] * 4)
    return AudioResNet(
        stem, stages, num_features=channels[-1] * block.expansion, bands_as_channels=over_time
    )


class AudioResNet(residual.ResNet):
    """A residual network on log-mel [B, F, R], seen as [B, F, R, 1] or as [B, F, 1, R]."""

    def __init__(
        self,
        stem: tf.keras.layers.Layer,
        stages: list[tf.keras.layers.Layer],
        num_features: int,
        bands_as_channels: bool,
    ) -> None:
        super().__init__(stem, stages, num_features)
        self.bands_as_channels = bands_as_channels

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Encodes a spectrogram.

        Args:
          inputs: [B, F, R] of the compute dtype, log-mel.
          training: whether the normalisations use the statistics of the batch.

        Returns:
          [B, d_b] float32.
        """
        return super().call(self.as_image(inputs), training=training)

    def as_image(self, inputs: tf.Tensor) -> tf.Tensor:
        """[B, F, R] as the 2-D layers take it: [B, F, R, 1], or [B, F, 1, R] over time only.

        One axis of length 1 lets the network over time use the 2-D kernels, which are faster than
        the 1-D ones for its batch normalisation.
        """
        return tf.expand_dims(inputs, 2 if self.bands_as_channels else 3)


def _strides(over_time: bool) -> list[int]:
    return [2, 1] if over_time else [2, 2]


def _conv_3x3(channels_in: int, channels: int, stride: int, name: str) -> layers.Conv2D:
    del channels_in
    return layers.Conv2D(channels, [3, 3], [stride, stride], name)


def _conv_1x1(channels_in: int, channels: int, stride: int, name: str) -> layers.Conv2D:
    del channels_in
    return layers.Conv2D(channels, [1, 1], [stride, stride], name)


def _conv_3x1(channels_in: int, channels: int, stride: int, name: str) -> layers.Conv2D:
    del channels_in
    return layers.Conv2D(channels, [3, 1], [stride, 1], name)


def _conv_1x1_time(channels_in: int, channels: int, stride: int, name: str) -> layers.Conv2D:
    del channels_in
    return layers.Conv2D(channels, [1, 1], [stride, 1], name)
