import json

import pytest

from actcl_tf.benchmark.scaling import (
    report,
    scaling,
    scaling_costs,
    scaling_counts,
    scaling_settings,
)

_SETTINGS = scaling_settings.Settings(scaling_replicas=(1, 2, 4), scaling_memory_gb=1.0)


def _cost(step, sampling, gigabytes):
    return {
        "gathered_bytes": 0,
        "kept_bytes": int(gigabytes * 1e9),
        "scratch_bytes": 0.0,
        "sampling_seconds": sampling,
        "step_seconds": step,
        "fits": gigabytes <= _SETTINGS.scaling_memory_gb,
    }


def _row(replicas, choice, whole=None, sharded=None):
    sizes = {"pool_size": 1000, "replicas": replicas, "batch_size": 10 * replicas}
    ways = {"whole": whole, "sharded": sharded, "choice": choice}
    return {**sizes, "dictionary_size": 20, **ways}


def test_advice_names_ranges_and_reasons():
    rows = [
        _row(1, "whole", _cost(2.0, 1.0, 0.5)),
        _row(2, "sharded", _cost(3.0, 2.0, 0.5), _cost(2.0, 0.5, 0.2)),
        _row(4, "sharded", _cost(4.0, 2.0, 0.5), _cost(2.0, 1.0, 0.2)),
        _row(8, "sharded", _cost(1.0, 0.1, 2.0), _cost(2.0, 1.0, 0.2)),
        _row(16, "whole", _cost(1.0, 0.1, 0.5), _cost(2.0, 1.0, 0.2)),
        _row(32, "none", _cost(1.0, 0.1, 3.0), _cost(2.0, 1.0, 2.5)),
        _row(64, "-"),
    ]
    assert report.advice(rows, _SETTINGS).splitlines() == [
        "Which to choose:",
        "  N = 1,000",
        "    R = 1: whole pools; sampling is 50% of the step",
        "    R = 2 to 4: --pool_sharding (a step is 1.50 to 2.00 times as fast); "
        "sampling is 25% to 50% of the step",
        "    R = 8: --pool_sharding (whole pools need 2.00 GB or more, of 1); "
        "sampling is 50% of the step",
        "    R = 16: whole pools (a step is 2.00 times as fast); sampling is 10% of the step",
        "    R = 32: neither fits (at least 2.50 GB of 1)",
        "    R = 64: too few keys (K + M = 660)",
        # Slower at 8 x 80, 16 x 160 and 32 x 320 finalists of 1,000 keys; faster at 4 x 40.
        "  A step with parts is the slower one from R M = 0.64 N finalists on; it is the faster "
        "one with up to 0.16 N.",
    ]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ({}, None),
        ({2: 0.5, 4: 0.5}, "faster one throughout, memory apart."),
        ({2: 2.0, 4: 2.0}, "slower one from R M = 0.04 N finalists on: throughout."),
        ({2: 2.0, 4: 0.5}, "on, but for some settings; it is the faster one with up to 0.16 N."),
    ],
)
def test_the_rule_of_finalists_follows_the_rows(steps, expected):
    rows = [
        _row(r, "whole" if s > 1 else "sharded", _cost(1.0, 0.1, 0.5), _cost(s, 0.1, 0.5))
        for r, s in steps.items()
    ]
    rows = [_row(1, "whole", _cost(1.0, 0.1, 0.5)), *rows]
    lines = report.advice(rows, _SETTINGS).splitlines()
    if expected is None:
        assert not any("A step with parts" in line for line in lines)
    else:
        assert lines[-1].endswith(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"),
        (0.01234, "0.012"),
        (0.1, "0.10"),
        (5.432, "5.43"),
        (54.32, "54.3"),
        (1234.5, "1,234"),
    ],
)
def test_numbers_are_short(value, expected):
    assert report.short(value) == expected


def _result():
    fit = scaling_costs.Fit(0.0, 1e-3, 0.0, 0.0)
    zero = scaling_costs.Fit(0.0, 0.0, 0.0, 0.0)
    costs = scaling_costs.Costs(fit, zero, scaling_costs.Peak(2.0, 0.0))
    points = [_point(100, 4, 1, 0.1, None)]
    held_out = [_point(200, 4, 1, 0.1, 400), _point(100, 50, 4, 0.3, None)]
    held_out = [{**point, **costs.foretell(point)} for point in held_out]
    modality = scaling_counts.Modality(1, 1, 8, 28, 32, 16)
    rows = [
        _row(1, "whole", _cost(2.0, 1.0, 0.5)),
        _row(2, "sharded", _cost(3.0, 2.0, 0.5), _cost(2.0, 0.5, 0.2)),
    ]
    counts = scaling_counts.Counts((modality,), 0)
    return scaling.Result(rows, counts, costs, points, held_out)


def _point(pool_size, picks, replicas, seconds, scratch_bytes):
    size = {"pool_size": pool_size, "picks": picks, "replicas": replicas}
    return {**size, "seconds": seconds, "remember_seconds": 0.0, "scratch_bytes": scratch_bytes}


def test_the_fit_stands_beside_what_it_has_not_seen():
    lines = report.basis(_result(), _SETTINGS).splitlines()
    assert "Fitted to 1 sizes" in lines[2] and "off by 0% in the median" in lines[2]
    assert lines[5].split() == ["200", "4", "1", "200.0", "100.0", "2.00", "0.0004", "0.0004"]
    # 100 keys of this replica, then 4 x 50 finalists.
    assert lines[6].split() == ["100", "50", "4", "300.0", "300.0", "1.00", "0.0004", "-"]
    assert "gradients 8e-06 (summed)" in lines[-1]


def test_table_and_json_hold_every_row():
    result = _result()
    lines = report.table(result, _SETTINGS).splitlines()
    assert lines[0] == "N = 1,000, at each step and replica"
    cells = [" ".join(line.split()) for line in lines[3:5]]
    assert cells[0] == "1 10 0 - 0.50 - 0.50 - 1.00 - whole, 50%"
    assert cells[1] == "2 20 0 0 0.50 0.20 0.50 0.20 2.00 0.50 sharded, 25%"
    figures = json.loads(json.dumps(report.to_dict(result, _SETTINGS)))
    assert [row["choice"] for row in figures["rows"]] == ["whole", "sharded"]
    assert figures["rows"][1]["sharded"]["step_seconds"] == 2.0
    assert figures["rows"][0]["sharded"] is None
    assert figures["held_out"][0]["foretold_seconds"] == pytest.approx(0.2)
