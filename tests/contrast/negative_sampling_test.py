import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from actcl_tf import config
from actcl_tf.config import contrast as contrast_config
from actcl_tf.contrast import gradient_embeddings, negative_sampling


def _setting(n=12, seed=0):
    rng = np.random.default_rng(seed)
    queries = rng.normal(size=(4, 3))
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    layer = gradient_embeddings.LastLayer(
        tf.constant(rng.normal(size=(5, 3)), tf.float32), tf.ones(3), tf.zeros(3)
    )
    features = tf.constant(rng.normal(size=(n, 5)), tf.float32)
    return features, layer, tf.constant(queries, tf.float32)


def _choose(name, eligible, num_picks, seed=(0, 0)):
    sampler = negative_sampling.build_sampler(name, 0.3, "last_layer")
    features, layer, queries = _setting(len(eligible))
    return negative_sampling.choose(
        sampler, tf.constant(eligible), num_picks, tf.constant(seed), features, layer, queries
    )


@pytest.mark.parametrize("name", negative_sampling.SAMPLED)
@pytest.mark.parametrize(
    ("num_eligible", "num_picks", "count"), [(12, 4, 4), (3, 4, 3), (0, 4, 0), (12, 12, 12)]
)
def test_picks_are_eligible_and_different(name, num_eligible, num_picks, count):
    eligible = [i < num_eligible for i in range(12)]
    picks = _choose(name, eligible, num_picks)
    assert int(picks.count) == count
    chosen = picks.indices.numpy()[:count]
    assert len(set(chosen)) == count
    assert all(eligible[i] for i in chosen)
    assert ((picks.indices.numpy() >= 0) & (picks.indices.numpy() < 12)).all()


@pytest.mark.parametrize("name", negative_sampling.SAMPLED)
def test_a_pool_smaller_than_the_picks(name):
    picks = _choose(name, [True, False, True], 5)
    assert int(picks.count) == 2
    assert set(picks.indices.numpy()[:2]) == {0, 2}


def test_hardest_are_the_longest_gradients():
    features, layer, queries = _setting()
    u, h = gradient_embeddings.gradient_factors(features, layer, queries, 0.3)
    length = np.linalg.norm(np.einsum("nd,nk->ndk", h, u).reshape(12, -1), axis=1)
    eligible = [i != int(length.argmax()) for i in range(12)]
    expected = [i for i in np.argsort(-length) if eligible[i]][:4]
    np.testing.assert_array_equal(_choose("hardest", eligible, 4).indices, expected)


def test_random_is_uniform():
    counts = np.zeros(6)
    eligible = [True, True, False, True, True, True]
    for i in range(600):
        counts[_choose("random", eligible, 2, (1, i)).indices.numpy()] += 1
    assert counts[2] == 0
    assert scipy.stats.chisquare(counts[np.array(eligible)]).pvalue > 1e-3


@pytest.mark.parametrize("name", ["active", "random"])
def test_same_seed_same_picks(name):
    eligible = [True] * 12
    first, again, other = (_choose(name, eligible, 4, (3, s)).indices for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert list(first.numpy()) != list(other.numpy())


@pytest.mark.parametrize("name", negative_sampling.WITHOUT_POOL)
def test_no_sampler_without_a_pool(name):
    assert negative_sampling.build_sampler(name, 0.3, "last_layer") is None


@pytest.mark.parametrize("name", negative_sampling.SAMPLED)
def test_candidates_that_are_not_finite_are_refused_when_seen_and_else_passed_over(name):
    features, layer, queries = _setting()
    broken = tf.tensor_scatter_nd_update(features, [[2, 1], [5, 0]], [np.nan, np.inf])
    sampler = negative_sampling.build_sampler(name, 0.3, "last_layer")
    seed, everyone = tf.constant([0, 1]), tf.fill([12], True)
    with pytest.raises(ValueError, match=r"features of candidates must be finite, got .* in 2 of"):
        sampler(everyone, 12, seed, broken, layer, queries)
    rest = tf.constant([i not in (2, 5) for i in range(12)])
    chosen = sampler(rest, 12, seed, broken, layer, queries).numpy()
    in_graph = tf.function(sampler.__call__)(everyone, 12, seed, broken, layer, queries).numpy()
    for picks in (chosen, in_graph):
        assert sorted(picks) == [-1, -1, 0, 1, 3, 4, 6, 7, 8, 9, 10, 11]
    with pytest.raises(ValueError, match="queries must be finite"):
        sampler(rest, 2, seed, features, layer, queries * np.nan)
    with pytest.raises(ValueError, match="kernel of the last layer must be finite"):
        sampler(rest, 2, seed, features, layer._replace(kernel=layer.kernel / 0.0), queries)


@pytest.mark.parametrize("name", ["active", "random"])
def test_a_seed_is_two_numbers(name):
    with pytest.raises(ValueError, match="seed must be two whole numbers"):
        _choose(name, [True] * 12, 2, seed=3)


def test_unknown_name():
    names = "active, random, hardest, moco, in_batch"
    with pytest.raises(ValueError, match=f"^negatives must be one of {names}, got nearest$"):
        negative_sampling.build_sampler("nearest", 0.3, "last_layer")


def test_the_flag_has_the_names_of_the_strategies():
    assert contrast_config.SAMPLED_NEGATIVES == negative_sampling.SAMPLED
    assert (*negative_sampling.SAMPLED, *negative_sampling.WITHOUT_POOL) == config.NEGATIVES
