"""The two methods that follow the law of k-means++ seeding exactly: plain and blocked."""

from typing import NamedTuple

import tensorflow as tf

from actcl_tf.contrast import factored_points, seeding_start, weighted_draw

# Distances to so many picks are worked out in one pass over all points.
_COLUMNS = 32
# What a round costs beside its products of proposals and picks: measured on CPUs, and not critical.
_ROUND_OVERHEAD = 5.0
_INFINITY = float("inf")


def plain(begun: seeding_start.Start, num_picks: int) -> seeding_start.Seeding:
    """One pick after another, with a pass over all points for each.

    Args:
      begun: the points and the first pick.
      num_picks: M, static.

    Source: Arthur and Vassilvitskii, k-means++: the advantages of careful seeding (SODA 2007).
    """
    points = begun.points

    def pick(
        step: tf.Tensor, newest: tf.Tensor, distances: tf.Tensor, free: tf.Tensor, picks: tf.Tensor
    ) -> tuple:
        column = factored_points.squared_distances(points, points.take(newest[tf.newaxis]))
        distances = tf.minimum(distances, column[:, 0])
        free = tf.where(tf.range(free.shape[0]) == newest, 0.0, free)
        masses, _ = seeding_start.masses(distances, free)
        newest = weighted_draw.draw(masses, 1, weighted_draw.fold_in(begun.seed, step))[0]
        picks = tf.tensor_scatter_nd_update(picks, [[step]], [newest])
        return step + 1, newest, distances, free, picks

    everywhere = tf.fill(begun.weights.shape, _INFINITY)
    picks = seeding_start.first_of(begun, num_picks)
    steps, *_, picks = tf.while_loop(
        lambda step, *_: step < begun.target,
        pick,
        (tf.constant(1), begun.first, everywhere, begun.weights, picks),
        maximum_iterations=num_picks,
    )
    return seeding_start.Seeding(picks, proposals=steps, columns=steps - 1, passes=steps)


class _State(NamedTuple):
    """Blocked seeding between two rounds.

    Attributes:
      round: int32 scalar, rounds made so far, plus 1.
      since_covered: int32 scalar, rounds made since `bounds` were brought up to date.
      count: int32 scalar, picks made.
      covered: int32 scalar, how many of them `bounds` takes into account.
      bounds: [N] float32, at least the squared distance to the nearest pick.
      free: [N] float32, weights; 0 for points that are picked or cannot be.
      picks: [M + 1] int32, in order; what does not fit is written to the end.
      passes: int32 scalar, passes over all points.
    """

    round: tf.Tensor
    since_covered: tf.Tensor
    count: tf.Tensor
    covered: tf.Tensor
    bounds: tf.Tensor
    free: tf.Tensor
    picks: tf.Tensor
    passes: tf.Tensor


def blocked(begun: seeding_start.Start, num_picks: int) -> seeding_start.Seeding:
    """Picks by the same law as `plain`, with few passes over all points, often none.

    Distances to the picks only shrink. So a block of proposals is drawn in proportion to upper
    bounds of the squared distances, and each is accepted in turn with probability (squared distance
    now) / (bound): rejection sampling, exact whatever the bounds are. The distance of a proposal
    needs only the proposal and the picks. The first bounds are (|g_n| + |g_first|)^2, for which no
    point has to be looked at; when so few proposals are accepted that it pays, the distances of all
    points to the picks that the bounds do not cover yet are worked out in matrix products of many
    columns.

    Args:
      begun: the points and the first pick.
      num_picks: M, static.

    Source: the rejection step is that of Cohen-Addad, Lattanzi, Norouzi-Fard, Sohler and Svensson,
    Fast and accurate k-means++ via rejection sampling (NeurIPS 2020).
    """
    points = begun.points
    block = min(max(num_picks, 16), 256)
    price_of_round = _ROUND_OVERHEAD * block * (block + num_picks)
    # A round after the bounds were brought up to date accepts its first proposal, and they are as
    # soon as the rounds since cost as much: so many rounds are never reached.
    all_columns = num_picks * points.norms.shape[0]
    most_rounds = num_picks * (2 + int(all_columns / price_of_round))

    def run_round(*values: tf.Tensor) -> tuple:
        state = _State(*values)
        proposals, accepted = _propose(state, begun, block)
        state = _accept(state, begun.target, proposals, accepted)
        gained = tf.math.count_nonzero(accepted, dtype=tf.int32)
        # The rounds to come at this rate of acceptance, or those made already, against a column
        # for each uncovered pick; both in products of two points.
        left = begun.target - state.count
        rounds = tf.where(left > 0, tf.maximum(left // (gained + 1), state.since_covered), 0)
        columns = tf.cast(state.count - state.covered, tf.float32) * points.norms.shape[0]
        pays = tf.cast(rounds, tf.float32) * price_of_round > columns
        return _cover(state, points, tf.where(pays, state.count, state.covered))

    state = _State(
        *tf.while_loop(
            lambda *values: _State(*values).count < begun.target,
            run_round,
            _first_state(begun, num_picks),
            maximum_iterations=most_rounds,
        )
    )
    return seeding_start.Seeding(
        state.picks[:num_picks], 1 + (state.round - 1) * block, state.covered, state.passes
    )


def _first_state(begun: seeding_start.Start, num_picks: int) -> _State:
    """Before the first round: the first pick is made, and no point's distance is known."""
    lengths = tf.sqrt(begun.points.norms)
    return _State(
        round=tf.constant(1),
        since_covered=tf.constant(0),
        count=tf.minimum(begun.target, 1),
        covered=tf.constant(0),
        bounds=tf.square(lengths + tf.gather(lengths, begun.first)),
        free=tf.where(tf.range(begun.weights.shape[0]) == begun.first, 0.0, begun.weights),
        picks=seeding_start.first_of(begun, num_picks + 1),
        passes=tf.constant(1),
    )


def _propose(state: _State, begun: seeding_start.Start, block: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws a block of proposals and accepts some: ([b] int32 indices, [b] bool)."""
    masses, nothing_left = seeding_start.masses(state.bounds, state.free)
    chances = weighted_draw.uniform(
        [block, weighted_draw.num_levels(masses) + 1],
        weighted_draw.fold_in(begun.seed, state.round),
    )
    indices = weighted_draw.draw_by(masses, chances[:, 1:])
    proposals = begun.points.take(indices)
    # Where all that is left coincides with picks, all distances count as one.
    bounds = tf.where(nothing_left, 1.0, tf.gather(state.bounds, indices))

    picks = state.picks[:-1]
    order = tf.range(picks.shape[0])
    uncovered = tf.logical_and(order >= state.covered, order < state.count)
    to_picks = factored_points.squared_distances(proposals, begun.points.take(tf.maximum(picks, 0)))
    nearest = tf.reduce_min(tf.where(uncovered, to_picks, _INFINITY), axis=1)
    nearest = tf.where(nothing_left, bounds, tf.minimum(bounds, nearest))

    among = factored_points.squared_distances(proposals, proposals)
    among = tf.where(nothing_left, 1.0, among)
    among = tf.where(indices[:, tf.newaxis] == indices, 0.0, among)
    return indices, _accepted_in_turn(chances[:, 0] * bounds, nearest, among)


def _accepted_in_turn(threshold: tf.Tensor, nearest: tf.Tensor, among: tf.Tensor) -> tf.Tensor:
    """Which proposals are accepted, when each in turn has to do so against those before it.

    A proposal is accepted if its squared distance, to the picks and to the proposals accepted
    before it, reaches its threshold. Instead of going through them one by one, all are decided at
    once, given the last decision, until nothing changes: the first k are right after k rounds at
    the latest, and mostly all of them after two or three.

    Args:
      threshold: [b] float32.
      nearest: [b] float32, squared distance to the nearest pick.
      among: [b, b] float32, squared distances between the proposals.

    Returns:
      [b] bool.
    """
    order = tf.range(threshold.shape[0])
    earlier = order < order[:, tf.newaxis]

    def decide(accepted: tf.Tensor) -> tf.Tensor:
        rivals = tf.where(tf.logical_and(earlier, accepted), among, _INFINITY)
        distance = tf.minimum(nearest, tf.reduce_min(rivals, axis=1))
        return tf.logical_and(distance >= threshold, distance > 0.0)

    before = tf.zeros_like(threshold, tf.bool)
    return tf.while_loop(
        lambda accepted, before: tf.reduce_any(accepted != before),
        lambda accepted, before: (decide(accepted), accepted),
        (decide(before), before),
    )[0]


def _accept(state: _State, target: tf.Tensor, indices: tf.Tensor, accepted: tf.Tensor) -> _State:
    """Writes down what was accepted, up to the number that is wanted."""
    place = state.count + tf.cumsum(tf.cast(accepted, tf.int32)) - 1
    accepted = tf.logical_and(accepted, place < target)
    end = state.picks.shape[0] - 1
    place = tf.where(accepted, place, end)
    return state._replace(
        round=state.round + 1,
        since_covered=state.since_covered + 1,
        count=state.count + tf.math.count_nonzero(accepted, dtype=tf.int32),
        picks=tf.tensor_scatter_nd_update(state.picks, place[:, tf.newaxis], indices),
        free=tf.tensor_scatter_nd_min(
            state.free, indices[:, tf.newaxis], tf.where(accepted, 0.0, _INFINITY)
        ),
    )


def _cover(state: _State, points: factored_points.Points, until: tf.Tensor) -> _State:
    """Takes the picks up to `until` into account in the bounds, some columns at a time."""
    picks = state.picks[:-1]

    def add_columns(covered: tf.Tensor, bounds: tf.Tensor, passes: tf.Tensor) -> tuple:
        order = covered + tf.range(min(_COLUMNS, picks.shape[0]))
        chosen = tf.gather(picks, tf.minimum(order, until - 1))
        columns = factored_points.squared_distances(points, points.take(chosen))
        bounds = tf.minimum(bounds, tf.reduce_min(columns, axis=1))
        return tf.minimum(covered + _COLUMNS, until), bounds, passes + 1

    covered, bounds, passes = tf.while_loop(
        lambda covered, *_: covered < until,
        add_columns,
        (state.covered, state.bounds, state.passes),
    )
    since_covered = tf.where(covered > state.covered, 0, state.since_covered)
    return state._replace(
        since_covered=since_covered, covered=covered, bounds=bounds, passes=passes
    )
