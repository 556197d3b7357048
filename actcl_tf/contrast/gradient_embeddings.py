"""The gradient embedding of a candidate key, as two factors that are never multiplied out."""

from typing import NamedTuple

import tensorflow as tf


class LastLayer(NamedTuple):
    """The last linear layer and the fixed affine map (a batch normalisation) behind it.

    outputs = (features @ kernel) * scale + offset; key = outputs / |outputs|.

    Attributes:
      kernel: [d, D] float32, W.
      scale: [D] float32.
      offset: [D] float32; a bias of the layer is part of it.
    """

    kernel: tf.Tensor
    scale: tf.Tensor
    offset: tf.Tensor


class GradientFactors(NamedTuple):
    """The gradient of candidate n is outer(h[n], u[n]), shaped like the kernel.

    Attributes:
      u: [N, D] float32.
      h: [N, d] float32 (d = 1 and all ones in the embedding space).
    """

    u: tf.Tensor
    h: tf.Tensor


def gradient_factors(
    features: tf.Tensor,
    last_layer: LastLayer,
    queries: tf.Tensor,
    temperature: float,
    space: str = "last_layer",
) -> GradientFactors:
    """Gradient of each candidate's pseudo-label loss with respect to the last layer's kernel.

    The pseudo-posterior of a candidate is the softmax of its cosines with the batch's queries of
    the other modality; its pseudo-label is the likeliest of them, so no true pairing is used.

    Args:
      features: [N, d] float32, inputs of the last linear layer.
      last_layer: the layer that the candidates are seen through.
      queries: [M, D] float32, unit vectors of the other modality.
      temperature: positive float, no unit.
      space: "last_layer", or "embedding" for the gradient with respect to W h alone.

    Returns:
      GradientFactors(u=[N, D], h=[N, d] or [N, 1]), float32.

    Raises:
      ValueError: shapes do not fit together, or an unknown space.

    Source: Ma et al., Active Contrastive Learning of Audio-Visual Video Representations
    (arXiv 2009.09805), section 3. Through the normalisations,
    u = scale * (I - k k^T) c / |outputs| with c = (1 / tau) sum_j (p_j - [j = y]) q_j.
    """
    if space not in ("last_layer", "embedding"):
        raise ValueError(f"space must be last_layer or embedding, got {space}")
    d, size = last_layer.kernel.shape
    if features.shape[-1] != d or queries.shape[-1] != size:
        raise ValueError(
            f"features must have shape [N, {d}] and queries [M, {size}] to match the kernel "
            f"[{d}, {size}], got {features.shape} and {queries.shape}"
        )
    features, queries = tf.cast(features, tf.float32), tf.cast(queries, tf.float32)
    outputs = tf.matmul(features, last_layer.kernel) * last_layer.scale + last_layer.offset
    inverse_norm = tf.math.rsqrt(
        tf.maximum(tf.reduce_sum(tf.square(outputs), axis=1, keepdims=True), 1e-12)
    )
    keys = outputs * inverse_norm
    logits = tf.matmul(keys, queries, transpose_b=True) / temperature
    posterior = tf.nn.softmax(logits, axis=1)
    label = tf.one_hot(tf.argmax(logits, axis=1), tf.shape(queries)[0], dtype=tf.float32)
    c = tf.matmul(posterior - label, queries) / temperature
    tangent = c - keys * tf.reduce_sum(keys * c, axis=1, keepdims=True)
    u = tangent * inverse_norm * last_layer.scale
    h = features if space == "last_layer" else tf.ones_like(features[:, :1])
    return GradientFactors(u, h)


def squared_norms(factors: GradientFactors) -> tf.Tensor:
    """Squared length of each gradient, |u|^2 |h|^2: [N] float32."""
    return tf.reduce_sum(tf.square(factors.u), 1) * tf.reduce_sum(tf.square(factors.h), 1)
