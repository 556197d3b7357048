"""The dictionary of one modality with the pool that feeds it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from actcl_tf.contrast import (
    gradient_embeddings,
    memory_queue,
    negative_sampling,
    seeding_numbers,
    weighted_draw,
)


class KeyBatch(NamedTuple):
    """The keys of a global batch and where they come from.

    Attributes:
      ids: [M] int64, clip ids.
      keys: [M, D] float32, unit vectors from the key encoder.
      features: [M, d] float32, inputs of the last linear layer that made them.
      labels: [M] int64, index of the class, -1 for none; for diagnostics and nothing else.
        Default: -1.
      born: [M] int64, the step that made them; for diagnostics, too. Default: -1.

    Example:
      >>> ids = tf.constant([1, 2], tf.int64)
      >>> batch = actcl_tf.KeyBatch(ids, keys=tf.eye(2), features=tf.ones([2, 3]))
      >>> batch.labels is None
      True
    """

    ids: tf.Tensor
    keys: tf.Tensor
    features: tf.Tensor
    labels: tf.Tensor | None = None
    born: tf.Tensor | None = None


def _check_numbers(batch: KeyBatch) -> None:
    """Refuses keys that would be kept for long and spoil every loss; NaN is of no length."""
    lengths = tf.norm(tf.cast(batch.keys, tf.float32), axis=-1)
    wrong = tf.logical_not(tf.abs(lengths - 1.0) < _LENGTH_ERROR)
    if bool(tf.reduce_any(wrong)):
        raise ValueError(
            f"keys must be unit vectors, got one of length {float(lengths[wrong][0]):g}; pass "
            "tf.math.l2_normalize(keys, axis=1)"
        )
    seeding_numbers.require_finite("features", batch.features)


class Sampled(NamedTuple):
    """What a dictionary took in at one step.

    Attributes:
      picks: Picks out of the candidates.
      eligible: [N] bool, candidates that could be picked.
      features: [N, d] float32, of the candidates.
    """

    picks: negative_sampling.Picks
    eligible: tf.Tensor
    features: tf.Tensor


class Sharding(NamedTuple):
    """How the parts of a pool, of which each replica has another, come together.

    Attributes:
      num_shards: R, replicas.
      index: gives the number of this replica, int32 scalar.
      gather: [m, ...] -> [R m, ...], what all replicas give, in their order.
    """

    num_shards: int
    index: Callable[[], tf.Tensor]
    gather: Callable[[tf.Tensor], tf.Tensor]


_LENGTH_ERROR = 0.02  # Of a unit vector in half precision.

# What is kept of each key besides its id, in dictionary and pool.
_FACTS = ("labels", "born")


class Dictionary(tf.Module):
    """K keys that serve as negatives, refreshed with M keys a step.

    With a sampler, the M keys are picked out of a pool of N candidates; without one (moco), they
    are the keys of the batch.

    With a sharding, each replica keeps N / R candidates of its own and picks M of them; the picks
    of all replicas together are the candidates that the M keys are picked out of.

    Attributes:
      queue: the dictionary itself, a MemoryQueue of K keys.
      pool: a MemoryQueue of N candidate keys with the features that made them, or None. In parts,
        it is left out of checkpoints of the dictionary, for they would save one replica's alone.

    Example:
      >>> sampler = actcl_tf.ActiveSampler(temperature=0.1)
      >>> dictionary = actcl_tf.Dictionary(4, 2, sampler=sampler, pool_size=6, num_features=2)
      >>> keys = tf.math.l2_normalize(tf.constant([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0]]), axis=1)
      >>> dictionary.remember(actcl_tf.KeyBatch(tf.range(3, dtype=tf.int64), keys, features=keys))
      >>> layer = actcl_tf.LastLayer(kernel=tf.eye(2))
      >>> _ = dictionary.sample(tf.eye(2), layer, num_picks=2, seed=tf.constant([0, 1]))
      >>> sorted(dictionary.queue.ids.numpy().tolist())
      [-1, -1, 1, 2]
    """

    def __init__(
        self,
        dictionary_size: int,
        embedding_size: int,
        *,
        sampler: Any | None = None,
        pool_size: int = 0,
        num_features: int = 0,
        sharding: Sharding | None = None,
        name: str = "dictionary",
    ):
        """Makes an empty dictionary.

        Args:
          dictionary_size: K.
          embedding_size: D.
          sampler: from `negative_sampling.build_sampler`, or None.
          pool_size: N; only with a sampler.
          num_features: d, the width of the last linear layer's input; only with a sampler.
          sharding: how the pool is shared by replicas, whose number divides N; None: each replica
            keeps the whole pool.
          name: name of the module.
        """
        super().__init__(name=name)
        self._sampler = sampler
        self._sharding = sharding
        columns = {"keys": tf.TensorSpec([embedding_size])}
        columns.update({fact: tf.TensorSpec([], tf.int64) for fact in _FACTS})
        with self.name_scope:
            self.queue = memory_queue.MemoryQueue(dictionary_size, columns, name="queue")
            self.pool = None
            if sampler is not None:
                columns["features"] = tf.TensorSpec([num_features])
                if sharding is None:
                    self.pool = memory_queue.MemoryQueue(pool_size, columns, name="pool")
                else:
                    self._make_shard(pool_size // sharding.num_shards, columns)

    @tf.__internal__.tracking.no_automatic_dependency_tracking
    def _make_shard(self, size: int, columns: dict[str, tf.TensorSpec]) -> None:
        self.pool = memory_queue.MemoryQueue(size, columns, name="pool")

    def sample(
        self,
        queries: tf.Tensor,
        last_layer: gradient_embeddings.LastLayer,
        num_picks: int,
        seed: tf.Tensor,
    ) -> Sampled:
        """Picks keys out of the pool and enqueues them, dequeuing the oldest.

        Candidates whose clip is in the dictionary already are passed over.

        Args:
          queries: [M, D] float32, unit vectors of the global batch that the keys will serve.
          last_layer: the layer that the candidates are seen through.
          num_picks: M, static.
          seed: [2] int32, stateless seed of this step and dictionary.

        Returns:
          Sampled; M keys were picked unless fewer were eligible.
        """
        candidates = {"ids": self.pool.ids, **self.pool.columns}
        if self._sharding is not None:
            candidates = self._finalists(candidates, queries, last_layer, num_picks, seed)
        sampled = self._choose(candidates, queries, last_layer, num_picks, seed)
        ids, *rows = (
            tf.gather(candidates[column], sampled.picks.indices)
            for column in ("ids", *self.queue.columns)
        )
        self.queue.enqueue(
            ids, dict(zip(self.queue.columns, rows, strict=True)), sampled.picks.count
        )
        return sampled

    def _choose(
        self,
        candidates: dict[str, Any],
        queries: tf.Tensor,
        last_layer: gradient_embeddings.LastLayer,
        num_picks: int,
        seed: tf.Tensor,
    ) -> Sampled:
        """Picks among candidates [N, ...] that are not in the dictionary yet."""
        ids, features = (tf.convert_to_tensor(candidates[name]) for name in ("ids", "features"))
        seen = memory_queue.contains(ids, self.queue.ids.read_value())
        eligible = tf.logical_and(ids >= 0, tf.logical_not(seen))
        picks = negative_sampling.choose(
            self._sampler,
            eligible,
            num_picks,
            seed=seed,
            features=features,
            last_layer=last_layer,
            queries=queries,
        )
        return Sampled(picks, eligible, features)

    def _finalists(
        self,
        candidates: dict[str, Any],
        queries: tf.Tensor,
        last_layer: gradient_embeddings.LastLayer,
        num_picks: int,
        seed: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """The picks of all replicas, each out of its own candidates: name -> [R M, ...]."""
        sharding = self._sharding
        own_seed = weighted_draw.fold_in(seed, 1 + sharding.index())
        picks = self._choose(candidates, queries, last_layer, num_picks, own_seed).picks
        rows = {name: tf.gather(column, picks.indices) for name, column in candidates.items()}
        picked = tf.range(num_picks) < picks.count
        rows["ids"] = tf.where(picked, rows["ids"], tf.constant(memory_queue.EMPTY, tf.int64))
        size = sharding.num_shards * num_picks
        return {
            name: tf.ensure_shape(sharding.gather(row), [size, *row.shape[1:]])
            for name, row in rows.items()
        }

    def remember(self, batch: KeyBatch, everyone: tf.Tensor | None = None) -> None:
        """Takes in the keys of a batch: into the pool, or straight into the dictionary (moco).

        Args:
          batch: keys of the global batch; with a sharding, of this replica's part of it.
          everyone: with a sharding, [M] int64, clip ids of the global batch: other replicas have
            newer keys of those that are not in this part.

        Raises:
          ValueError: numbers of another kind or shape than `KeyBatch` says; when eager, also ids
            that are negative, keys that are no unit vectors, and features that are not finite.
        """
        if tf.executing_eagerly():
            _check_numbers(batch)
        target = self.queue if self.pool is None else self.pool
        if everyone is not None:
            target.forget(everyone)
        rows = batch._asdict()
        rows.update(
            {
                fact: tf.fill(tf.shape(batch.ids), tf.constant(-1, tf.int64))
                for fact in _FACTS
                if rows[fact] is None
            }
        )
        target.enqueue(batch.ids, {column: rows[column] for column in target.columns})
