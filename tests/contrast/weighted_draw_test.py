import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from actcl_tf.contrast import weighted_draw

_draw = weighted_draw.draw
_MODES = {
    "eager": _draw,
    "graph": tf.function(_draw),
    "xla": tf.function(_draw, jit_compile=True),
}


@pytest.mark.parametrize(
    ("weights", "possible"),
    [
        ([5.0], {0}),
        ([0.0, 0.0, 5.0], {2}),
        ([1.0, 0.0, 1.0], {0, 2}),
        ([1e-38, 0.0, 0.0], {0}),
        ([3e38, 0.0, 3e38], {0, 2}),
        ([0.0] * 300 + [1.0] + [0.0] * 90 + [1e-3], {300, 391}),
    ],
)
@pytest.mark.parametrize("mode", _MODES)
def test_draws_only_what_has_weight(weights, possible, mode):
    drawn = _MODES[mode](tf.constant(weights), 20000, [1, 2]).numpy()
    assert set(drawn) == possible


@pytest.mark.parametrize("n", [3, 127, 128, 129, 700, 17000])
def test_shares_are_the_weights(n):
    weights = np.random.default_rng(n).gamma(0.3, size=n).astype(np.float32)
    weights[::5] = 0.0
    drawn = _MODES["graph"](tf.constant(weights), 100_000, [n, 0]).numpy()
    assert drawn.min() >= 0 and drawn.max() < n
    shares = weights.astype(np.float64) / weights.sum(dtype=np.float64)
    # Cells of a hundred expected draws or more, so that the chi-square test holds.
    order = np.argsort(shares)
    cells = np.minimum((np.cumsum(shares[order]) * 1000).astype(int), 999)
    expected = np.bincount(cells, shares[order], minlength=1000) * len(drawn)
    counts = np.bincount(cells, np.bincount(drawn, minlength=n)[order], minlength=1000)
    kept = expected > 100
    assert counts[expected == 0].sum() == 0
    counts = np.append(counts[kept], counts[~kept].sum())
    expected = np.append(expected[kept], expected[~kept].sum())
    counts, expected = counts[expected > 0], expected[expected > 0]
    assert scipy.stats.chisquare(counts, expected).pvalue > 1e-3


def test_small_weights_among_many_keep_their_share():
    # Less each than float32 resolves on a single cumulative sum over all of them.
    weights = np.full(20000, 1.0, np.float32)
    weights[10000:] = 1e-3
    drawn = _MODES["graph"](tf.constant(weights), 500_000, [3, 4]).numpy()
    small = drawn[drawn >= 10000] - 10000
    expected = len(drawn) * 10.0 / 10010.0
    assert abs(len(small) - expected) < 4 * np.sqrt(expected)
    counts = np.bincount(small, minlength=10000).reshape(10, -1).sum(1)
    assert scipy.stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("seed", range(3))
def test_the_same_in_every_mode(seed):
    weights = tf.constant(np.random.default_rng(seed).random(1000), tf.float32)
    drawn = [mode(weights, 50, [seed, 9]).numpy() for mode in _MODES.values()]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    np.testing.assert_array_equal(drawn[0], drawn[2])


def test_uniform_is_uniform_above_zero_and_the_same_in_every_mode():
    modes = [weighted_draw.uniform, tf.function(weighted_draw.uniform, jit_compile=True)]
    values, compiled = (mode([100_000], [5, 6]).numpy() for mode in modes)
    np.testing.assert_array_equal(values, compiled)
    assert values.min() > 0.0 and values.max() <= 1.0
    assert scipy.stats.kstest(values, "uniform").pvalue > 1e-3


def test_fold_in_gives_other_numbers_for_other_data():
    seeds = [tuple(weighted_draw.fold_in([1, 2], i).numpy()) for i in range(200)]
    assert len(set(seeds)) == 200
    neighbours = np.stack([weighted_draw.uniform([2000], seed).numpy() for seed in seeds[:2]])
    assert abs(np.corrcoef(neighbours)[0, 1]) < 0.1
