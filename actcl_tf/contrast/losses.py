"""InfoNCE over a dictionary of keys, its mask and its bound on the mutual information."""

from typing import NamedTuple

import tensorflow as tf


class InfoNCE(NamedTuple):
    """InfoNCE of each query and what it is made of.

    Attributes:
      loss: [B] float32, cross-entropy of the own key against the negatives, in nats.
      positive: [B] float32, cosine of each query with its own key.
      similarity: [B, K] float32, cosine with every key of the dictionary, masked or not.
      mask: [B, K] bool, True where a key counts as a negative of the query.
      rank: [B] int32, negatives at least as near to the query as its own key (0 is best).
      bound: [B] float32, log(negatives + 1) - loss: a lower bound on the mutual information in
        nats, which can never exceed log(negatives + 1).
    """

    loss: tf.Tensor
    positive: tf.Tensor
    similarity: tf.Tensor
    mask: tf.Tensor
    rank: tf.Tensor
    bound: tf.Tensor


def negative_mask(query_ids: tf.Tensor, key_ids: tf.Tensor) -> tf.Tensor:
    """Which keys are negatives of which queries.

    Args:
      query_ids: [B] int64, clip ids of the queries.
      key_ids: [K] int64, clip ids of the keys; -1 marks a slot that is not filled yet.

    Returns:
      [B, K] bool, False for keys of the query's own clip and for empty slots.

    Example:
      >>> query_ids, key_ids = tf.constant([3, 4], tf.int64), tf.constant([4, 5, -1], tf.int64)
      >>> actcl_tf.negative_mask(query_ids, key_ids).numpy()
      array([[ True,  True, False],
             [False,  True, False]])
    """
    own = query_ids[:, tf.newaxis] == key_ids[tf.newaxis, :]
    return tf.logical_and(key_ids >= 0, tf.logical_not(own))


def info_nce(
    queries: tf.Tensor,
    positives: tf.Tensor,
    negatives: tf.Tensor,
    mask: tf.Tensor,
    temperature: float,
) -> InfoNCE:
    """InfoNCE (van den Oord et al. 2018) of queries against their own keys and a dictionary.

    Args:
      queries: [B, D] float32, unit vectors.
      positives: [B, D] float32, unit vectors, row i the own key of query i.
      negatives: [K, D] float32, unit vectors shared by all queries.
      mask: [B, K] bool, False where a key is not a negative of the query.
      temperature: positive float, no unit.

    Returns:
      InfoNCE of each query; a query without any negative has loss 0 and bound 0.

    Example:
      >>> queries = positives = tf.eye(2)
      >>> negatives = tf.constant([[1.0, 0.0], [0.0, -1.0]])
      >>> result = actcl_tf.info_nce(queries, positives, negatives, tf.fill([2, 2], True), 0.5)
      >>> result.loss.numpy().round(3), result.rank.numpy()
      (array([0.759, 0.143], dtype=float32), array([1, 0], dtype=int32))
    """
    positive = tf.reduce_sum(queries * positives, axis=1)
    similarity = tf.matmul(queries, negatives, transpose_b=True)
    masked = tf.where(mask, similarity, similarity.dtype.min)
    logits = tf.concat([positive[:, tf.newaxis] / temperature, masked / temperature], axis=1)
    # The mask's lowest value may overflow to -inf in the division, which softmax takes as zero.
    loss = tf.reduce_logsumexp(logits, axis=1) - logits[:, 0]
    rank = tf.math.count_nonzero(masked >= positive[:, tf.newaxis], axis=1, dtype=tf.int32)
    count = tf.math.count_nonzero(mask, axis=1, dtype=tf.float32)
    return InfoNCE(
        loss=loss,
        positive=positive,
        similarity=similarity,
        mask=mask,
        rank=rank,
        bound=tf.math.log(count + 1.0) - loss,
    )
