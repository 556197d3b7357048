"""The ways of k-means++ seeding that are measured side by side, and the points they seed on."""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import sklearn.cluster
import tensorflow as tf

from actcl_tf.benchmark.seeding import seeding_settings
from actcl_tf.contrast import gradient_embeddings, kmeanspp

_CLUSTERS = 100
_SPREAD = 0.1
_FLOAT32 = 4


class Picked(NamedTuple):
    """What one call of a way picked, and what it had to read for it.

    Attributes:
      indices: [M] integers.
      passes: how often all points were read.
      columns: to how many points the distances of all were worked out.
      proposals: how many points were drawn.
      bytes_moved: between memory and processor, by the way's known access pattern.
    """

    indices: np.ndarray
    passes: int
    columns: int
    proposals: int
    bytes_moved: int


def make_factors(
    kind: str, num_points: int, size: int, num_features: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Factors of made-up points outer(h, u).

    Args:
      kind: "gaussian", every number drawn from the standard normal distribution, so that all points
        are about equally far from each other; or "clustered", 100 such centres, and points that
        differ from their centre by a tenth of that, so that nearly all are close to another one.
      num_points: N.
      size: D.
      num_features: d.
      seed: of the drawing.

    Returns:
      (u [N, D] float32, h [N, d] float32).
    """
    rng = np.random.default_rng(seed)
    own = [rng.standard_normal((num_points, n), np.float32) for n in (size, num_features)]
    if kind == "gaussian":
        return own[0], own[1]
    centres = [rng.standard_normal((_CLUSTERS, n), np.float32) for n in (size, num_features)]
    member = rng.integers(_CLUSTERS, size=num_points)
    u, h = (
        centre[member] + np.float32(_SPREAD) * rest
        for centre, rest in zip(centres, own, strict=True)
    )
    return u, h


def plain_loop(u: np.ndarray, h: np.ndarray, num_picks: int, seed: int) -> np.ndarray:
    """The textbook's loop on factored points: all distances to the newest pick, for every pick.

    Args:
      u: [N, D] float32.
      h: [N, d] float32; point n is outer(h[n], u[n]).
      num_picks: M, at most N.
      seed: of the drawing.

    Returns:
      [M] int64, no repeats.

    Source: Arthur and Vassilvitskii, k-means++: the advantages of careful seeding (SODA 2007).
    """
    rng = np.random.default_rng(seed)
    norms = np.einsum("nd,nd->n", u, u) * np.einsum("nd,nd->n", h, h)
    nearest = np.full(len(u), np.inf, np.float32)
    free = np.ones(len(u), np.float32)
    picks = np.full(num_picks, rng.integers(len(u)))
    for step in range(1, num_picks):
        newest = picks[step - 1]
        free[newest] = 0.0
        column = norms + norms[newest] - 2.0 * (u @ u[newest]) * (h @ h[newest])
        np.minimum(nearest, np.maximum(column, 0.0), out=nearest)
        cumulative = np.cumsum(nearest * free, dtype=np.float64)
        if cumulative[-1] <= 0.0:  # Whatever is left coincides with picks.
            cumulative = np.cumsum(free, dtype=np.float64)
        picks[step] = np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right")
    return picks


def factored_bytes(
    num_points: int, row_numbers: int, *, passes: int, columns: int, proposals: int
) -> int:
    """Bytes that seeding on float32 factors moves.

    A pass reads both factors once. A column is two products of N numbers, each written and read. Of
    a proposal, its row of both factors is read. Vectors of N numbers that a draw reads are not
    counted: they are small beside a row.

    Args:
      num_points: N.
      row_numbers: D + d.
      passes: as in `seeding_start.Seeding`.
      columns: likewise.
      proposals: likewise.
    """
    numbers = passes * num_points * row_numbers + 4 * columns * num_points + proposals * row_numbers
    return _FLOAT32 * numbers


def explicit_bytes(num_points: int, point_numbers: int, num_picks: int, itemsize: int) -> int:
    """Bytes that scikit-learn's `kmeans_plusplus` moves on explicit points, worked out.

    All points are read once to look for NaN, once for their norms and once a pick, whatever the
    number of local trials. Of float32 points each pick makes a copy in float64, chunk by chunk,
    which is written, read for its norms, and read for the distances.

    Args:
      num_points: N.
      point_numbers: D d.
      num_picks: M.
      itemsize: 4 or 8, bytes a number.
    """
    once = itemsize + (3 * 8 if itemsize == _FLOAT32 else 0)
    return num_points * point_numbers * (2 * itemsize + num_picks * once)


def explicit_gradients(u: np.ndarray, h: np.ndarray, dtype: type) -> np.ndarray:
    """The points themselves, [N, d D]: what factored seeding never builds."""
    points = np.empty((len(u), h.shape[1], u.shape[1]), dtype)
    np.multiply(h[:, :, np.newaxis], u[:, np.newaxis, :], out=points)
    return points.reshape(len(u), -1)


def local_trials(num_picks: int) -> int:
    """Draws for each pick that scikit-learn makes of itself."""
    return 2 + int(math.log(num_picks))


def build(
    way: str, u: np.ndarray, h: np.ndarray, num_picks: int, *, trials: int = 0
) -> Callable[[int], Picked]:
    """A function of a seed that picks, and waits until it has.

    Args:
      way: one of `WAYS`.
      u: [N, D] float32.
      h: [N, d] float32.
      num_picks: M, at most N.
      trials: of `SKLEARN`, draws for each pick; 0: as many as it makes of itself.
    """
    row_numbers = u.shape[1] + h.shape[1]
    if way in seeding_settings.EXPLICIT:
        dtype = np.float32 if way == seeding_settings.SKLEARN else np.float64
        points = explicit_gradients(u, h, dtype)
        trials = 1 if way == seeding_settings.SKLEARN_FASTEST else trials or local_trials(num_picks)
        moved = explicit_bytes(*points.shape, num_picks, points.itemsize)

        def by_sklearn(seed: int) -> Picked:
            _, indices = sklearn.cluster.kmeans_plusplus(
                points, num_picks, random_state=seed, n_local_trials=trials
            )
            columns = 1 + (num_picks - 1) * trials
            return Picked(indices, 2 + num_picks, columns, columns, moved)

        return by_sklearn
    if way == seeding_settings.NUMPY:
        cost = {"passes": num_picks, "columns": num_picks - 1, "proposals": num_picks}
        cost["bytes_moved"] = factored_bytes(len(u), row_numbers, **cost)
        return lambda seed: Picked(plain_loop(u, h, num_picks, seed), **cost)
    method, how = way.rsplit("_", 1)
    with tf.device("CPU"):
        factors = gradient_embeddings.GradientFactors(tf.constant(u), tf.constant(h))

    def by_tensorflow(seed: int) -> Picked:
        with tf.device("CPU"):
            seeding = _compiled(method, how == "xla")(factors, num_picks, tf.constant([seed, 0]))
        indices, proposals, columns, passes = (value.numpy() for value in seeding)
        cost = {"passes": int(passes), "columns": int(columns), "proposals": int(proposals)}
        return Picked(indices, **cost, bytes_moved=factored_bytes(len(u), row_numbers, **cost))

    return by_tensorflow


@functools.cache
def _compiled(method: str, jit: bool) -> Callable:
    """A method of ours as a graph, made anew for each shape; the points are its arguments."""

    def seed_points(
        factors: gradient_embeddings.GradientFactors, num_picks: int, seed: tf.Tensor
    ) -> tuple:
        return kmeanspp.kmeans_plusplus(factors, num_picks, seed, method=method)

    return tf.function(seed_points, jit_compile=jit)
