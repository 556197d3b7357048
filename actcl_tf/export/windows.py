"""Long input: windows of the length that was trained on, encoded one by one and averaged."""

from collections.abc import Callable, Mapping

import tensorflow as tf

from actcl_tf.models import heads

Encode = Callable[[tf.Tensor], Mapping[str, tf.Tensor]]


def starts(length: tf.Tensor, window: tf.Tensor) -> tf.Tensor:
    """Where windows start that cover a whole input, evenly, with as little overlap as can be.

    Args:
      length: [] int64, of the input.
      window: [] int64, of a window, at most `length`.

    Returns:
      [ceil(length / window)] int64, from 0 to length - window.
    """
    count = (length + window - 1) // window
    return tf.range(count) * (length - window) // tf.maximum(count - 1, 1)


def encode_average(
    encode: Encode, inputs: tf.Tensor, window: int, sizes: Mapping[str, int]
) -> dict[str, tf.Tensor]:
    """Encodes windows of the input in turn, so that memory does not grow with its length.

    Args:
      encode: [B, window, ...] -> `embedding` and `features`.
      inputs: [B, L, ...]; where L is less than `window`, there is one window of L.
      window: length of a window.
      sizes: of `embedding` and `features`.

    Returns:
      `features` [B, d] float32, the mean over windows, and `embedding` [B, D] float32, the mean
      scaled to length 1.
    """
    # 64 bits: an hour of sound times its number of windows is beyond 32.
    length = tf.shape(inputs, tf.int64)[1]
    window = tf.minimum(length, window)
    places = starts(length, window)
    batch = tf.shape(inputs)[0]

    def add(index: tf.Tensor, sums: dict[str, tf.Tensor]) -> tuple:
        part = inputs[:, places[index] : places[index] + window]
        encoded = encode(part)
        return index + 1, {name: sums[name] + encoded[name] for name in sizes}

    count = tf.size(places)
    _, sums = tf.while_loop(
        lambda index, sums: index < count,
        add,
        (0, {name: tf.zeros([batch, size]) for name, size in sizes.items()}),
        shape_invariants=(
            tf.TensorShape([]),
            {name: tf.TensorShape([None, size]) for name, size in sizes.items()},
        ),
    )
    means = {name: total / tf.cast(count, tf.float32) for name, total in sums.items()}
    return {**means, "embedding": heads.unit_vectors(means["embedding"])}
