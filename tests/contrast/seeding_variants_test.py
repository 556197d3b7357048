import numpy as np
import pytest
import scipy.stats
import sklearn.cluster
import tensorflow as tf

from actcl_tf.contrast import kmeanspp, seeding_variants
from actcl_tf.contrast.gradient_embeddings import GradientFactors


def _clustered(n=120, seed=0):
    rng = np.random.default_rng(seed)
    centers = 3 * rng.normal(size=(6, 3))[rng.integers(6, size=n)]
    u = tf.constant(centers + 0.3 * rng.normal(size=(n, 3)), tf.float32)
    h = tf.constant(1.0 + 0.2 * rng.normal(size=(n, 2)), tf.float32)
    return GradientFactors(u, h)


def _built(factors):
    return np.einsum("nd,nk->ndk", factors.h, factors.u).reshape(factors.u.shape[0], -1)


def _potentials(factors, num_picks, repeats, **options):
    points = _built(factors).astype(np.float64)

    @tf.function
    def run(i):
        seed = tf.stack([3, i])
        return kmeanspp.kmeans_plusplus(factors, num_picks, seed, **options).indices

    picks = [run(tf.constant(i)).numpy() for i in range(repeats)]
    assert all(len(set(chosen)) == num_picks and min(chosen) >= 0 for chosen in picks)
    return [_potential(points, chosen) for chosen in picks]


def _potential(points, chosen):
    return ((points[:, None] - points[chosen][None]) ** 2).sum(-1).min(1).sum()


def _scikit_learn(factors, num_picks, repeats, **options):
    points = _built(factors).astype(np.float64)
    return [
        _potential(
            points,
            sklearn.cluster.kmeans_plusplus(points, num_picks, random_state=i, **options)[1],
        )
        for i in range(repeats)
    ]


def test_greedy_is_distributed_as_scikit_learns_default():
    factors = _clustered()
    ours = _potentials(factors, 6, 400, method="greedy")
    theirs = _scikit_learn(factors, 6, 400)
    assert scipy.stats.ks_2samp(ours, theirs).pvalue > 1e-3
    plain = _scikit_learn(factors, 6, 400, n_local_trials=1)
    assert scipy.stats.ks_2samp(ours, plain).pvalue < 1e-6  # The test can tell the two apart.


def test_long_chains_come_to_the_law_of_kmeanspp_and_short_ones_do_not():
    factors = _clustered()
    exact = _scikit_learn(factors, 6, 400, n_local_trials=1)
    long = _potentials(factors, 6, 400, method="afkmc2", chain_length=200)
    assert scipy.stats.ks_2samp(long, exact).pvalue > 1e-3
    short = _potentials(factors, 6, 400, method="afkmc2", chain_length=1)
    assert scipy.stats.ks_2samp(short, exact).pvalue < 1e-3


def _chain_one_by_one(ratios, chance):
    state = 0
    for i in range(1, len(ratios)):
        if ratios[i] > chance[i] * ratios[state]:
            state = i
    return state


@pytest.mark.parametrize("seed", range(20))
def test_a_chain_decided_at_once_is_the_chain_step_by_step(seed):
    rng = np.random.default_rng(seed)
    ratios = rng.gamma(0.5, size=50).astype(np.float32)
    ratios[rng.integers(50, size=10)] = 0.0
    chance = rng.random(50).astype(np.float32)
    end = seeding_variants._end_of_chain(tf.constant(ratios), tf.constant(chance))
    assert int(end) == _chain_one_by_one(ratios, chance)


def test_a_chain_must_have_a_step():
    with pytest.raises(ValueError, match="chain_length must be at least 1, got 0"):
        _potentials(_clustered(), 2, 1, method="afkmc2", chain_length=0)


@pytest.fixture(scope="module")
def exact_and_spread_out():
    """Potentials of exact seeding, and of picks that hardly look at distances."""
    exact = np.mean(_scikit_learn(_clustered(), 12, 200, n_local_trials=1))
    return exact, _potentials(_clustered(), 12, 200, method="afkmc2", chain_length=1)


@pytest.mark.parametrize("num_shards", [1, 3, 7])
def test_two_levels_come_close_to_the_potential_of_exact_seeding(num_shards, exact_and_spread_out):
    exact, spread_out = exact_and_spread_out
    parts = _potentials(_clustered(), 12, 200, method="two_level", num_shards=num_shards)
    assert np.mean(parts) < 1.3 * exact
    assert np.mean(parts) < np.mean(spread_out)


def test_one_shard_follows_the_law_of_kmeanspp_twice_over():
    # With one part of exactly M points, everything is picked, and so it is from the union.
    factors = _clustered(n=5)
    picked = kmeanspp.kmeans_plusplus(factors, 5, [0, 1], method="two_level", num_shards=1)
    assert sorted(picked.indices.numpy()) == list(range(5))


@pytest.mark.parametrize("num_shards", [0, 121])
def test_shards_must_be_from_one_to_the_number_of_points(num_shards):
    with pytest.raises(ValueError, match=f"num_shards must be from 1 to N = 120, got {num_shards}"):
        _potentials(_clustered(), 2, 1, method="two_level", num_shards=num_shards)
