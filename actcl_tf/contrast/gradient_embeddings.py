"""The gradient embedding of a candidate key, as two factors that are never multiplied out."""

from typing import NamedTuple

import tensorflow as tf


class LastLayer(NamedTuple):
    """The last linear layer and the fixed affine map (a batch normalisation) behind it.

    outputs = (features @ kernel) * scale + offset; key = outputs / |outputs|.

    Attributes:
      kernel: [d, D] float32, W.
      scale: [D] float32; default: 1.
      offset: [D] float32; a bias of the layer is part of it. Default: 0.

    Example:
      >>> layer = tf.keras.layers.Dense(8)
      >>> layer.build([None, 16])
      >>> actcl_tf.LastLayer(layer.kernel, offset=layer.bias).kernel.shape
      TensorShape([16, 8])
    """

    kernel: tf.Tensor
    scale: tf.Tensor | float = 1.0
    offset: tf.Tensor | float = 0.0


class GradientFactors(NamedTuple):
    """The gradient of candidate n is outer(h[n], u[n]), shaped like the kernel.

    Attributes:
      u: [N, D] float32.
      h: [N, d] float32 (d = 1 and all ones in the embedding space).

    Example:
      >>> factors = actcl_tf.GradientFactors(u=tf.constant([[3.0, 4.0]]), h=tf.constant([[2.0]]))
      >>> float(tf.norm(tf.einsum("nd,nk->ndk", factors.h, factors.u)))
      10.0
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

    Example:
      >>> queries = tf.constant([[1.0, 0.0], [0.0, 1.0]])
      >>> features = tf.constant([[5.0, 0.0], [5.0, 4.9]])  # Clear, and hard to tell.
      >>> layer = actcl_tf.LastLayer(kernel=tf.eye(2))
      >>> factors = actcl_tf.gradient_factors(features, layer, queries, temperature=0.1)
      >>> clear, unclear = tf.norm(factors.u, axis=1) * tf.norm(factors.h, axis=1)
      >>> bool(unclear > 1000 * clear)
      True
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
    keys, inverse_norm = seen_through(last_layer, features)
    logits = tf.matmul(keys, queries, transpose_b=True) / temperature
    pseudo_posterior = tf.nn.softmax(logits, axis=1)
    pseudo_label = tf.one_hot(tf.argmax(logits, axis=1), tf.shape(queries)[0], dtype=tf.float32)
    c = tf.matmul(pseudo_posterior - pseudo_label, queries) / temperature
    tangent = c - keys * tf.reduce_sum(keys * c, axis=1, keepdims=True)
    u = tangent * inverse_norm * last_layer.scale
    h = features if space == "last_layer" else tf.ones_like(features[:, :1])
    return GradientFactors(u, h)


def seen_through(last_layer: LastLayer, features: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The keys that a layer makes of features.

    Args:
      last_layer: the layer.
      features: [N, d] float32, inputs of the last linear layer.

    Returns:
      Keys [N, D] float32, unit vectors, and 1 / |outputs| [N, 1] of the outputs they are made of.
    """
    outputs = tf.matmul(features, last_layer.kernel) * last_layer.scale + last_layer.offset
    inverse_norm = tf.math.rsqrt(
        tf.maximum(tf.reduce_sum(tf.square(outputs), axis=1, keepdims=True), 1e-12)
    )
    return outputs * inverse_norm, inverse_norm


def squared_norms(factors: GradientFactors) -> tf.Tensor:
    """Squared length of each gradient, |u|^2 |h|^2: [N] float32."""
    return tf.reduce_sum(tf.square(factors.u), 1) * tf.reduce_sum(tf.square(factors.h), 1)
