"""Projection heads: backbone features -> the unit vectors that are contrasted."""

from typing import NamedTuple

import tensorflow as tf

from actcl_tf import config

NORM_MOMENTUM = 0.9
NORM_EPSILON = 1e-5
# Below this squared length an embedding is no longer stretched to length 1, so that neither the
# value nor the gradient at zero is NaN or infinite.
SMALLEST_SQUARED_NORM = 1e-12


class HeadOutput(NamedTuple):
    """What a projection head gives.

    Attributes:
      hidden: [B, d] float32, input of the last linear layer (h of the sampler).
      outputs: [B, D] float32, the last layer's output after its batch normalisation.
      embedding: [B, D] float32, `outputs` scaled to length 1.
    """

    hidden: tf.Tensor
    outputs: tf.Tensor
    embedding: tf.Tensor


class LastLayerAffine(NamedTuple):
    """The last layer and the normalisation behind it, in inference form.

    outputs = (hidden @ kernel) * scale + offset.

    Attributes:
      kernel: [d, D] float32.
      scale: [D] float32.
      offset: [D] float32.
    """

    kernel: tf.Tensor
    scale: tf.Tensor
    offset: tf.Tensor


def unit_vectors(vectors: tf.Tensor) -> tf.Tensor:
    """Scales vectors to length 1, safely.

    Args:
      vectors: [..., D] float32.

    Returns:
      [..., D] float32 of length 1; a vector shorter than 1e-6 stays shorter than 1, and the
      gradient is finite everywhere, at zero too.
    """
    return tf.math.l2_normalize(vectors, axis=-1, epsilon=SMALLEST_SQUARED_NORM)


class ProjectionHead(tf.keras.layers.Layer):
    """features -> [hidden layer] -> last linear layer -> batch normalisation -> L2 norm.

    The whole head computes in float32, whatever the global precision is: its output and its last
    layer's input feed the sampler. The last layer has no bias, since a normalisation follows.

    Attributes:
      last_layer: the last linear layer (`tf.keras.layers.Dense`, kernel [d, D]).
      output_norm: the batch normalisation on its output.
    """

    def __init__(self, kind: str, hidden_size: int, embedding_size: int) -> None:
        """Describes the head; weights are made on the first call.

        Args:
          kind: `linear` (the last layer alone) or `mlp` (linear layer, batch normalisation and
            ReLU before it).
          hidden_size: d of the hidden layer, for `mlp` only.
          embedding_size: D.

        Raises:
          ValueError: kind is not known.
        """
        super().__init__(name="head", dtype="float32")
        if kind not in config.HEADS:
            raise ValueError(f"head kind must be one of {', '.join(config.HEADS)}, got {kind!r}")
        self.hidden_layer = self.hidden_norm = None
        if kind == "mlp":
            self.hidden_layer = tf.keras.layers.Dense(
                hidden_size, use_bias=False, dtype="float32", name="hidden_layer"
            )
            self.hidden_norm = _batch_norm("hidden_norm")
        self.last_layer = tf.keras.layers.Dense(
            embedding_size, use_bias=False, dtype="float32", name="last_layer"
        )
        self.output_norm = _batch_norm("output_norm")

    def call(self, features: tf.Tensor, training: bool | None = None) -> HeadOutput:
        """Projects features.

        Args:
          features: [B, d_b], output of a backbone.
          training: whether the normalisations use the statistics of the batch.

        Returns:
          HeadOutput of float32 tensors.
        """
        hidden = tf.cast(features, tf.float32)
        if self.hidden_layer is not None:
            hidden = self.hidden_norm(self.hidden_layer(hidden), training=training)
            hidden = tf.nn.relu(hidden)
        outputs = self.output_norm(self.last_layer(hidden), training=training)
        return HeadOutput(hidden=hidden, outputs=outputs, embedding=unit_vectors(outputs))

    def last_layer_affine(self) -> LastLayerAffine:
        """The last layer and its normalisation as one affine map, from the moving statistics.

        Returns:
          LastLayerAffine(kernel=[d, D], scale=[D], offset=[D]), float32, with which
          `outputs = (hidden @ kernel) * scale + offset` holds for training=False.
        """
        norm = self.output_norm
        scale = norm.gamma * tf.math.rsqrt(norm.moving_variance + norm.epsilon)
        return LastLayerAffine(
            kernel=tf.convert_to_tensor(self.last_layer.kernel),
            scale=scale,
            offset=norm.beta - norm.moving_mean * scale,
        )


def _batch_norm(name: str) -> tf.keras.layers.Layer:
    return tf.keras.layers.BatchNormalization(
        momentum=NORM_MOMENTUM, epsilon=NORM_EPSILON, dtype="float32", name=name
    )
