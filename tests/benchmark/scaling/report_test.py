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


def _setting(step, sampling, gigabytes):
    memory = int(gigabytes * 1e9)
    fits = gigabytes <= _SETTINGS.scaling_memory_gb
    return scaling.Setting(0.0, memory, 0.0, sampling, 0.0, step, fits)


def _row(replicas, whole, sharded, pool_size=1000):
    return scaling.Row(pool_size, replicas, 10 * replicas, 20, whole, sharded)


def test_advice_names_ranges_and_reasons():
    rows = [
        _row(1, _setting(2.0, 1.0, 0.5), None),
        _row(2, _setting(3.0, 2.0, 0.5), _setting(2.0, 0.5, 0.2)),
        _row(4, _setting(4.0, 2.0, 0.5), _setting(2.0, 1.0, 0.2)),
        _row(8, _setting(1.0, 0.1, 2.0), _setting(2.0, 1.0, 0.2)),
        _row(16, _setting(1.0, 0.1, 0.5), _setting(2.0, 1.0, 0.2)),
        _row(32, _setting(1.0, 0.1, 3.0), _setting(2.0, 1.0, 2.5)),
        _row(64, None, None),
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
    rows = [_row(r, _setting(1.0, 0.1, 0.5), _setting(s, 0.1, 0.5)) for r, s in steps.items()]
    rows = [_row(1, _setting(1.0, 0.1, 0.5), None), *rows]
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
    points = [scaling_costs.Point(100, 4, 1, 0.1, 0.0, None)]
    held_out = [
        scaling_costs.Point(200, 4, 1, 0.1, 0.0, 400),
        scaling_costs.Point(100, 50, 4, 0.3, 0.0, None),
    ]
    modality = scaling_counts.Modality(1, 1, 8, 28, 32, 16)
    rows = [
        _row(1, _setting(2.0, 1.0, 0.5), None),
        _row(2, _setting(3.0, 2.0, 0.5), _setting(2.0, 0.5, 0.2)),
    ]
    measured = scaling_costs.Measured(points, held_out, costs)
    return scaling.Result(rows, scaling_counts.Counts((modality,), 0), measured)


def test_the_fit_stands_beside_what_it_has_not_seen():
    result = _result()
    first, second = report.check(result.measured.held_out, result.measured.costs)
    assert first.ratio == pytest.approx(2.0) and first.scratch_bytes == 400
    # 100 keys of this replica, then 4 x 50 finalists.
    assert second.seconds == pytest.approx(0.3) and second.ratio == pytest.approx(1.0)
    text = report.basis(result, _SETTINGS)
    assert "Fitted to 1 sizes" in text and "off by 0% in the median" in text
    assert "gradients 8e-06 (summed)" in text


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
