import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.contrast import kmeanspp, seeding_exact
from actcl_tf.contrast.gradient_embeddings import GradientFactors


def _one_by_one(threshold, nearest, among):
    accepted = np.zeros(len(threshold), bool)
    for i in range(len(threshold)):
        distance = min([nearest[i], *among[i, :i][accepted[:i]]])
        accepted[i] = distance > 0 and distance >= threshold[i]
    return accepted


@pytest.mark.parametrize("seed", range(20))
def test_deciding_all_at_once_is_deciding_one_by_one(seed):
    rng = np.random.default_rng(seed)
    b = 40
    where = rng.normal(size=(b, 2)) * rng.choice([0.05, 1.0])
    where[rng.integers(b, size=5)] = where[0]
    among = ((where[:, None] - where[None]) ** 2).sum(-1).astype(np.float32)
    nearest = rng.gamma(1.0, size=b).astype(np.float32)
    nearest[rng.integers(b, size=4)] = 0.0
    threshold = (nearest * rng.random(b)).astype(np.float32)
    ours = seeding_exact._accepted_in_turn(
        *(tf.constant(value) for value in (threshold, nearest, among))
    )
    expected = _one_by_one(threshold, nearest, among)
    np.testing.assert_array_equal(ours, expected)
    assert 0 < expected.sum() < b


def _cost(factors, num_picks):
    seeds = tf.function(kmeanspp.kmeans_plusplus, jit_compile=True)
    picked = seeds(factors, num_picks, [1, 1])
    assert len(set(picked.indices.numpy())) == num_picks
    return [int(value) for value in picked[1:]]


def test_points_far_from_each_other_need_no_pass():
    rng = np.random.default_rng(0)
    factors = GradientFactors(*(tf.constant(rng.normal(size=(2000, 16)), tf.float32),) * 2)
    proposals, columns, passes = _cost(factors, 64)
    assert (columns, passes) == (0, 1)
    assert proposals < 6 * 64


def test_clustered_points_need_few_passes():
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(10, 16))[rng.integers(10, size=2000)]
    u = tf.constant(centers + 0.01 * rng.normal(size=centers.shape), tf.float32)
    proposals, columns, passes = _cost(GradientFactors(u, tf.ones([2000, 1])), 64)
    assert 1 < passes < 8
    assert columns < 64
    assert proposals < 30 * 64


def test_one_giant_among_dwarfs_costs_no_more_than_a_few_passes():
    u = np.random.default_rng(0).normal(size=(500, 8))
    u[7] *= 1e4
    _, _, passes = _cost(GradientFactors(tf.constant(u, tf.float32), tf.ones([500, 1])), 32)
    assert passes < 8
