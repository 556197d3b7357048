import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.contrast import factored_points
from actcl_tf.contrast.gradient_embeddings import GradientFactors


def _factors(seed, n, scales=(1.0, 1.0)):
    rng = np.random.default_rng(seed)
    return GradientFactors(
        tf.constant(rng.normal(size=(n, 5)) * scales[0], tf.float32),
        tf.constant(rng.normal(size=(n, 7)) * scales[1], tf.float32),
    )


def _built(factors):
    return np.einsum("nd,nk->ndk", *(np.float64(f) for f in factors[::-1])).reshape(
        factors.u.shape[0], -1
    )


def _distances(factors, eligible):
    points = factored_points.build_points(factors, tf.constant(eligible))
    return points, factored_points.squared_distances(
        points, points.take(tf.constant([0, 2]))
    ).numpy()


@pytest.mark.parametrize(
    "scales", [(1.0, 1.0), (1e15, 1e15), (1e-15, 1e-15), (1e15, 1e-15), (1e-3, 1e8)]
)
@pytest.mark.parametrize("seed", range(3))
def test_distances_are_those_of_the_built_points_in_units_of_the_longest(seed, scales):
    factors = _factors(seed, 9, scales)
    points, distances = _distances(factors, [True] * 9)
    built = _built(factors)
    lengths = (built**2).sum(1)
    expected = ((built[:, None] - built[[0, 2]][None]) ** 2).sum(-1) / lengths.max()
    np.testing.assert_allclose(points.norms, lengths / lengths.max(), rtol=1e-5)
    np.testing.assert_allclose(distances, expected, rtol=1e-5, atol=2e-6)


def test_the_longest_eligible_point_sets_the_units():
    u = tf.constant([[2.0], [3.0], [100.0]])
    factors = GradientFactors(u, tf.ones([3, 1]))
    points = factored_points.build_points(factors, tf.constant([True, True, False]))
    np.testing.assert_allclose(points.norms[:2], [4 / 9, 1.0], rtol=1e-6)
    distance = factored_points.squared_distances(points.take([0]), points.take([1]))
    np.testing.assert_allclose(distance, [[1 / 9]], rtol=1e-5)


@pytest.mark.parametrize("eligible", [[True, True], [False, False]])
def test_points_of_length_zero_are_at_distance_zero(eligible):
    factors = GradientFactors(tf.zeros([2, 3]), tf.ones([2, 4]))
    points = factored_points.build_points(factors, tf.constant(eligible))
    np.testing.assert_array_equal(points.norms, [0.0, 0.0])
    np.testing.assert_array_equal(
        factored_points.squared_distances(points, points), np.zeros([2, 2])
    )


@pytest.mark.parametrize("length", [1e-12, 1.0, 1e15])
def test_points_within_rounding_of_each_other_are_the_same_point(length):
    rng = np.random.default_rng(0)
    u = length * (rng.normal(size=(1, 64)) + 1e-8 * rng.normal(size=(30, 64)))
    factors = GradientFactors(
        tf.constant(u, tf.float32), tf.constant(np.ones([30, 64]), tf.float32)
    )
    points = factored_points.build_points(factors, tf.fill([30], True))
    np.testing.assert_array_equal(
        factored_points.squared_distances(points, points), np.zeros([30, 30])
    )


@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16, tf.float64])
def test_any_floating_input_is_measured_in_float32(dtype):
    factors = GradientFactors(*(tf.cast(f, dtype) for f in _factors(1, 20)))
    points, distances = _distances(factors, [True] * 20)
    assert points.norms.dtype == tf.float32
    built = _built(GradientFactors(*(np.float64(tf.cast(f, tf.float64)) for f in factors)))
    lengths = (built**2).sum(1)
    expected = ((built[:, None] - built[[0, 2]][None]) ** 2).sum(-1) / lengths.max()
    np.testing.assert_allclose(distances, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shapes", [([3, 2], [4, 2], 3), ([3, 2], [3, 2], 4), ([3], [3, 2], 3)])
def test_shapes_that_do_not_fit(shapes):
    factors = GradientFactors(tf.ones(shapes[0]), tf.ones(shapes[1]))
    with pytest.raises(ValueError, match=r"u, h and eligible must have shapes \[N, D\]"):
        factored_points.build_points(factors, tf.fill([shapes[2]], True))


@pytest.mark.parametrize("distance", [10.0, 1.0, 0.1, 0.01, 0.004])
def test_factored_points_are_exact_down_to_a_thousandth_of_their_lengths(distance):
    # Points of length 1 at a known distance: squared, it is right to 1e-6 of the squared lengths.
    rng = np.random.default_rng(0)
    h = rng.normal(size=7)
    u = rng.normal(size=(2, 200, 5))
    u[0] /= np.linalg.norm(u[0], axis=1, keepdims=True) * np.linalg.norm(h)
    step = u[1] / np.linalg.norm(u[1], axis=1, keepdims=True) / np.linalg.norm(h)
    u = np.concatenate([u[0], u[0] + distance * step]).astype(np.float32)
    factors = GradientFactors(tf.constant(u), tf.constant(np.tile(h, [400, 1]), tf.float32))
    points = factored_points.build_points(factors, tf.fill([400], True))
    ours = np.diag(factored_points.squared_distances(points, points).numpy()[:200, 200:])
    built = _built(factors)
    lengths = (built**2).sum(1)
    expected = ((built[:200] - built[200:]) ** 2).sum(1)
    sums = (lengths[:200] + lengths[200:]) / lengths.max()
    assert np.abs(ours - expected / lengths.max()).max() <= 1e-6 * sums.max()
    assert (ours > 0.0).all()


def test_factored_points_closer_than_that_are_one():
    # At an offset of 1e5 lengths of their distance; as points they are moved and told apart.
    u = tf.constant([[1e5, 0.0], [1e5, 1.0]])
    known = tf.fill([2], True)
    factored = factored_points.build_points(GradientFactors(u, tf.ones([2, 1])), known)
    np.testing.assert_array_equal(factored_points.squared_distances(factored, factored), 0.0)
    plain = factored_points.build_points(u, known)
    np.testing.assert_allclose(
        factored_points.squared_distances(plain, plain), [[0.0, 4.0], [4.0, 0.0]], rtol=1e-6
    )


def test_distances_from_points_that_are_not_finite_are_finite():
    u = tf.constant([[1.0, 0.0], [np.nan, 0.0], [np.inf, 1.0], [3e38, 3e38], [0.0, 1.0]])
    eligible = tf.constant([True, False, False, False, True])
    for points in (u, GradientFactors(u, tf.ones([5, 1]))):
        np.testing.assert_array_equal(
            factored_points.finite(points), [True, False, False, True, True]
        )
        built = factored_points.build_points(points, eligible)
        assert np.isfinite(factored_points.squared_distances(built, built)).all()
        np.testing.assert_allclose(built.norms, [1.0, 0.0, 0.0, 0.0, 1.0])
