"""Long input: windows of the length that was trained on, encoded one by one and averaged."""

from collections.abc import Callable, Mapping

import tensorflow as tf

from actcl_tf.models import heads

Encode = Callable[[tf.Tensor], Mapping[str, tf.Tensor]]


def starts(length: tf.Tensor, window: tf.Tensor) -> tf.Tensor:
    """Where windows start that cover a whole input, evenly, with as little overlap as can be.

    Args:
      length: [] int32, of the input.
      window: [] int32, of a window, at most `length`; fewer than 46,341 fit the input.

    Returns:
      [ceil(length / window)] int32, from 0 to length - window.
    """
    count = (length + window - 1) // window
    steps = tf.maximum(count - 1, 1)
    # An hour of audio times its number of windows is beyond 32 bits; whole steps and the rest of
    # the division are not, each by itself.
    step, rest = (length - window) // steps, (length - window) % steps
    places = tf.range(count)
    return places * step + places * rest // steps


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
    length = tf.shape(inputs)[1]
    window = tf.minimum(length, window)
    places = starts(length, window)
    shape = tf.shape(inputs)
    others = [0] * (inputs.shape.rank - 2)
    size = tf.concat([shape[:1], [window], shape[2:]], 0)

    def add(index: tf.Tensor, sums: dict[str, tf.Tensor]) -> tuple:
        # A slice by its size, for compilers that must know it beforehand.
        encoded = encode(tf.slice(inputs, tf.stack([0, places[index], *others]), size))
        return index + 1, {name: sums[name] + encoded[name] for name in sizes}

    count = tf.size(places)
    _, sums = tf.while_loop(
        lambda index, sums: index < count,
        add,
        (0, {name: tf.zeros([shape[0], units]) for name, units in sizes.items()}),
        shape_invariants=(
            tf.TensorShape([]),
            {name: tf.TensorShape([None, units]) for name, units in sizes.items()},
        ),
    )
    means = {name: total / tf.cast(count, tf.float32) for name, total in sums.items()}
    return {**means, "embedding": heads.unit_vectors(means["embedding"])}
