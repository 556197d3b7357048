import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.contrast import diagnostics


def _unit(rng, n, size):
    vectors = rng.normal(size=(n, size))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _number(value):
    return None if np.isnan(value) else round(float(value), 4)


_AXES = np.eye(3, dtype=np.float32)


@pytest.mark.parametrize(
    ("keys", "filled", "expected"),
    [
        (_AXES, [True] * 3, (0.0, 0.0)),
        (_AXES[[0, 0, 0]], [True] * 3, (1.0, 1.0)),
        (_AXES[[0, 0, 1]], [True] * 3, (0.3333, 1.0)),  # Cosines 1, 0, 0.
        (_AXES[[0, 1, 0]], [True, False, True], (1.0, 1.0)),
        (_AXES, [True, False, False], (None, None)),
        (_AXES, [False] * 3, (None, None)),
    ],
)
def test_redundancy(keys, filled, expected):
    found = diagnostics.redundancy(tf.constant(keys), tf.constant(filled), [0, 0])
    assert tuple(map(_number, found)) == expected


@pytest.mark.parametrize("seed", range(3))
def test_redundancy_of_all_keys_is_numpys(seed):
    keys = _unit(np.random.default_rng(seed), 60, 5)
    cosines = (keys @ keys.T)[np.triu_indices(60, 1)]
    found = diagnostics.redundancy(tf.constant(keys), tf.fill([60], True), [0, seed], 100)
    np.testing.assert_allclose(found.mean, cosines.mean(), atol=1e-6)
    expected = np.percentile(cosines, 95, method="inverted_cdf")
    np.testing.assert_allclose(found.high, expected, atol=1e-6)


def test_redundancy_of_a_sample_is_near_that_of_all():
    keys = _unit(np.random.default_rng(0), 2000, 4)
    found = [
        diagnostics.redundancy(tf.constant(keys), tf.fill([2000], True), [0, i], 100).high
        for i in range(5)
    ]
    cosines = (keys @ keys.T)[np.triu_indices(2000, 1)]
    np.testing.assert_allclose(found, np.percentile(cosines, 95), atol=0.05)
    assert len({float(value) for value in found}) == 5


@pytest.mark.parametrize(
    ("keys", "filled", "expected"),
    [
        (_AXES, [True] * 3, 3.0),
        (_AXES, [True, True, False], 2.0),
        (_AXES[[1, 1, 1]], [True] * 3, 1.0),
        (_AXES, [False] * 3, None),
    ],
)
def test_effective_rank(keys, filled, expected):
    assert _number(diagnostics.effective_rank(tf.constant(keys), tf.constant(filled))) == expected


@pytest.mark.parametrize("seed", range(3))
def test_effective_rank_by_numpys_singular_values(seed):
    keys = _unit(np.random.default_rng(seed), 40, 8) * np.linspace(0.1, 1, 8, dtype=np.float32)
    share = np.linalg.svd(keys.astype(np.float64), compute_uv=False)
    share /= share.sum()
    found = diagnostics.effective_rank(tf.constant(keys), tf.fill([40], True))
    np.testing.assert_allclose(found, np.exp(-(share * np.log(share)).sum()), rtol=1e-4)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([3, 1, 3, 2], 3), ([-1, -1], 0), ([-1, 0, 0], 1), ([7], 1), ([-1], 0)],
)
def test_num_distinct(values, expected):
    assert float(diagnostics.num_distinct(tf.constant(values, tf.int64))) == expected


@pytest.mark.parametrize(
    ("born", "filled", "expected"),
    [
        ([4, 6, 9], [True] * 3, (3.6667, 6.0)),
        ([4, 6, 0], [True, True, False], (5.0, 6.0)),
        ([10, 10, 10], [True] * 3, (0.0, 0.0)),
        ([0, 0, 0], [False] * 3, (None, None)),
    ],
)
def test_age(born, filled, expected):
    step = tf.constant(10, tf.int64)
    found = diagnostics.age(tf.constant(born, tf.int64), tf.constant(filled), step)
    assert tuple(map(_number, found)) == expected


@pytest.mark.parametrize(
    ("similarity", "mask", "expected"),
    [
        # Two negatives: ineffective below a weight of 1/20.
        ([[1.0, 1.0]], [[True, True]], 0.0),  # Weights 1/3.
        ([[1.0, -1.0]], [[True, True]], 0.5),  # exp(-20) against 1 + 1.
        ([[-1.0, -1.0]], [[True, True]], 1.0),
        ([[1.0, -1.0]], [[True, False]], 0.0),
        ([[1.0, -1.0]], [[False, False]], None),
    ],
)
def test_ineffective_share(similarity, mask, expected):
    found = diagnostics.ineffective_share(
        tf.constant([1.0]), tf.constant(similarity), tf.constant(mask), 0.1
    )
    assert _number(found) == expected


def test_ineffective_share_by_numpy():
    rng = np.random.default_rng(0)
    positive, similarity = rng.uniform(-1, 1, 20), rng.uniform(-1, 1, (20, 50))
    weights = np.exp(np.c_[positive, similarity] / 0.2)
    weights /= weights.sum(1, keepdims=True)
    found = diagnostics.ineffective_share(
        tf.constant(positive, tf.float32),
        tf.constant(similarity, tf.float32),
        tf.fill([20, 50], True),
        0.2,
    )
    expected = (weights[:, 1:] < 1 / 500).mean()
    assert 0.1 < expected < 0.9
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("queries", "keys", "mask", "expected"),
    [
        ([0, 1], [0, 0, 1], [[True] * 3] * 2, 0.5),
        ([0, 1], [0, 0, 1], [[False, True, True], [False, False, True]], 0.6667),
        ([0, -1], [0, -1, 1], [[True] * 3] * 2, 0.5),  # What has no label does not count.
        ([-1, -1], [0, 0, 1], [[True] * 3] * 2, None),
        ([0, 1], [0, 0, 1], [[False] * 3] * 2, None),
    ],
)
def test_biased_share(queries, keys, mask, expected):
    found = diagnostics.biased_share(
        tf.constant(queries, tf.int64), tf.constant(keys, tf.int64), tf.constant(mask)
    )
    assert _number(found) == expected


@pytest.mark.parametrize(
    ("queries", "keys", "expected"),
    [
        (_AXES, _AXES, 0.0),
        (_AXES, -_AXES, 4.0),
        (_AXES, _AXES[[1, 2, 0]], 2.0),
    ],
)
def test_alignment(queries, keys, expected):
    assert float(diagnostics.alignment(tf.constant(queries), tf.constant(keys))) == expected


@pytest.mark.parametrize(
    ("vectors", "expected"),
    [
        (_AXES[[0, 0]], 0.0),
        (_AXES, -4.0),  # exp(-2 |x - y|^2) with |x - y|^2 = 2.
        (np.stack([_AXES[0], -_AXES[0]]), -8.0),
        (_AXES[:1], None),
    ],
)
def test_uniformity(vectors, expected):
    assert _number(diagnostics.uniformity(tf.constant(vectors))) == expected


@pytest.mark.parametrize(
    ("norms", "eligible", "indices", "count", "expected"),
    [
        ([4.0, 4.0, 4.0], [True] * 3, [0, 1], 2, 1.0),
        ([4.0, 16.0, 36.0], [True] * 3, [2, 0], 1, 1.5),
        ([4.0, 16.0, 36.0], [True, True, False], [1, 0], 2, 1.0),
        ([4.0, 16.0, 36.0], [True] * 3, [2, 0], 0, None),
        ([0.0, 0.0, 0.0], [True] * 3, [2, 0], 2, None),
        ([4.0, 4.0, 4.0], [False] * 3, [0, 0], 0, None),
    ],
)
def test_relative_length(norms, eligible, indices, count, expected):
    found = diagnostics.relative_length(
        tf.constant(norms), tf.constant(eligible), tf.constant(indices), tf.constant(count)
    )
    assert _number(found) == expected


# Two queries; candidates 0 to 2 are near the first, 3 near the second, 4 near none.
_COSINES = [[0.9, 0.0], [0.8, 0.0], [0.7, 0.0], [0.0, 0.6], [-0.5, -0.5]]


@pytest.mark.parametrize(
    ("eligible", "indices", "count", "similarity", "near", "evenness"),
    [
        # The mean of the best cosines is 0.5.
        ([True] * 5, [0, 3], 2, 0.75 - 0.5, 1.0, 1.0),
        ([True] * 5, [0, 1], 2, 0.85 - 0.5, 0.5, 0.5),  # 1 is no query's nearest, 0 is.
        ([True] * 5, [4, 3], 1, -0.5 - 0.5, 0.0, 1.0),  # 3 is no pick.
        ([False, True, True, True, True], [1, 3], 2, 0.7 - 0.4, 1.0, 1.0),
        ([True] * 5, [0, 0], 0, np.nan, np.nan, np.nan),
    ],
)
def test_picks_beside_queries(eligible, indices, count, similarity, near, evenness):
    found = diagnostics.beside_queries(
        tf.constant(_COSINES),
        tf.constant(eligible),
        tf.constant(indices),
        tf.constant(count),
        nearest=1,
    )
    np.testing.assert_allclose(found, [similarity, near, evenness], rtol=1e-5)


def test_random_picks_are_as_near_as_the_pool_and_more_nearest_ones_than_candidates():
    rng = np.random.default_rng(3)
    cosines = tf.constant(rng.uniform(-1, 1, [400, 6]), tf.float32)
    everyone = tf.ones([400], tf.bool)
    indices = tf.constant(rng.permutation(400)[:200], tf.int32)
    found = diagnostics.beside_queries(cosines, everyone, indices, tf.constant(200), nearest=900)
    assert abs(float(found.similarity)) < 0.05
    assert float(found.near) == 1.0 and 0.95 < float(found.evenness) <= 1.0


def test_everything_works_under_xla():
    rng = np.random.default_rng(0)
    keys, filled = tf.constant(_unit(rng, 30, 6)), tf.range(30) < 20
    labels = tf.constant(rng.integers(-1, 5, 30), tf.int64)
    mask = tf.constant(rng.random((30, 30)) < 0.8)

    def everything():
        cosines = tf.matmul(keys, keys, transpose_b=True)
        return (
            *diagnostics.redundancy(keys, filled, [1, 2], 10),
            diagnostics.effective_rank(keys, filled),
            diagnostics.num_distinct(labels),
            *diagnostics.age(labels, filled, tf.constant(9, tf.int64)),
            diagnostics.ineffective_share(tf.ones([30]), cosines, mask, 0.3),
            diagnostics.biased_share(labels, labels, mask),
            diagnostics.alignment(keys, keys[::-1]),
            diagnostics.uniformity(keys),
            *diagnostics.beside_queries(cosines, filled, tf.range(5), tf.constant(4)),
        )

    compiled = tf.function(everything, jit_compile=True)()
    np.testing.assert_allclose(compiled, everything(), rtol=1e-4)
