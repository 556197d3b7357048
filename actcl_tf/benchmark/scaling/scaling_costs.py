"""What a step of a dictionary costs, measured at some sizes, and a fit that foretells others.

Timed is what a training step does with each dictionary: `Dictionary.sample` and `remember` on full
pools of made-up features. Sizes take turns, so that a machine whose speed drifts treats them alike.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import sklearn.linear_model
import tensorflow as tf

from actcl_tf import config
from actcl_tf.benchmark import host
from actcl_tf.benchmark.scaling import scaling_counts, scaling_settings
from actcl_tf.benchmark.seeding import memory, seeding_ways
from actcl_tf.console import bars
from actcl_tf.contrast import dictionary, gradient_embeddings
from actcl_tf.train.model import dictionaries

_REPLICAS = 4  # That are simulated to see how sampling in two levels is foretold.
_SEED = 0


class Point(NamedTuple):
    """One size that was measured.

    Attributes:
      pool_size: N, keys of the pool that one replica keeps.
      picks: M.
      replicas: R that are simulated; 1: the pool is not sharded.
      seconds: median time that the sampling took.
      remember_seconds: median time that the pool took to take in M keys.
      scratch_bytes: peak memory of the sampling beyond the pool; None where it was not measured.
    """

    pool_size: int
    picks: int
    replicas: int
    seconds: float
    remember_seconds: float
    scratch_bytes: int | None


class Fit(NamedTuple):
    """A cost as a sum of what grows in different ways, no part of it negative.

    Attributes:
      fixed: whatever the sizes.
      of_key: for each of the N keys.
      of_key_and_pick: for each of the N M pairs.
      of_picks: for each of the M M pairs of picks.
    """

    fixed: float
    of_key: float
    of_key_and_pick: float
    of_picks: float

    def __call__(self, pool_size: int, picks: int) -> float:
        """The cost of N keys and M picks."""
        return float(np.dot(self, _terms(pool_size, picks)))


class Peak(NamedTuple):
    """Peak memory as that of the greater of two phases of the sampling.

    Attributes:
      of_key: bytes for each of the N keys, where the seeding takes the most.
      of_key_and_pick: bytes for each of the N M pairs, where the pseudo-posteriors do.
    """

    of_key: float
    of_key_and_pick: float

    def __call__(self, pool_size: int, picks: int) -> float:
        """The bytes at N keys and M picks."""
        return pool_size * max(self.of_key, self.of_key_and_pick * picks)


class Costs(NamedTuple):
    """What one dictionary costs at a step.

    Attributes:
      sample: seconds of the sampling in one level.
      remember: seconds of taking in the batch's keys.
      scratch: bytes that the sampling takes beyond the pool; None where they cannot be measured.
    """

    sample: Fit
    remember: Fit
    scratch: Peak | None

    def seconds(self, pool_size: int, picks: int, replicas: int, sharded: bool) -> float:
        """Seconds of one dictionary and step on each replica.

        Args:
          pool_size: N, keys of the whole pool.
          picks: M.
          replicas: R.
          sharded: whether each replica keeps a part, and samples in two levels.
        """
        own = -(-pool_size // replicas) if sharded else pool_size
        found = self.sample(own, picks) + self.remember(own, picks)
        return found + self.sample(replicas * picks, picks) if sharded else found

    def scratch_bytes(self, pool_size: int, picks: int, replicas: int, sharded: bool) -> float:
        """Bytes of one dictionary's sampling beyond the pool; 0 where not measured."""
        if self.scratch is None:
            return 0.0
        if not sharded:
            return self.scratch(pool_size, picks)
        own = -(-pool_size // replicas)
        return max(self.scratch(own, picks), self.scratch(replicas * picks, picks))


class Measured(NamedTuple):
    """What was measured, and what was made of it.

    Attributes:
      points: that the costs are fitted to.
      held_out: larger ones, and one in two levels, that are not.
      costs: the fit.
    """

    points: list[Point]
    held_out: list[Point]
    costs: Costs


def _terms(pool_size: int, picks: int) -> list[float]:
    return [1.0, float(pool_size), float(pool_size) * picks, float(picks) * picks]


def fit(sizes: Sequence[tuple[int, int]], values: Sequence[float]) -> Fit:
    """The fit whose relative errors have the least sum of squares.

    Args:
      sizes: (N, M) of each measurement.
      values: what was measured, above 0.
    """
    terms = np.array([_terms(*size) for size in sizes]) / np.array(values)[:, np.newaxis]
    scale = terms.max(axis=0)  # The columns differ by many orders of magnitude.
    found = sklearn.linear_model.LinearRegression(fit_intercept=False, positive=True)
    found.fit(terms / scale, np.ones(len(values)))
    return Fit(*(float(x) for x in found.coef_ / scale))


def held_out_sizes(settings: scaling_settings.Settings) -> list[tuple[int, int, int]]:
    """(N, M, R) beyond the measured ones: more keys, more picks, and two levels."""
    pools, picks = settings.scaling_measured_pools, settings.scaling_measured_picks
    middle = picks[len(picks) // 2]
    return [
        (4 * pools[-1], middle, 1),
        (pools[-1], 2 * picks[-1], 1),
        (pools[-1], middle, _REPLICAS),
    ]


def measure(
    settings: scaling_settings.Settings,
    contrast: config.ContrastConfig,
    modality: scaling_counts.Modality,
) -> Measured:
    """Measures the sampling of one dictionary and fits its costs; shows a progress bar.

    Args:
      settings: sizes and rounds.
      contrast: how negatives are chosen.
      modality: of whose keys the dictionary is.
    """
    pools, picks = settings.scaling_measured_pools, settings.scaling_measured_picks
    grid = [(n, m, 1) for n in pools for m in picks]
    held_out = held_out_sizes(settings)
    # Memory is no matter of chance: one size where each phase takes the most is enough.
    watched = [(pools[-1], picks[0], 1), (pools[-1], picks[-1], 1), *held_out]
    sizes = [*grid, *held_out]
    total = len(watched) + len(sizes) * (1 + settings.scaling_rounds)
    with bars.Bar(total=total, unit="turn", desc="peak memory") as bar:
        scratch = {}
        for size in watched:
            arguments = (settings.scaling_points, contrast, modality, size)
            scratch[size] = memory.fresh_peak(memory.fresh_context(), _peak, *arguments)
            bar.update()
        seconds = _time(settings, contrast, modality, sizes, bar)
    points = {size: Point(*size, *seconds[size], scratch.get(size)) for size in sizes}
    return Measured(
        [points[size] for size in grid],
        [points[size] for size in held_out],
        _fit_costs([points[size] for size in grid]),
    )


def _fit_costs(points: Sequence[Point]) -> Costs:
    sizes = [point[:2] for point in points]
    scratch = None
    peaks = [point for point in points if point.scratch_bytes is not None]
    if peaks:
        few, many = peaks
        scratch = Peak(
            few.scratch_bytes / few.pool_size,
            many.scratch_bytes / (many.pool_size * many.picks),
        )
    return Costs(
        fit(sizes, [point.seconds for point in points]),
        fit(sizes, [point.remember_seconds for point in points]),
        scratch,
    )


def _time(
    settings: scaling_settings.Settings,
    contrast: config.ContrastConfig,
    modality: scaling_counts.Modality,
    sizes: Sequence[tuple[int, int, int]],
    bar: bars.Bar,
) -> dict[tuple, tuple[float, float]]:
    """(N, M, R) -> median seconds of sampling and of remembering."""
    calls, seconds = {}, {size: [] for size in sizes}
    for size in sizes:
        bar.set_description(f"compiling, N = {size[0]:,}, M = {size[1]:,}")
        calls[size] = build_step(settings.scaling_points, contrast, modality, size)
        for call in calls[size]:
            call(0)
        bar.update()
    for index in range(1, 1 + settings.scaling_rounds):
        for size in sizes:
            bar.set_description(f"timing, N = {size[0]:,}, M = {size[1]:,}")
            seconds[size].append([_seconds(call, index) for call in calls[size]])
            bar.update()
    return {size: tuple(np.median(found, axis=0).tolist()) for size, found in seconds.items()}


def _seconds(call: Callable[[int], Any], index: int) -> float:
    started = time.perf_counter()
    call(index)
    return time.perf_counter() - started


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
