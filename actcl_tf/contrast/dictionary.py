"""The dictionary of one modality with the pool that feeds it."""

from typing import Any, NamedTuple, Optional

import tensorflow as tf

from actcl_tf.contrast import gradient_embeddings, memory_queue, negative_sampling


class KeyBatch(NamedTuple):
    """The keys of a global batch and where they come from.

    Attributes:
      ids: [M] int64, clip ids.
      keys: [M, D] float32, unit vectors from the key encoder.
      features: [M, d] float32, inputs of the last linear layer that made them.
      labels: [M] int64, index of the class, -1 for none; for diagnostics and nothing else.
      born: [M] int64, the step that made them.
    """

    ids: tf.Tensor
    keys: tf.Tensor
    features: tf.Tensor
    labels: tf.Tensor
    born: tf.Tensor


class Sampled(NamedTuple):
    """What a dictionary took in at one step.

    Attributes:
      picks: Picks out of the pool.
      eligible: [N] bool, candidates that could be picked.
    """

    picks: negative_sampling.Picks
    eligible: tf.Tensor


# What is kept of each key besides its id, in dictionary and pool.
_FACTS = ("labels", "born")


class Dictionary(tf.Module):
    """K keys that serve as negatives, refreshed with M keys a step.

    With a sampler, the M keys are picked out of a pool of N candidates; without one (moco), they
    are the keys of the batch.

    Attributes:
      queue: the dictionary itself, a MemoryQueue of K keys.
      pool: a MemoryQueue of N candidate keys with the features that made them, or None.
    """

    def __init__(
        self,
        dictionary_size: int,
        embedding_size: int,
        *,
        sampler: Optional[Any] = None,
        pool_size: int = 0,
        num_features: int = 0,
        name: str = "dictionary",
    ):
        """Makes an empty dictionary.

        Args:
          dictionary_size: K.
          embedding_size: D.
          sampler: from `negative_sampling.build_sampler`, or None.
          pool_size: N; only with a sampler.
          num_features: d, the width of the last linear layer's input; only with a sampler.
          name: name of the module.
        """
        super().__init__(name=name)
        self._sampler = sampler
        columns = {"keys": tf.TensorSpec([embedding_size])}
        columns.update({fact: tf.TensorSpec([], tf.int64) for fact in _FACTS})
        with self.name_scope:
            self.queue = memory_queue.MemoryQueue(dictionary_size, columns, name="queue")
            self.pool = None
            if sampler is not None:
                columns["features"] = tf.TensorSpec([num_features])
                self.pool = memory_queue.MemoryQueue(pool_size, columns, name="pool")

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
        ids = self.pool.ids.read_value()
        seen = memory_queue.contains(ids, self.queue.ids.read_value())
        eligible = tf.logical_and(ids >= 0, tf.logical_not(seen))
        features = self.pool.columns["features"].read_value()
        picks = negative_sampling.choose(
            self._sampler, eligible, num_picks, seed, features, last_layer, queries
        )
        rows = {
            column: tf.gather(self.pool.columns[column], picks.indices)
            for column in self.queue.columns
        }
        self.queue.enqueue(tf.gather(ids, picks.indices), rows, picks.count)
        return Sampled(picks, eligible)

    def remember(self, batch: KeyBatch) -> None:
        """Takes in the keys of a batch: into the pool, or straight into the dictionary (moco).

        Args:
          batch: keys of the global batch.
        """
        target = self.queue if self.pool is None else self.pool
        rows = batch._asdict()
        target.enqueue(batch.ids, {column: rows[column] for column in target.columns})
