"""How the next keys of a dictionary are chosen among the candidates of a pool.

A strategy maps (candidates, which of them are eligible, queries) to indices. A new one is one
class here and its name in `build_sampler`. None chooses a candidate whose numbers are not finite.
Where the numbers can be looked at (always so when eager), features of eligible candidates, layer
and queries that are not finite are a ValueError.
"""

from typing import Any, NamedTuple

import tensorflow as tf

from actcl_tf.contrast import (
    factored_points,
    gradient_embeddings,
    kmeanspp,
    seeding_numbers,
    weighted_draw,
)

SAMPLED = ("active", "random", "hardest")
WITHOUT_POOL = ("moco", "in_batch")


class Picks(NamedTuple):
    """Chosen candidates.

    Attributes:
      indices: [M] int32 into the pool, no repeats; beyond `count` they are meaningless but valid.
      count: int32 scalar, how many of the first indices are chosen: M, or all eligible ones.
    """

    indices: tf.Tensor
    count: tf.Tensor


class _Candidates(NamedTuple):
    """The keys to choose among, and what is known of them.

    Attributes:
      eligible: [N] bool.
      features: [N, d].
      last_layer: that makes keys of features.
      queries: [B, D], unit rows.
    """

    eligible: tf.Tensor
    features: tf.Tensor
    last_layer: gradient_embeddings.LastLayer
    queries: tf.Tensor


class _Sampler:
    """Base of the strategies."""

    def __call__(
        self,
        eligible: tf.Tensor,
        num_picks: int,
        seed: tf.Tensor,
        features: tf.Tensor,
        last_layer: gradient_embeddings.LastLayer,
        queries: tf.Tensor,
    ) -> tf.Tensor:
        """Returns [M] int32 indices, -1 beyond the eligible ones; arguments of `choose`."""
        seed = seeding_numbers.check_seed(seed)
        seeding_numbers.check_candidates(eligible, features, last_layer, queries)
        return self._pick(_Candidates(eligible, features, last_layer, queries), num_picks, seed)


class RandomSampler(_Sampler):
    """Uniform among the eligible candidates; no gradients are formed."""

    def _pick(self, candidates: _Candidates, num_picks: int, seed: tf.Tensor) -> tf.Tensor:
        order = weighted_draw.uniform(tf.shape(candidates.eligible), seed)
        finite = factored_points.finite(candidates.features)
        return _first(tf.where(tf.logical_and(candidates.eligible, finite), order, -1.0), num_picks)


class _GradientSampler(_Sampler):
    """Base of the strategies that look at the candidates' gradient embeddings."""

    def __init__(self, temperature: float, gradient_space: str = "last_layer"):
        self._temperature = temperature
        self._space = gradient_space

    def _factors(self, candidates: _Candidates) -> gradient_embeddings.GradientFactors:
        _, features, last_layer, queries = candidates
        return gradient_embeddings.gradient_factors(
            features, last_layer, queries, self._temperature, self._space
        )


class ActiveSampler(_GradientSampler):
    """k-means++ seeding on the gradient embeddings: uncertain and different from each other.

    Example:
      >>> sampler = actcl_tf.ActiveSampler(temperature=0.1)
      >>> queries = tf.math.l2_normalize(tf.random.stateless_normal([8, 4], seed=[0, 1]), axis=1)
      >>> features = tf.random.stateless_normal([100, 6], seed=[0, 2])  # Of 100 candidates.
      >>> layer = actcl_tf.LastLayer(kernel=tf.random.stateless_normal([6, 4], seed=[0, 3]))
      >>> picks = sampler(tf.range(100) >= 50, 8, tf.constant([0, 4]), features, layer, queries)
      >>> len(set(picks.numpy())), bool(tf.reduce_all(picks >= 50))
      (8, True)
    """

    def __init__(self, temperature: float, gradient_space: str = "last_layer", **seeding: Any):
        """Takes how gradients are formed and how they are seeded.

        Args:
          temperature: positive float, no unit.
          gradient_space: of `gradient_embeddings.gradient_factors`.
          **seeding: method, first_pick, chain_length and num_shards of `kmeanspp.kmeans_plusplus`.
        """
        super().__init__(temperature, gradient_space)
        self._seeding = seeding

    @tf.function(jit_compile=True, autograph=False)
    def _pick(self, candidates: _Candidates, num_picks: int, seed: tf.Tensor) -> tf.Tensor:
        factors, eligible = self._factors(candidates), candidates.eligible
        picked = kmeanspp.kmeans_plusplus(
            factors, num_picks, seed, eligible=eligible, **self._seeding
        )
        return picked.indices


class HardestSampler(_GradientSampler):
    """The candidates with the longest gradient embeddings; the seed is not used."""

    def _pick(self, candidates: _Candidates, num_picks: int, seed: tf.Tensor) -> tf.Tensor:
        del seed
        norms = gradient_embeddings.squared_norms(self._factors(candidates))
        known = tf.logical_and(candidates.eligible, tf.math.is_finite(norms))
        return _first(tf.where(known, norms, -1.0), num_picks)


def _first(scores: tf.Tensor, num_picks: int) -> tf.Tensor:
    """Indices [M] int32 of the largest scores; -1 where a score is negative (not eligible)."""
    available = min(num_picks, scores.shape[0])
    best, indices = tf.math.top_k(scores, available)
    indices = tf.where(best >= 0.0, indices, -1)
    return tf.pad(indices, [[0, num_picks - available]], constant_values=-1)


def choose(
    sampler: Any,
    eligible: tf.Tensor,
    num_picks: int,
    seed: tf.Tensor,
    features: tf.Tensor,
    last_layer: gradient_embeddings.LastLayer,
    queries: tf.Tensor,
) -> Picks:
    """Chooses candidates by any strategy of this module.

    Args:
      sampler: from `build_sampler`.
      eligible: [N] bool, candidates that may be picked.
      num_picks: M, static.
      seed: [2] int32, stateless seed.
      features: [N, d] float32, inputs of the last linear layer that made the candidates.
      last_layer: the layer that the candidates are seen through.
      queries: [M, D] float32, unit vectors that the dictionary will serve.

    Returns:
      Picks of M candidates, or of all eligible ones where there are fewer.
    """
    indices = sampler(
        eligible, num_picks, seed, features=features, last_layer=last_layer, queries=queries
    )
    count = tf.math.count_nonzero(indices >= 0, dtype=tf.int32)
    return Picks(tf.maximum(indices, 0), count)


def build_sampler(
    negatives: str, temperature: float, gradient_space: str, **seeding: Any
) -> Any | None:
    """The strategy of a name; None for those that have no pool.

    Args:
      negatives: of SAMPLED or WITHOUT_POOL.
      temperature: positive float, no unit.
      gradient_space: of `gradient_embeddings.gradient_factors`.
      **seeding: see `ActiveSampler`; the other strategies do not need it.

    Raises:
      ValueError: an unknown name.
    """
    if negatives == "random":
        return RandomSampler()
    if negatives == "active":
        return ActiveSampler(temperature, gradient_space, **seeding)
    if negatives == "hardest":
        return HardestSampler(temperature, gradient_space)
    if negatives in WITHOUT_POOL:
        return None
    names = ", ".join((*SAMPLED, *WITHOUT_POOL))
    raise ValueError(f"negatives must be one of {names}, got {negatives}")
