"""Measures what a training step does with each dictionary, at some sizes.

That is `Dictionary.sample` and `remember`, on full pools of made-up features.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from actcl_tf import config
from actcl_tf.benchmark import fresh_process, host, turns
from actcl_tf.benchmark.scaling import scaling_counts, scaling_settings
from actcl_tf.benchmark.seeding import seeding_ways
from actcl_tf.console import bars
from actcl_tf.contrast import dictionary, gradient_embeddings
from actcl_tf.train.model import dictionaries

_REPLICAS = 4  # That are simulated to see how sampling in two levels is foretold.
_SEED = 0
_TIMES = ("seconds", "remember_seconds")  # Of both calls of a step.


def measure(
    settings: scaling_settings.Settings,
    contrast: config.ContrastConfig,
    modality: scaling_counts.Modality,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Measures one dictionary; shows progress bars.

    Args:
      settings: sizes and rounds.
      contrast: how negatives are chosen.
      modality: of whose keys the dictionary is.

    Returns:
      The points for a fit; and larger ones and one in two levels, to see how well it foretells. Of
      each point:
        pool_size: N, keys of the pool that one replica keeps.
        picks: M.
        replicas: R that are simulated; 1: the pool is not sharded.
        seconds: median time that the sampling took.
        remember_seconds: median time that the pool took to take in M keys.
        scratch_bytes: peak memory of the sampling beyond the pool; None where not measured.
    """
    pools, picks = settings.scaling_measured_pools, settings.scaling_measured_picks
    middle = picks[len(picks) // 2]
    grid = [(n, m, 1) for n in pools for m in picks]
    held_out = [
        (4 * pools[-1], middle, 1),
        (pools[-1], 2 * picks[-1], 1),
        (pools[-1], middle, _REPLICAS),
    ]
    made_of = (settings.scaling_points, contrast, modality)
    # Memory is no matter of chance: one size where each phase takes the most is enough.
    watched = [(pools[-1], picks[0], 1), (pools[-1], picks[-1], 1), *held_out]
    scratch = {
        size: fresh_process.peak(_peak, *made_of, size)
        for size in bars.Bar(watched, "peak memory", unit="turn")
    }
    calls = {}
    for size in bars.Bar([*grid, *held_out], "compiling", unit="turn"):
        for name, call in zip(_TIMES, build_step(*made_of, size), strict=True):
            call(0)
            calls[size, name] = call
    timed = turns.take(calls, dict.fromkeys(calls, settings.scaling_rounds), "timing")
    medians = {call: float(np.median([each for each, _ in timed[call]])) for call in calls}

    def point(size: tuple[int, int, int]) -> dict[str, Any]:
        named = dict(zip(("pool_size", "picks", "replicas"), size, strict=True))
        times = {name: medians[size, name] for name in _TIMES}
        return {**named, **times, "scratch_bytes": scratch.get(size)}

    return list(map(point, grid)), list(map(point, held_out))


def build_step(
    points: str,
    contrast: config.ContrastConfig,
    modality: scaling_counts.Modality,
    size: tuple[int, int, int],
) -> tuple[Callable[[int], int], Callable[[int], None]]:
    """A dictionary with a full pool, as two functions of the number of a round.

    Args:
      points: kind of features, see `seeding_ways.make_factors`.
      contrast: how negatives are chosen.
      modality: sizes of keys and features.
      size: (N, M, R): keys of the pool, or of this replica's part of it; picks; replicas.

    Returns:
      The sampling, which gives the number of picks, and the remembering of M keys. Each waits for
      its end.
    """
    pool_size, picks, replicas = size
    embedding, features = modality.embedding_size, modality.num_features
    rng = np.random.default_rng(_SEED)
    u, h = seeding_ways.make_factors(points, pool_size, embedding, features, _SEED)
    target = dictionary.Dictionary(
        picks,  # What was picked last is passed over, and there is plenty left.
        embedding,
        sampler=dictionaries.build_sampler(contrast),
        pool_size=pool_size * replicas,
        num_features=features,
        sharding=_simulated(points, modality, picks, replicas) if replicas > 1 else None,
    )
    target.pool.ids.assign(tf.range(pool_size, dtype=tf.int64))
    target.pool.columns["keys"].assign(u)
    target.pool.columns["features"].assign(h)
    kernel = rng.standard_normal((features, embedding), np.float32) / np.sqrt(features)
    layer = gradient_embeddings.LastLayer(
        tf.constant(kernel, tf.float32), tf.ones([embedding]), tf.zeros([embedding])
    )
    queries = tf.constant(rng.standard_normal((picks, embedding), np.float32))
    queries = tf.math.l2_normalize(queries, axis=1)
    batch = tf.constant(u[:picks]), tf.constant(h[:picks])

    @tf.function(autograph=False)
    def sample(seed: tf.Tensor) -> tf.Tensor:
        return target.sample(queries, layer, picks, seed).picks.count

    @tf.function(autograph=False)
    def remember(ids: tf.Tensor) -> None:
        target.remember(dictionary.KeyBatch(ids, *batch), ids if replicas > 1 else None)

    def call_remember(index: int) -> None:
        remember(tf.range(picks, dtype=tf.int64) + pool_size + index * picks)
        target.pool.pointer.numpy()

    return lambda index: int(sample(tf.constant([index, 0]))), call_remember


def _simulated(
    points: str, modality: scaling_counts.Modality, picks: int, replicas: int
) -> dictionary.Sharding:
    """A sharding whose other replicas give made-up finalists, always the same."""
    rest = (replicas - 1) * picks
    u, h = seeding_ways.make_factors(
        points, rest, modality.embedding_size, modality.num_features, _SEED + 1
    )
    made = {}
    for table in (u, h):
        made[table.shape[1]] = tf.constant(table)
    ids = tf.range(rest, dtype=tf.int64) + 2**40  # Of no clip of this replica.

    def gather(value: tf.Tensor) -> tf.Tensor:
        others = ids if value.shape.rank == 1 else made[value.shape[1]]
        return tf.concat([value, others], axis=0)

    return dictionary.Sharding(replicas, lambda: tf.constant(0), gather)


def _peak(
    points: str,
    contrast: config.ContrastConfig,
    modality: scaling_counts.Modality,
    size: tuple[int, int, int],
) -> int | None:
    """Runs in a fresh process, on its CPU."""
    with tf.device("CPU"):
        sample, remember = build_step(points, contrast, modality, size)
        remember(0)  # Tables that are written row by row are copied whenever they are read whole.
        sample(0)
        return host.peak_extra_bytes(lambda: sample(1))
