"""Layers that the residual networks for video and for audio share.

Paddings, strides, epsilons and initial values are torchvision's, so that its published weights fit
into these layers.
"""

from collections.abc import Sequence

import tensorflow as tf

from actcl_tf.models import small_maps

NORM_MOMENTUM = 0.9  # PyTorch's momentum of 0.1.
NORM_EPSILON = 1e-5
WIDTH_STEP = 8


def scale_channels(channels: int, width: float) -> int:
    """Scales a number of channels.

    Args:
      channels: channels at width 1.
      width: positive multiplier.

    Returns:
      channels * width rounded to a multiple of 8, at least 8; `channels` itself at width 1.
    """
    if width == 1:
        return channels
    return max(WIDTH_STEP, int(channels * width / WIDTH_STEP + 0.5) * WIDTH_STEP)


def pad_strided(
    inputs: tf.Tensor, kernel_size: Sequence[int], strides: Sequence[int]
) -> tuple[tf.Tensor, str]:
    """Pads as PyTorch does: (k - 1) // 2 zeros on both sides of every axis, for odd k.

    With stride 1 that is TensorFlow's SAME, which costs no copy. With a stride, SAME would put the
    odd zero at the end, where PyTorch puts it at the start.

    Args:
      inputs: [B, ..., C].
      kernel_size: size of the kernel on each axis between B and C.
      strides: stride on each of these axes.

    Returns:
      (inputs, padding) for a convolution or a pooling of `padding`.
    """
    if all(stride == 1 or size == 1 for size, stride in zip(kernel_size, strides, strict=True)):
        return inputs, "SAME"
    return pad_all(inputs, kernel_size), "VALID"


def pad_all(inputs: tf.Tensor, kernel_size: Sequence[int]) -> tf.Tensor:
    """Pads [B, ..., C] with (k - 1) // 2 zeros on both sides of every axis between B and C."""
    margins = [[(size - 1) // 2] * 2 for size in kernel_size]
    # Not tf.pad: oneDNN fuses its operation into a 3-D convolution, and TensorFlow's inference of
    # shapes forgets the margins then (2.15 at least): a shape that is asked for later is wrong.
    return tf.raw_ops.PadV2(
        input=inputs,
        paddings=[[0, 0], *margins, [0, 0]],
        constant_values=tf.zeros([], inputs.dtype),
    )


class _PaddedConvolution:
    """Mixed into a Keras convolution: PyTorch's padding, no bias, He's initial values (fan out).

    Keras is told `same`, because the output has the same shape: ceil(n / stride).
    """

    def __init__(
        self, filters: int, kernel_size: Sequence[int], strides: Sequence[int], name: str
    ) -> None:
        if any(size % 2 == 0 for size in kernel_size):
            raise ValueError(f"kernel_size must be odd on every axis, got {tuple(kernel_size)}")
        super().__init__(
            filters,
            tuple(kernel_size),
            strides=tuple(strides),
            padding="same",
            use_bias=False,
            kernel_initializer=tf.keras.initializers.VarianceScaling(
                2.0, mode="fan_out", distribution="untruncated_normal"
            ),
            name=name,
        )

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Pads and convolves; called by the Keras layer."""
        if set(self.strides) == {1} and small_maps.suits(inputs.shape, self.kernel_size):
            return small_maps.convolve(inputs, tf.convert_to_tensor(kernel))
        inputs, padding = self._pad(inputs)
        return tf.nn.convolution(
            inputs,
            kernel,
            strides=self.strides,
            padding=padding,
            data_format=self._tf_data_format,
        )

    def _pad(self, inputs: tf.Tensor) -> tuple[tf.Tensor, str]:
        return pad_strided(inputs, self.kernel_size, self.strides)


class Conv2D(_PaddedConvolution, tf.keras.layers.Conv2D):
    """2-D convolution [B, H, W, C] -> [B, ceil(H/s), ceil(W/s), filters]."""


class Conv3D(_PaddedConvolution, tf.keras.layers.Conv3D):
    """3-D convolution [B, T, H, W, C] -> [B, ceil(T/s), ceil(H/s), ceil(W/s), filters]."""

    def _pad(self, inputs: tf.Tensor) -> tuple[tf.Tensor, str]:
        # In TensorFlow 2.15 the CPU's bfloat16 gradient of the kernel is garbage, now and then NaN,
        # where a SAME kernel longer than one frame meets exactly two frames. Padded beforehand it
        # is right. Unknown lengths are those of serving, which needs no gradient.
        if inputs.dtype == tf.bfloat16 and inputs.shape[1] == 2 and self.kernel_size[0] > 1:
            return pad_all(inputs, self.kernel_size), "VALID"
        return super()._pad(inputs)


class BatchNorm(tf.keras.layers.BatchNormalization):
    """Batch normalisation over all axes but the last, of 4-D or 5-D inputs.

    A 5-D input goes through the 2-D kernel, time folded into height: the same result, and about
    twice as fast on a CPU, where the 5-D kernel is not oneDNN's.
    """

    def __init__(self, name: str) -> None:
        super().__init__(momentum=NORM_MOMENTUM, epsilon=NORM_EPSILON, name=name)

    def build(self, input_shape: tf.TensorShape) -> None:
        """Makes the weights, for the shape that the 2-D kernel sees."""
        super().build(tf.TensorShape([None, None, None, input_shape[-1]]))
        self.input_spec = tf.keras.layers.InputSpec(axes={-1: input_shape[-1]})

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Normalises.

        Args:
          inputs: [B, H, W, C] or [B, T, H, W, C].
          training: whether to use the statistics of the batch, and update the moving ones.

        Returns:
          Shape and dtype of `inputs`.
        """
        if inputs.shape.rank == 4:
            return super().call(inputs, training=training)
        shape = tf.shape(inputs)
        folded = tf.reshape(inputs, [shape[0], -1, shape[3], inputs.shape[4]])
        outputs = tf.reshape(super().call(folded, training=training), shape)
        outputs.set_shape(inputs.shape)
        return outputs


def synchronise_batch_norm(model: tf.keras.Model) -> None:
    """Makes the batch normalisations of a model use the statistics of all replicas' clips together.

    Args:
      model: with its variables made; trains in the replicas of a `tf.distribute.Strategy`.
    """
    for layer in model.submodules:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.synchronized = True
            layer.fused = False  # The fused kernel knows the clips of its own replica alone.


class Chain(tf.keras.layers.Layer):
    """Layers one after the other, under one name."""

    def __init__(self, layers: Sequence[tf.keras.layers.Layer], name: str) -> None:
        super().__init__(name=name)
        self.chain = list(layers)

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Output of the last layer; Keras itself hands `training` on to layers that take it."""
        del training
        for layer in self.chain:
            inputs = layer(inputs)
        return inputs


class Relu(tf.keras.layers.Layer):
    """max(inputs, 0)."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Same shape and dtype as `inputs`."""
        return tf.nn.relu(inputs)


class MaxPool(tf.keras.layers.Layer):
    """Maximum over strided windows, with PyTorch's padding.

    Inputs must not be negative (they follow a ReLU): the padding is zeros.
    """

    def __init__(self, window: Sequence[int], strides: Sequence[int]) -> None:
        super().__init__(name="max_pool")
        self.window, self.strides = list(window), list(strides)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """[B, ..., C] -> [B, ceil(.../stride), C]."""
        inputs, padding = pad_strided(inputs, self.window, self.strides)
        pool = tf.nn.max_pool2d if len(self.window) == 2 else tf.nn.max_pool3d
        return pool(inputs, self.window, self.strides, padding)


def conv_norm_relu(conv: tf.keras.layers.Layer, name: str = "") -> list[tf.keras.layers.Layer]:
    """A convolution, its batch normalisation and a ReLU."""
    return [conv, BatchNorm(f"{name}norm"), Relu(name=f"{name}relu")]
