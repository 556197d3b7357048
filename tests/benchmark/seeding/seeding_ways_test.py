import numpy as np
import pytest
import scipy.stats
import sklearn.cluster

from actcl_tf.benchmark.seeding import seeding_settings, seeding_ways


def _column(*values):
    return np.array(values, np.float32)[:, np.newaxis]


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        # Ten points of 2 + 3 numbers: a pass reads 200 bytes, a column moves 4 x 40 bytes, a
        # proposal reads 20.
        ({"passes": 1, "columns": 0, "proposals": 0}, 200),
        ({"passes": 0, "columns": 1, "proposals": 0}, 160),
        ({"passes": 0, "columns": 0, "proposals": 1}, 20),
        ({"passes": 4, "columns": 3, "proposals": 5}, 800 + 480 + 100),
    ],
)
def test_bytes_moved_on_factors(cost, expected):
    assert seeding_ways.factored_bytes(10, 5, **cost) == expected


def test_bytes_moved_on_explicit_points():
    # 60 numbers, read twice to begin with, and for each of 3 picks once; in float32 each pick also
    # writes and twice reads 60 numbers of 8 bytes.
    assert seeding_ways.explicit_bytes(10, 6, 3, itemsize=8) == 60 * 8 * 5
    assert seeding_ways.explicit_bytes(10, 6, 3, itemsize=4) == 60 * 4 * 5 + 3 * 3 * 60 * 8


def test_explicit_gradients_are_outer_products():
    u = np.array([[1, 2], [3, 4]], np.float32)
    h = np.array([[1, 0, 5], [2, 1, 0]], np.float32)
    expected = [[1, 2, 0, 0, 5, 10], [6, 8, 3, 4, 0, 0]]
    for dtype in (np.float32, np.float64):
        points = seeding_ways.explicit_gradients(u, h, dtype)
        assert points.dtype == dtype
        np.testing.assert_array_equal(points, expected)


def test_plain_loop_follows_the_law():
    # Points 0, 1 and 3 on a line: squared distances 1, 9 from the first, 1, 4 from the second, 9, 4
    # from the third.
    law = {(0, 1): 0.1, (0, 2): 0.9, (1, 0): 0.2, (1, 2): 0.8, (2, 0): 9 / 13, (2, 1): 4 / 13}
    u, h = _column(0, 1, 1.5), _column(1, 1, 2)
    picks = [tuple(seeding_ways.plain_loop(u, h, 2, seed)) for seed in range(3000)]
    assert set(picks) == set(law)
    observed = [picks.count(pair) for pair in law]
    assert scipy.stats.chisquare(observed, [1000 * p for p in law.values()]).pvalue > 0.01


def test_plain_loop_is_as_good_as_scikit_learn():
    u, h = seeding_ways.make_factors("clustered", 200, 3, 4, seed=0)
    points = seeding_ways.explicit_gradients(u, h, np.float64)

    def potential(picks):
        return ((points[:, np.newaxis] - points[picks]) ** 2).sum(-1).min(1).sum()

    own = [potential(seeding_ways.plain_loop(u, h, 20, seed)) for seed in range(200)]
    theirs = [
        potential(
            sklearn.cluster.kmeans_plusplus(points, 20, random_state=seed, n_local_trials=1)[1]
        )
        for seed in range(200)
    ]
    assert scipy.stats.ks_2samp(own, theirs).pvalue > 0.01


@pytest.mark.parametrize(
    ("u", "h"),
    [
        (_column(*[0] * 12), _column(*[0] * 12)),  # No gradient at all.
        (_column(*[1] * 12), _column(*[2] * 12)),  # All the same.
        (_column(*[1, 2] * 6), _column(*[1] * 12)),  # Fewer different ones than picks.
        (_column(5), _column(2)),  # One point.
    ],
)
def test_plain_loop_never_repeats_a_pick(u, h):
    for seed in range(20):
        picks = seeding_ways.plain_loop(u, h, len(u), seed)
        assert sorted(picks) == list(range(len(u)))


def test_points_are_what_they_are_called():
    u, h = seeding_ways.make_factors("gaussian", 2000, 3, 5, seed=1)
    assert u.shape == (2000, 3) and h.shape == (2000, 5) and u.dtype == h.dtype == np.float32
    assert abs(u.mean()) < 0.05 and abs(h.std() - 1) < 0.05
    u, h = seeding_ways.make_factors("clustered", 2000, 3, 5, seed=1)
    squared = ((h[:, np.newaxis] - h) ** 2).sum(-1)
    # Two points of one centre differ by 0.1 sqrt(2) in each of 5 numbers, on average.
    nearest = np.sort(squared, axis=1)[:, 1:6]
    assert nearest.mean() < 5 * 0.02 < 0.1 * squared.mean()


@pytest.mark.parametrize("way", ["blocked_graph", "afkmc2_graph", *seeding_settings.EXPLICIT])
def test_every_way_picks_and_counts(way):
    u, h = seeding_ways.make_factors("gaussian", 40, 2, 3, seed=2)
    picked = seeding_ways.build(way, u, h, 5)(7)
    picks = set(picked.indices.tolist())
    assert len(picks) == 5 and picks <= set(range(40))
    if way == "afkmc2_graph":
        # Two passes, one column, and four chains of 200 proposals after the first pick.
        assert picked.passes == 2
        assert picked.bytes_moved == 4 * (2 * 40 * 5 + 4 * 40 + 801 * 5)
    if way == seeding_settings.SKLEARN_FASTEST:
        assert picked.bytes_moved == 40 * 6 * 8 * (2 + 5)
