"""What a dictionary is like: redundancy, effective rank, useless keys, age, and what was picked.

Every function works inside a graph on static shapes, and gives NaN where there is nothing to say.
"""

from typing import NamedTuple

import tensorflow as tf

from actcl_tf.contrast import weighted_draw


class Spread(NamedTuple):
    """Where many numbers lie.

    Attributes:
      mean: float32 scalar.
      high: float32 scalar, the 95th percentile.
    """

    mean: tf.Tensor
    high: tf.Tensor


def redundancy(
    keys: tf.Tensor, filled: tf.Tensor, seed: tf.Tensor, sample_size: int = 256
) -> Spread:
    """Cosines between pairs of different keys, of a random sample of fixed size.

    Args:
      keys: [K, D] float32, unit vectors.
      filled: [K] bool, slots that hold a key.
      seed: [2] int32, of the sample.
      sample_size: keys in the sample; all, if there are fewer.

    Returns:
      Spread over all pairs; NaN for fewer than 2 keys.
    """
    size = min(sample_size, keys.shape[0])
    order = weighted_draw.uniform(tf.shape(filled), seed)
    chosen = tf.math.top_k(tf.where(filled, order, -1.0), size).indices
    sample, held = tf.gather(keys, chosen), tf.gather(filled, chosen)
    cosines = tf.matmul(sample, sample, transpose_b=True)
    rank = tf.range(size)
    pairs = rank[:, tf.newaxis] < rank
    pairs = tf.logical_and(pairs, tf.logical_and(held[:, tf.newaxis], held))
    count = tf.math.count_nonzero(pairs, dtype=tf.int32)
    ordered = tf.sort(tf.reshape(tf.where(pairs, cosines, float("inf")), [-1]))
    # The nearest rank: the smallest cosine that at least 95 % of the pairs do not exceed.
    place = tf.cast(tf.math.ceil(0.95 * tf.cast(count, tf.float32)), tf.int32) - 1
    high = tf.gather(ordered, tf.maximum(place, 0))
    return Spread(_mean(cosines, pairs), tf.where(count > 0, high, _nan()))


def effective_rank(keys: tf.Tensor, filled: tf.Tensor) -> tf.Tensor:
    """Exponential of the entropy of the normalised singular values: 1 to min(K, D).

    Args:
      keys: [K, D] float32, unit vectors.
      filled: [K] bool, slots that hold a key.

    Returns:
      float32 scalar; NaN without any key.

    Source: Roy and Vetterli, The effective rank (EUSIPCO 2007).
    """
    held = tf.where(filled[:, tf.newaxis], keys, 0.0)
    squares = tf.linalg.eigvalsh(tf.matmul(held, held, transpose_a=True))
    values = tf.sqrt(tf.maximum(squares, 0.0))
    total = tf.reduce_sum(values)
    share = tf.math.divide_no_nan(values, total)
    entropy = -tf.reduce_sum(tf.math.xlogy(share, share))
    return tf.where(total > 0.0, tf.exp(entropy), _nan())


def num_distinct(values: tf.Tensor) -> tf.Tensor:
    """How many different values there are, without those below 0.

    Args:
      values: [K] int64, ids of clips or indices of classes; negative for none.

    Returns:
      float32 scalar.
    """
    ordered = tf.sort(values)
    new = tf.concat([[True], ordered[1:] != ordered[:-1]], axis=0)
    return tf.math.count_nonzero(tf.logical_and(new, ordered >= 0), dtype=tf.float32)


def age(born: tf.Tensor, filled: tf.Tensor, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """How old the keys are, in steps.

    Args:
      born: [K] int64, step that made each key.
      filled: [K] bool, slots that hold a key.
      step: int64 scalar, the present step.

    Returns:
      (mean, oldest), float32 scalars; NaN without any key.
    """
    ages = tf.cast(step - born, tf.float32)
    oldest = tf.reduce_max(tf.where(filled, ages, -1.0))
    return _mean(ages, filled), tf.where(oldest < 0.0, _nan(), oldest)


def ineffective_share(
    positive: tf.Tensor, similarity: tf.Tensor, mask: tf.Tensor, temperature: float
) -> tf.Tensor:
    """Share of negatives that hardly count: softmax weight under 1 / (10 K).

    Args:
      positive: [M] float32, cosine of each query with its own key.
      similarity: [M, K] float32, cosines with the dictionary's keys.
      mask: [M, K] bool, True where a key is a negative of the query.
      temperature: positive float, no unit.

    Returns:
      float32 scalar in [0, 1]; NaN without any negative.
    """
    lowest = similarity.dtype.min
    logits = tf.concat([positive[:, tf.newaxis], tf.where(mask, similarity, lowest)], 1)
    weights = tf.nn.softmax(logits / temperature, axis=1)[:, 1:]
    negatives = tf.math.count_nonzero(mask, axis=1, keepdims=True, dtype=tf.float32)
    return _mean(tf.cast(weights * 10.0 * negatives < 1.0, tf.float32), mask)


def biased_share(query_labels: tf.Tensor, key_labels: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Share of negatives that are of the query's own category.

    Args:
      query_labels: [M] int64, index of the class; negative for none.
      key_labels: [K] int64, likewise.
      mask: [M, K] bool, True where a key is a negative of the query.

    Returns:
      float32 scalar in [0, 1], over the negatives where both labels are known; NaN without any.
    """
    queries, keys = query_labels[:, tf.newaxis], key_labels[tf.newaxis]
    known = tf.logical_and(mask, tf.logical_and(queries >= 0, keys >= 0))
    return _mean(tf.cast(queries == keys, tf.float32), known)


def alignment(queries: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
    """Mean squared distance of queries from their own keys: 0 to 4, lower is closer.

    Args:
      queries: [M, D] float32, unit vectors.
      keys: [M, D] float32, unit vectors; row i belongs to query i.

    Source: Wang and Isola, Understanding contrastive representation learning through alignment and
    uniformity on the hypersphere (ICML 2020), with alpha = 2.
    """
    return tf.reduce_mean(tf.reduce_sum(tf.math.squared_difference(queries, keys), axis=1))


def uniformity(vectors: tf.Tensor) -> tf.Tensor:
    """Log of the mean Gaussian potential of all pairs: -4 or so if well spread, 0 if all alike.

    Args:
      vectors: [M, D] float32, unit vectors.

    Returns:
      float32 scalar; NaN for fewer than 2 vectors.

    Source: Wang and Isola (ICML 2020), with t = 2.
    """
    cosines = tf.matmul(vectors, vectors, transpose_b=True)
    rank = tf.range(tf.shape(vectors)[0])
    pairs = rank[:, tf.newaxis] < rank
    return tf.math.log(_mean(tf.exp(-4.0 * (1.0 - cosines)), pairs))


def relative_length(
    squared_norms: tf.Tensor, eligible: tf.Tensor, indices: tf.Tensor, count: tf.Tensor
) -> tf.Tensor:
    """Mean length of the picks' gradients over that of all candidates': 1 for random picks.

    Args:
      squared_norms: [N] float32, of `gradient_embeddings.squared_norms`.
      eligible: [N] bool, candidates that could be picked.
      indices: [M] int32, picks.
      count: int32 scalar, how many of the picks are real.

    Returns:
      float32 scalar; NaN where nothing was picked or all gradients are zero.
    """
    lengths = tf.sqrt(squared_norms)
    picked = _mean(tf.gather(lengths, indices), tf.range(indices.shape[0]) < count)
    usual = _mean(lengths, eligible)
    return tf.where(usual > 0.0, picked / usual, _nan())


class BesideQueries(NamedTuple):
    """Where the picks lie among the queries.

    Attributes:
      similarity: mean cosine of a pick to its nearest query, less that of all candidates: 0 for
        random picks, below 0 for those far from all queries.
      near: share of the picks that are among the nearest candidates of any query.
      evenness: how evenly the picks spread over the queries they are nearest to: the exponential of
        the entropy over the number of picks or queries, whichever is smaller; 1 at most.
    """

    similarity: tf.Tensor
    near: tf.Tensor
    evenness: tf.Tensor


def beside_queries(
    cosines: tf.Tensor, eligible: tf.Tensor, indices: tf.Tensor, count: tf.Tensor, nearest: int = 10
) -> BesideQueries:
    """Tells picks that queries confuse with their own keys from picks that no query is near.

    Args:
      cosines: [N, M] float32, of candidates and queries; M need not be known beforehand.
      eligible: [N] bool, candidates that could be picked.
      indices: [P] int32, picks.
      count: int32 scalar, how many of the picks are real.
      nearest: candidates of each query that count as near.

    Returns:
      BesideQueries of float32 scalars; NaN where nothing was picked.
    """
    num_candidates, num_queries = cosines.shape[0], tf.shape(cosines)[1]
    real = tf.range(indices.shape[0]) < count
    best = tf.reduce_max(cosines, axis=1)
    similarity = _mean(tf.gather(best, indices), real) - _mean(best, eligible)
    among = tf.where(eligible[:, tf.newaxis], cosines, -2.0)
    closest = tf.math.top_k(tf.transpose(among), min(nearest, num_candidates)).indices
    is_near = tf.reduce_any(tf.one_hot(tf.reshape(closest, [-1]), num_candidates) > 0.0, axis=0)
    near = _mean(tf.cast(tf.gather(tf.logical_and(is_near, eligible), indices), tf.float32), real)
    chosen = tf.one_hot(tf.argmax(tf.gather(cosines, indices), axis=1), num_queries)
    share = tf.reduce_sum(tf.where(real[:, tf.newaxis], chosen, 0.0), axis=0)
    share = tf.math.divide_no_nan(share, tf.reduce_sum(share))
    entropy = -tf.reduce_sum(tf.math.xlogy(share, share))
    most = tf.cast(tf.minimum(count, num_queries), tf.float32)
    evenness = tf.where(count > 0, tf.math.divide_no_nan(tf.exp(entropy), most), _nan())
    return BesideQueries(similarity, near, evenness)


def _mean(values: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
    """Mean of the values that count; NaN where none does."""
    number = tf.math.count_nonzero(counted, dtype=tf.float32)
    total = tf.reduce_sum(tf.where(counted, values, 0.0))
    return tf.where(number > 0.0, tf.math.divide_no_nan(total, number), _nan())


def _nan() -> tf.Tensor:
    return tf.constant(float("nan"))
