"""Residual networks: their blocks, their stages, and the network as a whole, in 2-D or 3-D."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from actcl_tf.models.layers import BatchNorm, Chain

# Of stages, before the width and the expansion of their blocks; and blocks of each stage by name.
CHANNELS = (64, 128, 256, 512)
DEPTHS = {
    "6": (1, 1),
    "10": (1, 1, 1, 1),
    "18": (2, 2, 2, 2),
    "34": (3, 4, 6, 3),
    "50": (3, 4, 6, 3),
}

# (channels into the block, channels out of the layer, stride, name) -> layer. The first is what
# torchvision derives the inner width of a factorised convolution from, in both layers of a block.
ConvBuilder = Callable[[int, int, int, str], tf.keras.layers.Layer]


class BasicBlock(tf.keras.layers.Layer):
    """Two convolutions and a shortcut (He et al. 2016); `expansion` 1."""

    expansion = 1

    def __init__(
        self,
        channels_in: int,
        channels: int,
        stride: int,
        conv: ConvBuilder,
        pointwise: ConvBuilder,
        name: str,
    ) -> None:
        """Describes the block.

        Args:
          channels_in: channels of the input.
          channels: channels of the block.
          stride: of the first convolution and of the shortcut.
          conv: makes the block's convolutions.
          pointwise: makes a convolution with a kernel of size 1, of the same strides as `conv`.
          name: name of the layer.
        """
        super().__init__(name=name)
        self.conv1 = conv(channels_in, channels, stride, "conv1")
        self.norm1 = BatchNorm("norm1")
        self.conv2 = conv(channels_in, channels, 1, "conv2")
        self.norm2 = BatchNorm("norm2")
        self.shortcut = _shortcut(channels_in, channels, stride, pointwise)

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """[B, ..., channels_in] -> [B, .../stride, channels]."""
        outputs = tf.nn.relu(self.norm1(self.conv1(inputs), training=training))
        outputs = self.norm2(self.conv2(outputs), training=training)
        if self.shortcut is not None:
            inputs = self.shortcut(inputs, training=training)
        return tf.nn.relu(outputs + inputs)


class Bottleneck(tf.keras.layers.Layer):
    """Kernels of size 1, 3 (with the stride) and 1, and a shortcut; `expansion` 4."""

    expansion = 4

    def __init__(
        self,
        channels_in: int,
        channels: int,
        stride: int,
        conv: ConvBuilder,
        pointwise: ConvBuilder,
        name: str,
    ) -> None:
        """Describes the block; arguments as `BasicBlock`'s, the output has 4 * channels."""
        super().__init__(name=name)
        channels_out = channels * self.expansion
        self.conv1 = pointwise(channels_in, channels, 1, "conv1")
        self.norm1 = BatchNorm("norm1")
        self.conv2 = conv(channels_in, channels, stride, "conv2")
        self.norm2 = BatchNorm("norm2")
        self.conv3 = pointwise(channels_in, channels_out, 1, "conv3")
        self.norm3 = BatchNorm("norm3")
        self.shortcut = _shortcut(channels_in, channels_out, stride, pointwise)

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """[B, ..., channels_in] -> [B, .../stride, 4 * channels]."""
        outputs = tf.nn.relu(self.norm1(self.conv1(inputs), training=training))
        outputs = tf.nn.relu(self.norm2(self.conv2(outputs), training=training))
        outputs = self.norm3(self.conv3(outputs), training=training)
        if self.shortcut is not None:
            inputs = self.shortcut(inputs, training=training)
        return tf.nn.relu(outputs + inputs)


class ResNet(tf.keras.Model):
    """Stem, stages of residual blocks, global average pool.

    Attributes:
      num_features: size d_b of the features.
    """

    def __init__(
        self,
        stem: tf.keras.layers.Layer,
        stages: Sequence[tf.keras.layers.Layer],
        num_features: int,
    ) -> None:
        super().__init__(name="backbone")
        self.stem = stem
        self.stages = list(stages)
        self.num_features = num_features

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Encodes.

        Args:
          inputs: [B, ..., C] of the compute dtype.
          training: whether the normalisations use the statistics of the batch.

        Returns:
          [B, d_b] float32, the average over all axes between batch and channels.
        """
        outputs = self.stem(inputs, training=training)
        for stage in self.stages:
            outputs = stage(outputs, training=training)
        axes = list(range(1, outputs.shape.rank - 1))
        return tf.reduce_mean(tf.cast(outputs, tf.float32), axis=axes)


def build_stages(
    block: type,
    depths: Sequence[int],
    channels: Sequence[int],
    convs: Sequence[ConvBuilder],
    pointwise: Sequence[ConvBuilder],
) -> list[Chain]:
    """Builds the stages of a residual network.

    Args:
      block: `BasicBlock` or `Bottleneck`.
      depths: blocks of each stage.
      channels: channels of each stage, before the block's expansion; the stem gives channels[0].
      convs: what makes the convolutions of each stage.
      pointwise: what makes each stage's convolutions with a kernel of size 1.

    Returns:
      The stages, named stage1 and so on; all but the first halve the resolution.
    """
    stages, channels_in = [], channels[0]
    for index, depth in enumerate(depths):
        blocks = []
        for position in range(depth):
            stride = 2 if index > 0 and position == 0 else 1
            blocks.append(
                block(
                    channels_in,
                    channels[index],
                    stride,
                    convs[index],
                    pointwise[index],
                    name=f"block{position}",
                )
            )
            channels_in = channels[index] * block.expansion
        stages.append(Chain(blocks, name=f"stage{index + 1}"))
    return stages


def _shortcut(
    channels_in: int, channels_out: int, stride: int, pointwise: ConvBuilder
) -> Chain | None:
    if stride == 1 and channels_in == channels_out:
        return None
    return Chain(
        [pointwise(channels_in, channels_out, stride, "conv"), BatchNorm("norm")], name="shortcut"
    )
