"""The dictionaries and pools of a run, and how negatives are sampled for them."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from actcl_tf import config
from actcl_tf.contrast import dictionary, negative_sampling
from actcl_tf.models import two_tower
from actcl_tf.train.model import replicas


def build_sampler(contrast: config.ContrastConfig) -> Any | None:
    """The strategy that a run picks its negatives by; None where there is no pool."""
    return negative_sampling.build_sampler(
        contrast.negatives,
        contrast.sampler_temperature,
        contrast.gradient_space,
        method=contrast.seeding,
        first_pick=contrast.first_pick,
        chain_length=contrast.chain_length,
        num_shards=contrast.seeding_shards,
    )


def build_dictionaries(
    contrast: config.ContrastConfig, towers: Mapping[str, two_tower.Tower]
) -> dict[str, dictionary.Dictionary]:
    """Builds empty dictionaries with their pools; call it inside the strategy's scope.

    Args:
      contrast: where negatives come from.
      towers: modality -> tower whose last linear layer, [d, D], makes the keys.

    Returns:
      Modality -> Dictionary of that modality's keys; empty for in_batch.
    """
    if not contrast.uses_dictionary:
        return {}
    sampler, sharding = build_sampler(contrast), None
    if shards_pools(contrast):
        num_replicas = tf.distribute.get_strategy().num_replicas_in_sync
        sharding = dictionary.Sharding(num_replicas, replicas.replica_id, replicas.gather)
    found = {}
    for modality, tower in towers.items():
        num_features, embedding_size = tower.head.last_layer.kernel.shape
        found[modality] = dictionary.Dictionary(
            contrast.dictionary_size,
            embedding_size,
            sampler=sampler,
            pool_size=contrast.pool_size,
            num_features=num_features,
            sharding=sharding,
            name=f"{modality}_dictionary",
        )
    return found


def shards_pools(contrast: config.ContrastConfig) -> bool:
    """Whether each replica of the strategy keeps another part of the pools."""
    is_shared = tf.distribute.get_strategy().num_replicas_in_sync > 1
    return contrast.pool_sharding and contrast.uses_pool and is_shared


def pool_parts(model: tf.keras.Model) -> dict[str, tf.train.Checkpoint]:
    """Sharded pools, for a checkpoint: "video_0" and so on -> the part of that replica.

    Args:
      model: the PretrainModel; call it inside the strategy's scope that it was built in.
    """
    strategy, parts = tf.distribute.get_strategy(), {}
    if not model.shards_pools:
        return parts
    for modality, target in model.dictionaries.items():
        pool = target.pool
        variables = {"ids": pool.ids, "pointer": pool.pointer, **pool.columns}
        copies = {n: strategy.experimental_local_results(v) for n, v in variables.items()}
        for replica in range(strategy.num_replicas_in_sync):
            part = {name: each[replica] for name, each in copies.items()}
            parts[f"{modality}_{replica}"] = tf.train.Checkpoint(**part)
    return parts
