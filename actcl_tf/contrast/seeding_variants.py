"""Methods of seeding that follow another law than k-means++, for better picks or less work."""

import math

import tensorflow as tf

from actcl_tf.contrast import (
    factored_points,
    seeding_exact,
    seeding_start,
    weighted_draw,
)

_INFINITY = float("inf")


def greedy(begun: seeding_start.Start, num_picks: int) -> seeding_start.Seeding:
    """Draws 2 + log(M) points for each pick and keeps the one that lowers the potential most.

    Args:
      begun: the points and the first pick.
      num_picks: M, static.

    Source: the local trials of scikit-learn's `kmeans_plusplus`, after Arthur and Vassilvitskii.
    """
    points, weights = begun.points, begun.weights
    trials = 2 + int(math.log(num_picks))

    def pick(step: tf.Tensor, distances: tf.Tensor, free: tf.Tensor, picks: tf.Tensor) -> tuple:
        masses, _ = seeding_start.masses(distances, free)
        drawn = weighted_draw.draw(masses, trials, weighted_draw.fold_in(begun.seed, step))
        columns = factored_points.squared_distances(points, points.take(drawn))
        columns = tf.minimum(columns, distances[:, tf.newaxis])
        # What each would take off the potential; the potentials themselves hardly differ.
        gains = tf.linalg.matvec(distances[:, tf.newaxis] - columns, weights, transpose_a=True)
        best = tf.argmax(gains, output_type=tf.int32)
        newest = tf.gather(drawn, best)
        free = tf.where(tf.range(free.shape[0]) == newest, 0.0, free)
        picks = tf.tensor_scatter_nd_update(picks, [[step]], [newest])
        return step + 1, tf.gather(columns, best, axis=1), free, picks

    first = points.take(begun.first[tf.newaxis])
    steps, *_, picks = tf.while_loop(
        lambda step, *_: step < begun.target,
        pick,
        (
            tf.constant(1),
            factored_points.squared_distances(points, first)[:, 0],
            tf.where(tf.range(weights.shape[0]) == begun.first, 0.0, weights),
            seeding_start.first_of(begun, num_picks),
        ),
        maximum_iterations=num_picks,
    )
    drawn = 1 + (steps - 1) * trials
    return seeding_start.Seeding(picks, proposals=drawn, columns=drawn, passes=steps + 1)


def afkmc2(begun: seeding_start.Start, num_picks: int, chain_length: int) -> seeding_start.Seeding:
    """Makes each pick by a Markov chain, at a cost that does not depend on the number of points.

    Only the first pick's distances to all points are worked out. The longer the chains, the closer
    to the law of k-means++.

    Args:
      begun: the points and the first pick.
      num_picks: M, static.
      chain_length: steps of each chain, static.

    Raises:
      ValueError: the chain is shorter than 1.

    Source: Bachem, Lucic, Hassani and Krause, Fast and provably good seedings for k-means
    (NeurIPS 2016).
    """
    if chain_length < 1:
        raise ValueError(f"chain_length must be at least 1, got {chain_length}")
    points, weights = begun.points, begun.weights
    column = factored_points.squared_distances(points, points.take(begun.first[tf.newaxis]))[:, 0]
    shares = [
        tf.math.divide_no_nan(1.0, tf.reduce_sum(weights * value)) * value
        for value in (column, tf.ones_like(column))
    ]
    density = 0.5 * (shares[0] + shares[1])  # Of the chains' proposals, a unit of weight.

    def pick(step: tf.Tensor, free: tf.Tensor, picks: tf.Tensor) -> tuple:
        levels = weighted_draw.num_levels(weights)
        chances = weighted_draw.uniform(
            [chain_length + 1, levels + 1], weighted_draw.fold_in(begun.seed, step)
        )
        chain = weighted_draw.draw_by(weights * density, chances[1:, 1:])
        made = tf.range(num_picks) < step
        to_picks = factored_points.squared_distances(
            points.take(chain), points.take(tf.maximum(picks, 0))
        )
        nearest = tf.reduce_min(tf.where(made, to_picks, _INFINITY), axis=1)
        nearest = tf.where(tf.gather(free, chain) > 0.0, nearest, 0.0)
        ratios = nearest / tf.gather(density, chain)
        end = _end_of_chain(ratios, chances[1:, 0])
        # A chain that met nothing but picks leaves the choice to the weights.
        anything = weighted_draw.draw_by(free, chances[:1, 1:])[0]
        newest = tf.where(tf.gather(ratios, end) > 0.0, tf.gather(chain, end), anything)
        free = tf.where(tf.range(free.shape[0]) == newest, 0.0, free)
        return step + 1, free, tf.tensor_scatter_nd_update(picks, [[step]], [newest])

    steps, *_, picks = tf.while_loop(
        lambda step, *_: step < begun.target,
        pick,
        (
            tf.constant(1),
            tf.where(tf.range(weights.shape[0]) == begun.first, 0.0, weights),
            seeding_start.first_of(begun, num_picks),
        ),
        maximum_iterations=num_picks,
    )
    one, two = tf.constant(1), tf.constant(2)
    return seeding_start.Seeding(picks, 1 + (steps - 1) * chain_length, columns=one, passes=two)


def _end_of_chain(ratios: tf.Tensor, chance: tf.Tensor) -> tf.Tensor:
    """Where a Metropolis-Hastings chain of independent proposals ends.

    A proposal replaces the state if its ratio exceeds the state's times its chance. All are decided
    at once, given the last decision, until nothing changes, as in blocked seeding.

    Args:
      ratios: [L] float32, target over proposal density of each proposal; the first is the start.
      chance: [L] float32, uniform in (0, 1].

    Returns:
      int32 scalar, the proposal that the chain ends on.
    """
    order = tf.range(ratios.shape[0])
    earlier = order < order[:, tf.newaxis]

    def decide(taken: tf.Tensor) -> tf.Tensor:
        state = tf.reduce_max(tf.where(tf.logical_and(earlier, taken), order, 0), axis=1)
        better = ratios > chance * tf.gather(ratios, state)
        return tf.logical_or(better, order == 0)

    before = tf.zeros_like(ratios, tf.bool)
    taken, _ = tf.while_loop(
        lambda taken, before: tf.reduce_any(taken != before),
        lambda taken, before: (decide(taken), taken),
        (decide(before), before),
    )
    return tf.reduce_max(tf.where(taken, order, 0))


def two_level(
    points: factored_points.AnyPoints,
    weights: tf.Tensor,
    num_picks: int,
    seed: tf.Tensor,
    *,
    first_pick: str,
    num_shards: int,
) -> seeding_start.Seeding:
    """Seeds on each part of the points, then on the union of what was picked there.

    No step looks at more than one part, or at the M picks of each, so the parts can be kept on
    different replicas. The picks are spread out but do not follow the law of k-means++ exactly.

    Args:
      points: [N, D], or their factors u [N, D] and h [N, d].
      weights: [N] float32, 0 for those that cannot be picked.
      num_picks: M, static.
      seed: [2] int32.
      first_pick: rule for the first pick of each seeding.
      num_shards: S, how many parts of about N / S neighbouring points there are.

    Raises:
      ValueError: fewer points than parts.
    """
    num_points = weights.shape[0]
    if not 1 <= num_shards <= num_points:
        raise ValueError(f"num_shards must be from 1 to N = {num_points}, got {num_shards}")
    size = -(-num_points // num_shards)

    def seed_shard(shard: tf.Tensor) -> seeding_start.Seeding:
        begin, own_points, own_weights = _part(points, weights, shard, size)
        begun = seeding_start.start(
            own_points,
            own_weights > 0.0,
            num_picks,
            weighted_draw.fold_in(seed, shard),
            weights=own_weights,
            first_pick=first_pick,
        )
        picked = seeding_exact.blocked(begun, num_picks)
        indices = tf.where(picked.indices >= 0, picked.indices + begin, -1)
        return picked._replace(indices=indices)

    shards = tf.map_fn(
        seed_shard,
        tf.range(num_shards),
        fn_output_signature=seeding_start.Seeding(*[tf.int32] * 4),
    )
    union = tf.reshape(shards.indices, [num_shards * num_picks])
    rows = tf.maximum(union, 0)
    begun = seeding_start.start(
        tf.nest.map_structure(lambda table: tf.gather(table, rows), points),
        union >= 0,
        num_picks,
        weighted_draw.fold_in(seed, num_shards),
        weights=tf.gather(weights, rows),
        first_pick=first_pick,
    )
    picked = seeding_exact.blocked(begun, num_picks)
    indices = tf.where(picked.indices >= 0, tf.gather(union, tf.maximum(picked.indices, 0)), -1)
    return seeding_start.Seeding(
        indices,
        proposals=tf.reduce_sum(shards.proposals) + picked.proposals,
        columns=tf.reduce_max(shards.columns),
        passes=tf.reduce_max(shards.passes),
    )


def _part(
    points: factored_points.AnyPoints, weights: tf.Tensor, shard: tf.Tensor, size: int
) -> tuple[tf.Tensor, factored_points.AnyPoints, tf.Tensor]:
    """One part of the points: the index of its first, its points and their weights [size].

    The last part overlaps the one before rather than being shorter; none counts twice.
    """
    begin = tf.minimum(shard * size, weights.shape[0] - size)
    own_points = tf.nest.map_structure(
        lambda table: tf.slice(table, [begin, 0], [size, table.shape[1]]), points
    )
    own_weights = tf.slice(weights, [begin], [size])
    first_own = shard * size
    return begin, own_points, tf.where(begin + tf.range(size) >= first_own, own_weights, 0.0)
