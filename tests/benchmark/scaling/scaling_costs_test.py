import numpy as np
import pytest

from actcl_tf.benchmark.scaling import scaling_costs

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
    sample = scaling_costs.Fit(0.0, 1.0, 0.0, 0.0)
    costs = scaling_costs.Costs(sample, sample, scaling_costs.Peak(10.0, 0.0))
    assert costs.sampling_seconds(101, 5) == 101 and costs.scratch_bytes(101, 5) == 1010
    # A part of 26 keys, and the picks of all four.
    assert costs.sampling_seconds(26, 5, parts=4) == 26 + 20
    assert costs.scratch_bytes(26, 5, parts=4) == 260
    assert costs.scratch_bytes(26, 10, parts=4) == 400
    assert costs._replace(scratch=None).scratch_bytes(26, 10, parts=4) == 0


@pytest.mark.parametrize("known", [False, True])
def test_costs_are_fitted_to_points(known):
    points = [
        {"pool_size": n, "picks": m, "seconds": _TRUE(n, m), "remember_seconds": 0.5}
        | {"scratch_bytes": {4: 100 * n, 16: 480 * n}.get(m) if known and n == 400 else None}
        for n, m in _SIZES
    ]
    found = scaling_costs.fit_costs(points)
    np.testing.assert_allclose(found.sample, _TRUE, rtol=1e-6)
    np.testing.assert_allclose(found.remember, [0.5, 0, 0, 0], atol=1e-12)
    assert found.scratch == (scaling_costs.Peak(100.0, 30.0) if known else None)
    told = found.foretell({"pool_size": 800, "picks": 8, "replicas": 4})
    assert told["foretold_seconds"] == pytest.approx(_TRUE(800, 8) + _TRUE(32, 8))
    assert told["foretold_scratch_bytes"] == (800 * 240 if known else 0)
