import functools

import numpy as np
import pytest
import scipy.stats
import sklearn.cluster
import tensorflow as tf

from actcl_tf.contrast import kmeanspp
from actcl_tf.contrast.gradient_embeddings import GradientFactors

_EXACT = ("blocked", "plain")
_MODES = {
    "eager": kmeanspp.kmeans_plusplus,
    "graph": tf.function(kmeanspp.kmeans_plusplus),
    "xla": tf.function(kmeanspp.kmeans_plusplus, jit_compile=True),
}
# What tests that need no shapes of their own ask for, so that each method compiles once a mode:
# 60 points of which the first are the test's, and the rest may not be picked.
_NUM_POINTS, _NUM_PICKS = 60, 12


def _arguments(points, seed, eligible=None, weights=None):
    """Arguments of the shapes in common, of at most `_NUM_POINTS` points of at most 8 numbers."""
    num = tf.nest.flatten(points)[0].shape[0]
    weights = np.ones(num) if weights is None else weights
    eligible = np.ones(num, bool) if eligible is None else np.asarray(eligible)
    added = [0, _NUM_POINTS - num]

    def padded(part):
        part = part.numpy()
        return tf.constant(np.pad(part, [added, [0, 8 - part.shape[1]]]), part.dtype)

    fixed = {
        "eligible": tf.constant(np.pad(eligible, [added])),
        "weights": tf.constant(np.pad(weights, [added], constant_values=1), tf.float32),
        "chain_length": 50,
        "num_shards": 3,
    }
    return (tf.nest.map_structure(padded, points), _NUM_PICKS, tf.constant(seed)), fixed


def _pick(mode, method, points, seed, **choices):
    """Indices of the picks, [_NUM_PICKS], by a program that all tests share."""
    arguments, fixed = _arguments(points, seed, **choices)
    return _MODES[mode](*arguments, method=method, **fixed).indices.numpy()


def _factors(seed, n, size=3, d=4):
    rng = np.random.default_rng(seed)
    return GradientFactors(
        tf.constant(rng.normal(size=(n, size)), tf.float32),
        tf.constant(rng.normal(size=(n, d)), tf.float32),
    )


def _squared(factors):
    points = np.einsum("nd,nk->ndk", factors.h, factors.u).reshape(factors.u.shape[0], -1)
    points = points.astype(np.float64)
    return ((points[:, None] - points[None]) ** 2).sum(-1)


@functools.cache
def _program(num_picks, repeats, jit, options):
    """Picks for many seeds; what differs between tests is an argument, so that it compiles once."""

    @tf.function(jit_compile=jit)
    def run(factors, start, eligible, weights):
        return tf.map_fn(
            lambda i: (
                kmeanspp.kmeans_plusplus(
                    factors,
                    num_picks,
                    tf.stack([7, i]),
                    eligible=eligible,
                    weights=weights,
                    **dict(options),
                ).indices
            ),
            start + tf.range(repeats),
        )

    return run


def _many(factors, num_picks, repeats, jit=None, eligible=None, weights=None, start=0, **options):
    """Picks for seeds (7, start + i), [repeats, num_picks]; the same in either mode."""
    jit = repeats >= 2000 if jit is None else jit  # What compiling takes, many seeds make up for.
    if jit:  # One program for points with and without choices.
        num = tf.nest.flatten(factors)[0].shape[0]
        eligible = [True] * num if eligible is None else eligible
        weights = tf.ones([num]) if weights is None else weights
    if eligible is not None:
        eligible = tf.constant(eligible)
    run = _program(num_picks, repeats, jit, tuple(sorted(options.items())))
    return run(factors, tf.constant(start), eligible, weights).numpy()


def _law(squared, num_picks, weights=None, first=None):
    """Probability of every sequence of picks, by the definition of D^2 sampling."""
    n = len(squared)
    weights = np.ones(n) if weights is None else np.asarray(weights, np.float64)
    start = weights / weights.sum() if first is None else np.eye(n)[first]
    law = {(i,): start[i] for i in range(n) if start[i] > 0}
    for _ in range(num_picks - 1):
        longer = {}
        for picks, probability in law.items():
            masses = weights * squared[list(picks)].min(0)
            for i in np.flatnonzero(masses):
                longer[(*picks, i)] = probability * masses[i] / masses.sum()
        law = longer
    return law


def _follows(picks, law):
    """p value of the chi-square test of the joint distribution; rare sequences share a cell."""
    sequences, counts = np.unique(picks, axis=0, return_counts=True)
    counts = dict(zip(map(tuple, sequences.tolist()), counts, strict=True))
    assert set(counts) <= set(law), "a sequence of picks that the law rules out"
    expected = np.array(list(law.values())) * len(picks)
    observed = np.array([counts.get(sequence, 0) for sequence in law])
    rare = expected < 5
    expected = np.append(expected[~rare], expected[rare].sum())
    observed = np.append(observed[~rare], observed[rare].sum())
    kept = expected > 0
    return scipy.stats.chisquare(observed[kept], expected[kept]).pvalue


@pytest.mark.parametrize("method", _EXACT)
@pytest.mark.parametrize(
    ("jit", "seed"), [(False, 0), (True, 0), (True, 1), (True, 2)], ids=lambda value: str(value)
)
def test_the_first_three_picks_follow_the_d2_law_jointly(seed, method, jit):
    factors = _factors(seed, n=5)
    repeats = 6000 if jit else 1500
    picks = _many(factors, 3, repeats, jit, start=seed * 100_000, method=method)
    assert _follows(picks, _law(_squared(factors), 3)) > 1e-3


@pytest.mark.parametrize("method", _EXACT)
def test_the_law_holds_where_distances_shrink_a_lot(method):
    # Three tight pairs: after one of each, what is left is a hundredth of what it was, so blocked
    # seeding has to reject nearly everything and to work the distances out anew.
    where = np.array([[0, 0], [0, 0.1], [1, 0], [1, 0.12], [0, 2], [0.15, 2]])
    factors = GradientFactors(tf.constant(where, tf.float32), tf.ones([6, 1]))
    picks = _many(factors, 5, 8000, method=method)
    assert _follows(picks, _law(_squared(factors), 5)) > 1e-3


@pytest.mark.parametrize("method", _EXACT)
def test_weights_multiply_the_law(method):
    factors, weights = _factors(3, n=5), [1.0, 4.0, 0.0, 0.5, 2.0]
    picks = _many(factors, 3, 6000, method=method, weights=tf.constant(weights))
    assert _follows(picks, _law(_squared(factors), 3, weights)) > 1e-3


@pytest.mark.parametrize("method", _EXACT)
def test_what_is_not_eligible_is_as_if_it_were_not_there(method):
    factors, eligible = _factors(4, n=5), [True, True, False, True, True]
    far = tf.where(tf.constant(eligible)[:, tf.newaxis], factors.u, 1e6)
    picks = _many(factors._replace(u=far), 3, 6000, eligible=eligible, method=method)
    assert _follows(picks, _law(_squared(factors), 3, np.float64(eligible))) > 1e-3


@pytest.mark.parametrize("method", _EXACT)
def test_largest_norm_starts_with_the_longest_point(method):
    factors = _factors(5, n=5)
    lengths = np.sum(np.square(factors.u), 1) * np.sum(np.square(factors.h), 1)
    picks = _many(factors, 3, 6000, method=method, first_pick="largest_norm")
    law = _law(_squared(factors), 3, first=int(lengths.argmax()))
    assert _follows(picks, law) > 1e-3


@pytest.mark.parametrize("method", kmeanspp.METHODS)
def test_largest_norm_passes_over_what_is_not_eligible(method):
    u = tf.constant([[1.0], [9.0], [2.0], [3.0]])
    factors = GradientFactors(u, tf.ones([4, 1]))
    eligible = tf.constant([True, False, True, True])
    options = {"method": method, "first_pick": "largest_norm", "num_shards": 2}
    picks = kmeanspp.kmeans_plusplus(factors, 2, [0, 0], eligible=eligible, **options).indices
    assert int(picks[0]) == 3


@pytest.mark.parametrize("method", _EXACT)
def test_final_potential_is_distributed_as_scikit_learns(method):
    rng = np.random.default_rng(2)
    factors = _factors(2, n=60)
    clustered = factors._replace(u=tf.gather(factors.u, rng.integers(8, size=60)) + 0.1 * factors.u)
    points = np.einsum("nd,nk->ndk", clustered.h, clustered.u).reshape(60, -1).astype(np.float64)

    def potential(chosen):
        return ((points[:, None] - points[chosen][None]) ** 2).sum(-1).min(1).sum()

    ours = [potential(chosen) for chosen in _many(clustered, 12, 500, method=method)]
    theirs = [
        potential(
            sklearn.cluster.kmeans_plusplus(points, 12, random_state=seed, n_local_trials=1)[1]
        )
        for seed in range(500)
    ]
    assert scipy.stats.ks_2samp(ours, theirs).pvalue > 1e-3


@pytest.mark.parametrize("method", kmeanspp.METHODS)
@pytest.mark.parametrize("seed", range(3))
def test_no_repeats_and_only_eligible(seed, method):
    eligible = np.random.default_rng(seed).random(_NUM_POINTS) < 0.4
    picks = _pick("xla", method, _factors(seed, _NUM_POINTS), [seed, 0], eligible=eligible)
    assert len(set(picks)) == _NUM_PICKS
    assert eligible[picks].all()


@pytest.mark.parametrize("method", kmeanspp.METHODS)
def test_same_seed_same_picks_eager_graph_and_xla(method):
    factors = _factors(3, _NUM_POINTS, size=8, d=8)
    for seed in ([5, 6], [7, 8], [9, 10]):
        picks = [_pick(mode, method, factors, seed) for mode in _MODES]
        np.testing.assert_array_equal(picks[0], picks[1])
        np.testing.assert_array_equal(picks[0], picks[2])
    assert list(_pick("graph", method, factors, [9, 11])) != list(picks[0])


@pytest.mark.parametrize("method", kmeanspp.METHODS)
def test_all_zero_gradients_fall_back_to_uniform_among_the_eligible(method):
    factors = GradientFactors(tf.zeros([6, 3]), tf.ones([6, 2]))
    eligible = np.array([True, False, True, True, False, True])
    picks = _many(factors, 3, 600, eligible=eligible, method=method, num_shards=2)
    assert all(len(set(row)) == 3 for row in picks)
    for column in range(3):
        counts = np.bincount(picks[:, column], minlength=6)
        assert counts[~eligible].sum() == 0
        assert scipy.stats.chisquare(counts[eligible]).pvalue > 1e-3


@pytest.mark.parametrize("method", _EXACT)
def test_duplicates_are_picked_once_all_else_is_used_up(method):
    u = tf.constant([[1.0, 0.0]] * 4 + [[0.0, 1.0]])
    picks = _many(GradientFactors(u, tf.ones([5, 1])), 2, 200, method=method)
    # The two directions come first, whatever the first pick was.
    assert ((picks == 4).sum(1) == 1).all()


@pytest.mark.parametrize("method", kmeanspp.METHODS)
@pytest.mark.parametrize(
    ("eligible", "expected"),
    [
        ([False, False, False], [-1] * _NUM_PICKS),
        ([False, True, False], [1] + [-1] * (_NUM_PICKS - 1)),
    ],
)
def test_fewer_eligible_than_picks(eligible, expected, method):
    picks = _pick("xla", method, _factors(0, 3), [0, 0], eligible=eligible)
    np.testing.assert_array_equal(picks, expected)


@pytest.mark.parametrize("method", kmeanspp.METHODS)
def test_one_candidate_and_one_pick(method):
    picked = kmeanspp.kmeans_plusplus(_factors(0, 1), 1, [0, 0], method=method, num_shards=1)
    np.testing.assert_array_equal(picked.indices, [0])


@pytest.mark.parametrize("method", kmeanspp.METHODS)
@pytest.mark.parametrize("scale", [1e-15, 1e-4, 1e8, 1e15])
def test_huge_and_tiny_gradients_pick_as_ordinary_ones(scale, method):
    factors = _factors(4, 30)
    scaled = factors._replace(u=factors.u * scale)
    np.testing.assert_array_equal(*(_pick("graph", method, f, [1, 2]) for f in (factors, scaled)))


@pytest.mark.parametrize(
    ("method", "mode"), [*((method, "graph") for method in kmeanspp.METHODS), ("blocked", "xla")]
)
def test_in_a_graph_what_is_not_finite_is_passed_over(method, mode):
    # The other four are as if they were alone, as points and as factors, in either factor.
    for bad in (np.nan, np.inf, -np.inf):
        u = np.concatenate([[[0, bad, 0, 0]], np.eye(4), [[bad] * 4]]).astype(np.float32)
        h = np.array([[1.0], [1], [1], [1], [1], [1]], np.float32)
        whole = np.concatenate([np.ones([1, 4]), np.eye(4), np.ones([1, 4])]).astype(np.float32)
        broken_h = np.array([[bad], [1], [1], [1], [1], [bad]], np.float32)
        for points in (
            tf.constant(u),
            GradientFactors(tf.constant(u), tf.constant(h)),
            GradientFactors(tf.constant(whole), tf.constant(broken_h)),
        ):
            picks = _pick(mode, method, points, [1, 2])
            assert sorted(picks) == [-1] * (_NUM_PICKS - 4) + [1, 2, 3, 4]


@pytest.mark.parametrize("method", kmeanspp.METHODS)
def test_in_a_graph_weights_that_are_none_are_passed_over(method):
    points = GradientFactors(tf.eye(4), tf.ones([4, 1]))
    picks = _pick("graph", method, points, [1, 2], weights=[1.0, np.nan, -1.0, np.inf])
    np.testing.assert_array_equal(picks, [0] + [-1] * (_NUM_PICKS - 1))


def test_huge_weights_are_proportions_like_any():
    weights = np.array([1.0, 4.0, 0.0, 0.5, 2.0])
    factors = _factors(3, n=5)
    huge = tf.constant(weights * 8e37, tf.float32)
    for method in _EXACT:
        picks = _many(factors, 3, 6000, method=method, weights=huge)
        assert _follows(picks, _law(_squared(factors), 3, weights)) > 1e-3


@pytest.mark.parametrize(
    ("method", "mode"), [*((method, "graph") for method in kmeanspp.METHODS), ("blocked", "xla")]
)
@pytest.mark.parametrize("scale", [1e-30, 1e19, 1e37])
def test_numbers_whose_squares_overflow_or_vanish_pick_as_ordinary_ones(scale, method, mode):
    # A power of two, so that not even rounding differs.
    scale = np.float32(2.0 ** np.round(np.log2(scale)))
    points = tf.concat([_factors(4, 30).u, [[0.0, 0.0, 0.0]]], axis=0)
    for make in (lambda u: u, lambda u: GradientFactors(u, tf.ones([31, 2]))):
        picks = [_pick(mode, method, make(u), [1, 2]) for u in (points, points * scale)]
        np.testing.assert_array_equal(*picks)


@pytest.mark.parametrize("method", kmeanspp.METHODS)
@pytest.mark.parametrize("offset", [3_000.0, -30_000.0])
def test_groups_are_told_apart_however_far_from_the_origin(offset, method):
    # Three groups 5 apart, noise of 0.01: each is hit with a probability of 1 - 1e-5 a seed.
    rng = np.random.default_rng(0)
    group = np.arange(60) % 3
    centers = offset + np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]])
    points = tf.constant(centers[group] + 0.01 * rng.normal(size=(60, 2)), tf.float32)
    picks = np.stack([_pick("graph", method, points, [7, i])[:3] for i in range(30)])
    assert [set(row) for row in group[picks]] == [{0, 1, 2}] * 30


@pytest.mark.parametrize("method", kmeanspp.METHODS)
@pytest.mark.parametrize("outlier", [1e6, -1e9])
def test_groups_are_told_apart_beside_a_point_far_away(outlier, method):
    rng = np.random.default_rng(0)
    group = np.append(np.arange(60) % 3, 3)
    centers = np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0], [outlier, 0.0]])
    points = tf.constant(centers[group] + 0.01 * rng.normal(size=(61, 2)), tf.float32)
    options = {"num_shards": 1, "chain_length": 2000}
    picks = _many(points, 4, 10, method=method, **options)
    assert [set(row) for row in group[picks]] == [{0, 1, 2, 3}] * 10


def test_points_of_double_precision_are_moved_before_they_are_rounded():
    rng = np.random.default_rng(0)
    group = np.arange(60) % 3
    centers = 1e9 + np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]])
    points = tf.constant(centers[group] + 0.01 * rng.normal(size=(60, 2)), tf.float64)
    picks = _many(points, 3, 30)
    assert [set(row) for row in group[picks]] == [{0, 1, 2}] * 30


def test_the_longest_point_is_the_one_farthest_from_the_origin_and_not_from_the_mean():
    points = tf.constant([[10.0, 0.0], [11.0, 0.0], [0.0, 1.0]])
    for method in kmeanspp.METHODS:
        options = {"method": method, "first_pick": "largest_norm", "num_shards": 1}
        assert int(kmeanspp.kmeans_plusplus(points, 1, [0, 0], **options).indices[0]) == 1


@pytest.mark.parametrize("method", kmeanspp.METHODS)
@pytest.mark.parametrize("length", [1e-6, 1e3, 1e15])
def test_near_duplicates_give_no_repeats(length, method):
    rng = np.random.default_rng(0)
    base = rng.normal(size=(1, 8))
    u = tf.constant(length * (base + 1e-7 * rng.normal(size=(_NUM_PICKS, 8))), tf.float32)
    factors = GradientFactors(u, tf.ones([_NUM_PICKS, 4]))
    assert sorted(_pick("xla", method, factors, [0, 3])) == list(range(_NUM_PICKS))


@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16])
@pytest.mark.parametrize("method", kmeanspp.METHODS)
def test_half_precision_factors_are_measured_in_float32(method, dtype):
    factors = GradientFactors(*(tf.cast(f, dtype) for f in _factors(6, 50)))
    wide = GradientFactors(*(tf.cast(f, tf.float32) for f in factors))
    np.testing.assert_array_equal(*(_pick("eager", method, f, [2, 2]) for f in (factors, wide)))


@pytest.mark.parametrize("method", kmeanspp.METHODS)
def test_the_compiled_program_stays_on_the_device_and_its_shapes_are_static(method):
    factors = _factors(0, 300)

    @tf.function(jit_compile=True)
    def program(factors, seed):
        return kmeanspp.kmeans_plusplus(factors, 8, seed, method=method)

    compiler_ir = program.experimental_get_compiler_ir(factors, tf.constant([0, 0]))
    text = compiler_ir(stage="hlo")
    assert "while(" in text
    for word in ("infeed", "outfeed", " send(", " recv(", "custom-call", "dynamic-reshape", "<="):
        assert word not in text, word


def test_points_are_picked_as_by_their_own_distances():
    points = np.random.default_rng(8).normal(size=(5, 2)).astype(np.float32)
    law = _law(((points[:, None] - points[None]) ** 2).sum(-1), 3)
    picks = _many(tf.constant(points), 3, 1500)
    assert _follows(picks, law) > 1e-3


def test_the_cost_of_plain_seeding_is_a_pass_a_pick():
    picked = kmeanspp.kmeans_plusplus(_factors(0, 20), 5, [0, 0], method="plain")
    assert [int(value) for value in picked[1:]] == [5, 4, 5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "lloyd"}, "method must be one of .*got lloyd"),
        ({"first_pick": "median"}, "first_pick must be one of .*got median"),
        ({"num_picks": 0}, "num_picks must be at least 1, got 0"),
        ({"seed": 3}, r"seed must be two whole numbers, .*got int32 of shape \(\)"),
        ({"seed": [1, 2, 3]}, r"seed must be two whole numbers, .*got int32 of shape \(3,\)"),
        ({"seed": [0.0, 1.5]}, "seed must be two whole numbers, .*got float32"),
        ({"weights": [1.0, 2.0]}, r"weights must have shape \(4,\), one a point, got \(2,\)"),
        ({"weights": [1.0, 1.0, -2.0, 1.0]}, r"not negative, got -2.0 for point 2 .*1 of 4"),
        ({"weights": [1.0, np.nan, np.nan, 1.0]}, r"finite .*got nan for point 1 .*2 of 4"),
        ({"weights": [np.inf, 1.0, 1.0, 1.0]}, "finite .*got inf for point 0"),
        ({"eligible": [True, False]}, r"eligible must have shape \(4,\), .*got \(2,\)"),
    ],
)
def test_wrong_arguments(options, message):
    arguments = {"num_picks": 2, "seed": [0, 0], **options}
    for method in (options["method"],) if "method" in options else kmeanspp.METHODS:
        with pytest.raises(ValueError, match=message):
            kmeanspp.kmeans_plusplus(
                _factors(0, 4), **{"method": method, "num_shards": 2, **arguments}
            )


@pytest.mark.parametrize("method", kmeanspp.METHODS)
def test_points_that_are_not_finite_are_refused_where_they_can_be_seen(method):
    points, others = (
        tf.constant([[0.0, 1.0], [bad, 0.0], [1.0, 1.0]]) for bad in (np.nan, -np.inf)
    )
    for given in (points, GradientFactors(others, tf.ones([3, 2]))):
        with pytest.raises(ValueError, match=r"must be finite, got .* in point 1 \(1 of 3\)"):
            kmeanspp.kmeans_plusplus(given, 2, [0, 1], method=method, num_shards=2)
        for left_out in ({"eligible": [True, False, True]}, {"weights": [1.0, 0.0, 2.0]}):
            picked = kmeanspp.kmeans_plusplus(
                given, 2, [0, 1], method=method, num_shards=2, **left_out
            )
            assert sorted(picked.indices.numpy()) == [0, 2]


def test_points_must_be_a_matrix():
    for wrong, message in (
        (tf.ones([4, 2], tf.int32), "must be floating, got int32: cast them"),
        (tf.ones([4, 2], tf.complex64), "must be floating, got complex64"),
        (tf.ones([0, 2]), r"must be one at least, got \(0, 2\)"),
    ):
        with pytest.raises(ValueError, match=message):
            kmeanspp.kmeans_plusplus(wrong, 2, [0, 0])
    with pytest.raises(ValueError, match=r"points must have shape \[N, D\], got \(5,\)"):
        kmeanspp.kmeans_plusplus(tf.zeros([5]), 2, [0, 0])
