"""Queries and keys of a batch: on the tape or not, in parts, and shuffled among replicas."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import tensorflow as tf

from actcl_tf.train.model import accumulation, replicas

MODALITIES = ("video", "audio")

# (query modality, key modality) of each direction of the loss.
_CROSS = (("video", "audio"), ("audio", "video"))
_WITHIN = (("video", "video"), ("audio", "audio"))
DIRECTIONS = {"cross_modal": _CROSS, "within_modal": _WITHIN, "joint": _CROSS + _WITHIN}

Batch = dict[str, tf.Tensor]
# Gradient with respect to queries -> gradient of the variables that made them.
Backpropagate = Callable[[Batch], list[tf.Tensor]]


class Keys(NamedTuple):
    """Keys of one modality.

    Attributes:
      keys: [B, D] float32, unit vectors from the key encoder.
      features: [B, d] float32, inputs of the last linear layer that made them.
    """

    keys: tf.Tensor
    features: tf.Tensor


class Encoded(NamedTuple):
    """Clips as the encoders see them: those of a replica, or the global batch.

    Attributes:
      ids: [B] int64, clip ids.
      labels: [B] int64, index of the class, -1 for none; for diagnostics alone.
      keys: modality -> their keys.
      queries: modality -> [B, D] float32, unit vectors; empty where only keys are wanted.
    """

    ids: tf.Tensor
    labels: tf.Tensor
    keys: dict[str, Keys]
    queries: Batch


_KEY_TYPES = dict.fromkeys(MODALITIES, Keys(tf.float32, tf.float32))


def encode_keys(
    towers: Mapping[str, tf.keras.Model],
    batch: Batch,
    *,
    on_batch_statistics: bool,
    num_parts: int = 1,
    shuffle_seed: tf.Tensor | None = None,
) -> tuple[dict[str, Keys], dict[str, Keys]]:
    """Encodes clips with the key encoders, without a gradient.

    Args:
      towers: modality -> key tower.
      batch: this replica's clips; view 2, `key_video` and `key_audio`, is used where there is one.
      on_batch_statistics: whether batch normalisation uses those of the batch. On moving ones a key
        carries no trace of the batch that it shares with its query, and the spectrogram is not
        masked either.
      num_parts: parts that the clips are encoded in; see `accumulation`.
      shuffle_seed: [2] int32; each replica encodes clips that are dealt by it. None: its own.

    Returns:
      Modality -> keys of this replica's clips, and modality -> keys of the global batch.
    """
    inputs = {m: batch.get(f"key_{m}", batch[m]) for m in MODALITIES}
    inputs["seed"] = batch["seed"] + 1

    def encode(part: Batch) -> dict[str, Keys]:
        found = {}
        for modality in MODALITIES:
            output = towers[modality](
                part[modality], seeds=part["seed"], training=on_batch_statistics
            )
            embedding = tf.debugging.check_numerics(output.embedding, f"{modality} keys")
            found[modality] = Keys(tf.stop_gradient(embedding), tf.stop_gradient(output.hidden))
        return found

    if shuffle_seed is None:
        keys = accumulation.encode(encode, inputs, num_parts, _KEY_TYPES)
        return keys, {m: Keys(*map(replicas.gather, keys[m])) for m in MODALITIES}
    order = replicas.shuffle(batch["clip_id"], shuffle_seed)
    inputs = {name: order.mine(values) for name, values in inputs.items()}
    keys = accumulation.encode(encode, inputs, num_parts, _KEY_TYPES)
    everyone = {m: Keys(*map(order.restore, keys[m])) for m in MODALITIES}
    own = slice(order.start, order.start + order.size)
    return {m: Keys(*(each[own] for each in everyone[m])) for m in MODALITIES}, everyone


def encode_queries(
    encode: Callable[..., Batch],
    towers: Mapping[str, tf.keras.Model],
    batch: Batch,
    num_parts: int = 1,
) -> tuple[Batch, Backpropagate]:
    """Encodes clips with the query encoders.

    Args:
      encode: (clips, training=True) -> modality -> [b, D].
      towers: modality -> query tower, which `encode` uses.
      batch: this replica's clips.
      num_parts: parts that they are encoded in; see `accumulation`.

    Returns:
      Modality -> [B, D], and a function that leads a gradient with respect to them back to the
      `trainable_variables` of the towers.
    """
    inputs = {name: batch[name] for name in (*MODALITIES, "seed")}
    variables = trainable_variables(towers)

    def encode_part(part: Batch) -> Batch:
        queries = encode(part, training=True)
        return {m: tf.debugging.check_numerics(queries[m], f"{m} queries") for m in MODALITIES}

    if num_parts == 1:
        with tf.GradientTape() as tape:
            queries = encode_part(inputs)
        return queries, lambda wanted: tape.gradient(queries, variables, output_gradients=wanted)
    # Each part passes twice, and its statistics are to count once.
    statistics = [v for m in MODALITIES for v in towers[m].non_trainable_variables]
    before = [variable.read_value() for variable in statistics]
    types = dict.fromkeys(MODALITIES, tf.float32)
    queries = accumulation.encode(encode_part, inputs, num_parts, types)
    for variable, value in zip(statistics, before, strict=True):
        variable.assign(value)
    return queries, lambda wanted: accumulation.gradients(
        encode_part, inputs, wanted, variables, num_parts
    )


def trainable_variables(towers: Mapping[str, tf.keras.Model]) -> list[tf.Variable]:
    """The trainable variables of the towers of both modalities."""
    return [v for m in MODALITIES for v in towers[m].trainable_variables]
