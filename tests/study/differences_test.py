import numpy as np
import pytest
import scipy.stats

from actcl_tf.study import differences


def test_worked_by_hand():
    """Differences 1, 2, 3: mean 2, standard error 1 / sqrt(3), t(0.975, 2) = 4.3027."""
    told = differences.paired([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    assert (told.mean, told.wins, told.losses, told.num_pairs) == (2.0, 3, 0, 3)
    assert told.error == pytest.approx(1 / np.sqrt(3))
    half = 4.302653 / np.sqrt(3)
    assert told.interval == pytest.approx((2 - half, 2 + half), abs=1e-5)
    assert not told.is_told  # Three pairs are few.


def test_pairs_take_away_what_they_share(rng):
    """What all runs of a seed share is far larger than the difference."""
    shared = rng.normal(0, 10, 8)
    values, baseline = shared + 0.5 + rng.normal(0, 0.1, 8), shared + rng.normal(0, 0.1, 8)
    told = differences.paired(values, baseline)
    assert told.is_told and told.interval[0] > 0.3 and told.wins == 8
    assert told.p_value == pytest.approx(scipy.stats.ttest_rel(values, baseline).pvalue)
    assert told.bootstrap[0] < told.mean < told.bootstrap[1]


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng, inside = np.random.default_rng(1), 0
    for _ in range(200):
        told = differences.paired(rng.normal(0.3, 1, 5), np.zeros(5))
        inside += told.interval[0] <= 0.3 <= told.interval[1]
    assert scipy.stats.binomtest(inside, 200, 0.95).pvalue > 1e-3


@pytest.mark.parametrize(
    ("values", "baseline", "mean", "wins"),
    [
        ([0.5], [0.25], 0.25, 1),
        ([0.5, 0.5], [0.25, 0.25], 0.25, 2),
        ([0.3 + 0.1, 0.2], [0.3, 0.1], 0.1, 2),  # The same but for rounding.
        ([0.5, 0.25], [0.5, 0.25], 0.0, 0),
    ],
)
def test_pairs_without_spread_tell_nothing_of_it(values, baseline, mean, wins):
    told = differences.paired(values, baseline)
    assert (told.mean, told.wins) == (pytest.approx(mean), wins)
    assert told.error is told.interval is told.bootstrap is told.p_value is None
    assert not told.is_told


def test_adjusted_p_values():
    """Of three: 0.01 * 3, 0.02 * 3 / 2, 0.5; what has none stays without."""
    found = differences.adjusted([0.5, None, 0.01, 0.02])
    assert found[1] is None
    assert [found[i] for i in (2, 3, 0)] == pytest.approx([0.03, 0.03, 0.5])
    assert differences.adjusted([None]) == [None]
