"""Figures of what the dictionaries are like, put together for TensorBoard every so many steps."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from actcl_tf.contrast import (
    diagnostics,
    dictionary,
    gradient_embeddings,
    losses,
    weighted_draw,
)
from actcl_tf.train.model import encoding, scalar_names

_OF_A_DICTIONARY = (
    "redundancy_mean",
    "redundancy_p95",
    "effective_rank",
    "distinct_clips",
    "categories",
    "age_mean",
    "age_oldest",
    "ineffective_keys",
    "biased_keys",
)
_OF_PICKS = ("picked_gradient_length", "picked_similarity", "picked_near", "picked_evenness")


class Sampling(NamedTuple):
    """How a dictionary was refreshed at this step.

    Attributes:
      sampled: what was picked.
      last_layer: the layer that the candidates were seen through.
      queries: [M, D] float32, what they were seen by.
    """

    sampled: dictionary.Sampled
    last_layer: gradient_embeddings.LastLayer
    queries: tf.Tensor


def is_diagnostic(name: str) -> bool:
    """Whether a scalar of a step is one of these figures."""
    of_queries = name.startswith((scalar_names.ALIGNMENT, scalar_names.UNIFORMITY))
    return of_queries or name.rsplit("/")[-1] in (*_OF_A_DICTIONARY, *_OF_PICKS)


def _names(
    dictionaries: dict[str, dictionary.Dictionary],
    sampling: dict[str, Sampling],
    directions: Sequence[tuple[str, str]],
) -> list[str]:
    """The names of all figures that `diagnose` gives for these arguments."""
    named = scalar_names.dictionary
    found = [named(m, figure) for m in dictionaries for figure in _OF_A_DICTIONARY]
    found += [named(m, figure) for m in sampling for figure in _OF_PICKS]
    found += [_alignment(query, key) for query, key in directions]
    return found + [_uniformity(modality) for modality in sorted({q for q, _ in directions})]


def _alignment(query: str, key: str) -> str:
    return scalar_names.of(scalar_names.ALIGNMENT, f"{query}_to_{key}")


def _uniformity(modality: str) -> str:
    return scalar_names.of(scalar_names.UNIFORMITY, modality)


def diagnose(
    dictionaries: dict[str, dictionary.Dictionary],
    sampling: dict[str, Sampling],
    batch: encoding.Encoded,
    directions: Sequence[tuple[str, str]],
    *,
    every: int,
    temperature: float,
    sampler_temperature: float,
    gradient_space: str,
    step: tf.Tensor,
) -> dict[str, tf.Tensor]:
    """Works the figures out, within a graph.

    Args:
      dictionaries: modality -> dictionary; empty for in_batch.
      sampling: modality -> how it was refreshed; empty where there is no pool.
      batch: the global batch, not in the dictionaries yet.
      directions: (query modality, key modality) of each loss.
      every: steps between figures; 0 for none.
      temperature: of the loss, positive float, no unit.
      sampler_temperature: of the pseudo-posterior, positive float, no unit.
      gradient_space: of `gradient_embeddings.gradient_factors`.
      step: int64 scalar, steps done before the present one.

    Returns:
      Name -> float32 scalar; NaN at steps whose turn it is not, and where there is nothing to say,
      such as about categories without labels.
    """
    if not every:
        return {}

    def figures() -> dict[str, tf.Tensor]:
        of_step = {}
        for modality, target in dictionaries.items():
            query = next(query for query, key in directions if key == modality)
            found = _contents(target, step)
            found.update(_as_negatives(target, batch, query, modality, temperature))
            if modality in sampling:
                found.update(_of_picks(sampling[modality], sampler_temperature, gradient_space))
            for figure, value in found.items():
                of_step[scalar_names.dictionary(modality, figure)] = value
        for query, key in directions:
            of_step[_alignment(query, key)] = diagnostics.alignment(
                batch.queries[query], batch.keys[key].keys
            )
        for modality in sorted({query for query, _ in directions}):
            of_step[_uniformity(modality)] = diagnostics.uniformity(batch.queries[modality])
        return of_step

    names = _names(dictionaries, sampling, directions)
    nothing = {name: tf.constant(float("nan")) for name in names}
    return tf.cond((step + 1) % every == 0, figures, lambda: nothing)


def _contents(target: dictionary.Dictionary, step: tf.Tensor) -> dict[str, tf.Tensor]:
    """Figures of the keys themselves."""
    queue = target.queue
    ids, labels = queue.ids.read_value(), queue.columns["labels"].read_value()
    keys, filled = queue.columns["keys"].read_value(), ids >= 0
    count = tf.math.count_nonzero(filled, dtype=tf.float32)
    seed = weighted_draw.fold_in([0, 0], tf.cast(step, tf.int32))
    cosine = diagnostics.redundancy(keys, filled, seed)
    mean_age, oldest = diagnostics.age(queue.columns["born"].read_value(), filled, step)
    categories = diagnostics.num_distinct(tf.where(filled, labels, -1))
    return {
        "redundancy_mean": cosine.mean,
        "redundancy_p95": cosine.high,
        "effective_rank": diagnostics.effective_rank(keys, filled),
        "distinct_clips": diagnostics.num_distinct(ids) / count,
        "categories": tf.where(categories > 0.0, categories, float("nan")),
        "age_mean": mean_age,
        "age_oldest": oldest,
    }


def _as_negatives(
    target: dictionary.Dictionary,
    batch: encoding.Encoded,
    query: str,
    modality: str,
    temperature: float,
) -> dict[str, tf.Tensor]:
    """Figures of the keys as negatives of this batch's queries."""
    queue = target.queue
    queries, keys = batch.queries[query], queue.columns["keys"].read_value()
    mask = losses.negative_mask(batch.ids, queue.ids.read_value())
    positive = tf.reduce_sum(queries * batch.keys[modality].keys, axis=1)
    similarity = tf.matmul(queries, keys, transpose_b=True)
    labels = queue.columns["labels"].read_value()
    return {
        "ineffective_keys": diagnostics.ineffective_share(positive, similarity, mask, temperature),
        "biased_keys": diagnostics.biased_share(batch.labels, labels, mask),
    }


def _of_picks(sampling: Sampling, temperature: float, gradient_space: str) -> dict[str, tf.Tensor]:
    """Figures of the picks beside all candidates: their gradients, and the queries near them."""
    layer, queries = sampling.last_layer, sampling.queries
    picks, eligible, features = sampling.sampled
    factors = gradient_embeddings.gradient_factors(
        features, layer, queries, temperature, gradient_space
    )
    keys, _ = gradient_embeddings.seen_through(layer, features)
    cosines = tf.matmul(keys, queries, transpose_b=True)
    lengths = gradient_embeddings.squared_norms(factors)
    figures = [
        diagnostics.relative_length(lengths, eligible, picks.indices, picks.count),
        *diagnostics.beside_queries(cosines, eligible, picks.indices, picks.count),
    ]
    return dict(zip(_OF_PICKS, figures, strict=True))
