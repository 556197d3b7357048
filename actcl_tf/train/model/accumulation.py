"""Encoding a batch in parts, one after the other, so that activations of one part alone are kept.

The gradient is that of the whole batch (Gao et al. 2021, Scaling Deep Contrastive Learning Batch
Size under Memory Limited Setup, arXiv 2101.06983): embeddings first, without a tape; then the loss
and its gradient with respect to them; then each part once more, through which its rows of that
gradient are led back. The price is a second forward pass.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

Batch = dict[str, tf.Tensor]


def encode(function: Callable[[Batch], Any], batch: Batch, num_parts: int, dtypes: Any) -> Any:
    """Encodes the parts of a batch one after the other.

    Args:
      function: part -> tensors [b, ...] in any structure.
      batch: name -> [B, ...].
      num_parts: A; must divide B. With 1, the function is called as it is.
      dtypes: of what the function gives, in its structure.

    Returns:
      What the function gives, [B, ...].
    """
    if num_parts == 1:
        return function(batch)
    encoded = tf.map_fn(
        function, _split(batch, num_parts), parallel_iterations=1, fn_output_signature=dtypes
    )
    return tf.nest.map_structure(lambda part: tf.reshape(part, [-1, *part.shape[2:]]), encoded)


def gradients(
    function: Callable[[Batch], Batch],
    batch: Batch,
    output_gradients: Batch,
    variables: Sequence[tf.Variable],
    num_parts: int,
) -> list[tf.Tensor]:
    """Leads a gradient with respect to embeddings back to variables, part by part.

    Args:
      function: part -> name -> [b, ...].
      batch: name -> [B, ...].
      output_gradients: name -> [B, ...], gradient with respect to what the function gives.
      variables: whose gradient is wanted; the function uses every one of them.
      num_parts: A; must divide B.

    Returns:
      The gradient of each variable, summed over the parts.
    """
    parts = _split({**batch, **{_key(name): g for name, g in output_gradients.items()}}, num_parts)

    def add_part(index: tf.Tensor, sums: list[tf.Tensor]) -> tuple:
        part = {name: values[index] for name, values in parts.items()}
        wanted = {name: part.pop(_key(name)) for name in output_gradients}
        with tf.GradientTape() as tape:
            outputs = function(part)
        found = tape.gradient(outputs, variables, output_gradients=wanted)
        return index + 1, [total + gradient for total, gradient in zip(sums, found, strict=True)]

    _, sums = tf.while_loop(
        lambda index, _: index < num_parts,
        add_part,
        (tf.constant(0), [tf.zeros(v.shape, v.dtype) for v in variables]),
        parallel_iterations=1,
        maximum_iterations=num_parts,
    )
    return sums


def _key(name: str) -> str:
    return f"gradient of {name}"


def _split(batch: Batch, num_parts: int) -> Batch:
    """Name -> [A, B / A, ...]."""
    return {
        name: tf.reshape(values, [num_parts, -1, *values.shape[1:]])
        for name, values in batch.items()
    }
