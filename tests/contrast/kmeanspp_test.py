import numpy as np
import pytest
import scipy.stats
import sklearn.cluster
import tensorflow as tf

from actcl_tf.contrast import kmeanspp
from actcl_tf.contrast.gradient_embeddings import GradientFactors

_eager = kmeanspp.kmeanspp_seeds
_graph = tf.function(kmeanspp.kmeanspp_seeds)
_xla = tf.function(kmeanspp.kmeanspp_seeds, jit_compile=True)


def _factors(seed, n, size=3, d=4):
    rng = np.random.default_rng(seed)
    return GradientFactors(
        tf.constant(rng.normal(size=(n, size)), tf.float32),
        tf.constant(rng.normal(size=(n, d)), tf.float32),
    )


def _built(factors):
    return np.einsum("nd,nk->ndk", factors.h, factors.u).reshape(factors.u.shape[0], -1)


def _many(factors, eligible, num_picks, repeats, jit=False):
    """Picks for seeds (0, 1000 i), [repeats, num_picks]."""

    @tf.function(jit_compile=jit)
    def run():
        return tf.map_fn(
            lambda i: kmeanspp.kmeanspp_seeds(factors, eligible, num_picks, tf.stack([7, i])),
            tf.range(repeats) * 1000,
        )

    return run().numpy()


@pytest.mark.parametrize("jit", [False, True])
def test_first_two_picks_follow_the_d2_law(jit):
    factors = _factors(0, n=5)
    picks = _many(factors, tf.fill([5], True), 2, 6000, jit)
    points = _built(factors).astype(np.float64)
    squared = ((points[:, None] - points[None]) ** 2).sum(-1)
    expected = squared / squared.sum(1, keepdims=True) / 5  # Uniform first, then D^2.
    counts = np.zeros((5, 5))
    np.add.at(counts, (picks[:, 0], picks[:, 1]), 1)
    off = ~np.eye(5, dtype=bool)
    assert counts[~off].sum() == 0
    assert scipy.stats.chisquare(counts[off], expected[off] * len(picks)).pvalue > 1e-3


def test_third_pick_follows_the_distance_to_the_nearest_of_the_first_two():
    factors = _factors(1, n=5)
    picks = _many(factors, tf.fill([5], True), 3, 20000)
    points = _built(factors).astype(np.float64)
    squared = ((points[:, None] - points[None]) ** 2).sum(-1)
    tested = 0
    for first in range(5):
        for second in range(5):
            chosen = picks[(picks[:, 0] == first) & (picks[:, 1] == second)]
            nearest = np.minimum(squared[first], squared[second])
            nearest[[first, second]] = 0.0
            rest = nearest > 0
            expected = nearest[rest] / nearest.sum() * len(chosen)
            if first == second or expected.min() < 5:
                continue
            counts = np.bincount(chosen[:, 2], minlength=5)[rest]
            # Twenty tests at most: the threshold allows for all of them.
            assert scipy.stats.chisquare(counts, expected).pvalue > 5e-5
            tested += 1
    assert tested >= 5


def test_final_potential_is_distributed_as_scikit_learns():
    factors = _factors(2, n=40)
    points = _built(factors).astype(np.float64)
    picks = _many(factors, tf.fill([40], True), 6, 400)

    def potential(chosen):
        return ((points[:, None] - points[chosen][None]) ** 2).sum(-1).min(1).sum()

    ours = [potential(chosen) for chosen in picks]
    theirs = [
        potential(
            sklearn.cluster.kmeans_plusplus(points, 6, random_state=seed, n_local_trials=1)[1]
        )
        for seed in range(400)
    ]
    assert scipy.stats.ks_2samp(ours, theirs).pvalue > 1e-3


@pytest.mark.parametrize("seed", range(3))
def test_no_repeats_and_only_eligible(seed):
    rng = np.random.default_rng(seed)
    eligible = rng.random(50) < 0.6
    picks = _xla(_factors(seed, 50), tf.constant(eligible), 20, [seed, 0]).numpy()
    assert len(set(picks)) == 20
    assert eligible[picks].all()


def test_same_picks_eager_graph_and_xla():
    factors, eligible = _factors(3, 64), tf.fill([64], True)
    picks = [f(factors, eligible, 16, [5, 6]).numpy() for f in (_eager, _graph, _xla)]
    np.testing.assert_array_equal(picks[0], picks[1])
    np.testing.assert_array_equal(picks[0], picks[2])


def _uniform_among(counts, expected_zero):
    assert counts[expected_zero].sum() == 0
    return scipy.stats.chisquare(counts[~expected_zero]).pvalue > 1e-3


def test_all_zero_gradients_fall_back_to_uniform_among_the_eligible():
    factors = GradientFactors(tf.zeros([6, 3]), tf.ones([6, 2]))
    eligible = np.array([True, False, True, True, False, True])
    picks = _many(factors, tf.constant(eligible), 3, 3000)
    assert all(len(set(row)) == 3 for row in picks)
    for column in range(3):
        assert _uniform_among(np.bincount(picks[:, column], minlength=6), ~eligible)


def test_duplicates_are_picked_once_all_else_is_used_up():
    u = tf.constant([[1.0, 0.0]] * 4 + [[0.0, 1.0]])
    factors = GradientFactors(u, tf.ones([5, 1]))
    picks = _many(factors, tf.fill([5], True), 2, 200)
    # The two directions come first, whatever the first pick was.
    assert ((picks == 4).sum(1) == 1).all()


@pytest.mark.parametrize(
    ("eligible", "expected"),
    [
        ([False, False, False], [-1, -1]),
        ([False, True, False], [1, -1]),
    ],
)
def test_fewer_eligible_than_picks(eligible, expected):
    picks = _xla(_factors(0, 3), tf.constant(eligible), 2, [0, 0])
    np.testing.assert_array_equal(picks, expected)


@pytest.mark.parametrize("scale", [1e-12, 1e-4, 1e8])
def test_huge_and_tiny_gradients_pick_as_ordinary_ones(scale):
    factors = _factors(4, 30)
    scaled = GradientFactors(factors.u * scale, factors.h)
    eligible = tf.fill([30], True)
    plain = _eager(factors, eligible, 10, [1, 2]).numpy()
    np.testing.assert_array_equal(_eager(scaled, eligible, 10, [1, 2]).numpy(), plain)


def test_near_duplicates_give_no_repeats():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(1, 8))
    u = tf.constant(1e3 * (base + 1e-7 * rng.normal(size=(40, 8))), tf.float32)
    picks = _xla(GradientFactors(u, tf.ones([40, 4])), tf.fill([40], True), 40, [0, 3]).numpy()
    assert sorted(picks) == list(range(40))


@pytest.mark.parametrize(
    ("weights", "eligible", "possible"),
    [
        ([0.0, 0.0, 5.0], [True, True, True], {2}),
        ([9.0, 1.0, 0.0], [False, True, True], {1}),
        ([0.0, 0.0, 0.0], [True, False, True], {0, 2}),
        ([1e-30, 0.0, 0.0], [True, True, True], {0}),
    ],
)
def test_draw(weights, eligible, possible):
    drawn = {
        int(kmeanspp.draw(tf.constant(weights), tf.constant(eligible), [0, i])) for i in range(40)
    }
    assert drawn == possible
