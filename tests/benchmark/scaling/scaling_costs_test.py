import numpy as np
import pytest

from actcl_tf import config
from actcl_tf.benchmark.scaling import scaling_costs, scaling_counts, scaling_settings

_MODALITY = scaling_counts.Modality(4, 6, 0, 40, 64, 16)
_TRUE = scaling_costs.Fit(1e-3, 2e-6, 3e-8, 4e-9)
_SIZES = [(n, m) for n in (100, 200, 400) for m in (4, 8, 16)]


@pytest.mark.parametrize(
    ("pool_size", "picks", "expected"),
    [(0, 0, 1e-3), (1000, 0, 3e-3), (1000, 10, 3.3004e-3), (0, 10, 1.0004e-3)],
)
def test_fit_by_hand(pool_size, picks, expected):
    assert _TRUE(pool_size, picks) == pytest.approx(expected)


def test_fit_finds_what_values_were_made_of():
    values = [_TRUE(*size) for size in _SIZES]
    np.testing.assert_allclose(scaling_costs.fit(_SIZES, values), _TRUE, rtol=1e-6)


def test_fit_foretells_far_sizes_from_noisy_values(rng):
    values = [_TRUE(*size) * rng.uniform(0.95, 1.05) for size in _SIZES]
    found = scaling_costs.fit(_SIZES, values)
    assert found(4000, 64) == pytest.approx(_TRUE(4000, 64), rel=0.2)


def test_no_part_of_a_fit_is_negative():
    found = scaling_costs.fit(_SIZES, [1.0 / (n * m) for n, m in _SIZES])  # Falls with size.
    assert min(found) >= 0


def test_constant_values_are_a_fixed_cost():
    found = scaling_costs.fit(_SIZES, [0.5] * len(_SIZES))
    np.testing.assert_allclose(found, [0.5, 0, 0, 0], atol=1e-12)


@pytest.mark.parametrize(
    ("pool_size", "picks", "expected"), [(0, 5, 0), (10, 5, 1000), (10, 50, 1500)]
)
def test_peak_is_that_of_the_greater_phase(pool_size, picks, expected):
    assert scaling_costs.Peak(100.0, 3.0)(pool_size, picks) == expected


def test_two_levels_by_hand():
    remember = scaling_costs.Fit(0.5, 0.0, 0.0, 0.0)
    sample = scaling_costs.Fit(0.0, 1.0, 0.0, 0.0)
    costs = scaling_costs.Costs(sample, remember, scaling_costs.Peak(10.0, 0.0))
    assert costs.seconds(100, 5, 4, sharded=False) == 100.5
    # A quarter of 101 keys, rounded up, and the picks of all four.
    assert costs.seconds(101, 5, 4, sharded=True) == 26 + 20 + 0.5
    assert costs.scratch_bytes(101, 5, 4, sharded=False) == 1010
    assert costs.scratch_bytes(101, 5, 4, sharded=True) == 260
    assert costs.scratch_bytes(101, 10, 4, sharded=True) == 400
    assert costs._replace(scratch=None).scratch_bytes(101, 10, 4, sharded=True) == 0


@pytest.mark.parametrize("replicas", [1, 4])
@pytest.mark.parametrize("negatives", ["active", "random"])
def test_the_real_step_picks_in_one_level_and_in_two(replicas, negatives):
    contrast = config.from_flat({"negatives": negatives}).contrast
    sample, remember = scaling_costs.build_step("clustered", contrast, _MODALITY, (64, 8, replicas))
    for index in range(3):
        assert sample(index) == 8
        remember(index)


@pytest.mark.slow
def test_sizes_that_are_measured_and_held_out():
    settings = scaling_settings.Settings(
        scaling_measured_pools=(64, 128),
        scaling_measured_picks=(4, 16),
        scaling_rounds=1,
    )
    contrast = config.from_flat({"negatives": "random"}).contrast
    measured = scaling_costs.measure(settings, contrast, _MODALITY)
    assert [p[:3] for p in measured.points] == [(n, m, 1) for n in (64, 128) for m in (4, 16)]
    assert [p[:3] for p in measured.held_out] == [(512, 16, 1), (128, 32, 1), (128, 16, 4)]
    assert all(p.seconds > 0 < p.remember_seconds for p in measured.points + measured.held_out)
    assert measured.costs.sample(64, 4) > 0
