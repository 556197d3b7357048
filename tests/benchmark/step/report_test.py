"""Figures of the step worked out by hand."""

import numpy as np
import pytest

from actcl_tf.benchmark.step import report, step_parts, timing

PARTS = {
    "data": [0.0, 0.0, 0.0],
    "query forward": [2.0, 2.0, 3.0],
    "key forward": [1.0, 2.0, 2.0],
    "sampling": [0.5, 0.5, 0.5],
    "backward": [4.0, 4.0, 4.0],
    "optimiser": [0.25, 0.25, 0.25],
    "momentum": [0.125, 0.125, 0.125],
    "queues": [0.125, 0.125, 0.125],
}
WORK = {"query forward": 20, "key forward": 20, "backward": 40}


def _way(precision, negatives, whole, factor=1.0, peak=2_500_000_000):
    parts = {name: factor * np.array(values) for name, values in PARTS.items()}
    return timing.Way(precision, negatives, np.array(whole), parts, WORK, peak)


FULL = _way("float32", "active", [10.0, 10.0, 16.0])
HALF = _way("bfloat16", "active", [5.0, 4.0, 4.0], factor=0.5, peak=None)
PRODUCTS = {"float32": np.array([16.0, 20.0, 10.0]), "bfloat16": np.array([32.0, 40.0, 20.0])}


def _result(*ways, input_seconds=None):
    return timing.Result(list(ways), PRODUCTS, input_seconds, 20)


def test_figures_by_hand():
    found = report.summarise(FULL, _result(FULL))
    assert found.seconds == 10.0 and found.clips_per_second == 2.0
    # 80 a step: 80 / 10 / 16, 80 / 10 / 20, 80 / 16 / 10.
    assert found.product_share == pytest.approx(0.5)
    # 20 in 2, 2 and 3 s; 20 in 1, 2 and 2 s; 40 in 4 s.
    assert found.part_product_shares == pytest.approx(
        {"query forward": 0.625, "key forward": 1.0, "backward": 0.625}
    )
    # Steps of 10, 10 and 16 s: of the queries' 2, 2 and 3 s the median share is 0.2, of the others'
    # constant seconds it is that of 10 s; of the keys' 1, 2 and 2 s it is 2 / 16.
    expected = {
        "data": 0.0,
        "query forward": 0.2,
        "key forward": 0.125,
        "sampling": 0.05,
        "backward": 0.4,
        "optimiser": 0.025,
        "momentum": 0.0125,
        "queues": 0.0125,
    }
    expected[report.REST] = 1.0 - 0.825
    assert found.shares == pytest.approx(expected)
    assert found.part_seconds["query forward"] == 2.0
    assert found.part_seconds[report.REST] == pytest.approx(1.75)
    assert found.peak_gigabytes == 2.5


def test_input_comes_on_top_of_the_step():
    way = _way("float32", "active", [10.0] * 3)
    found = report.summarise(way, _result(way, input_seconds=30.0))
    assert found.clips_per_second == 2.0  # Of steps on batches that are there.
    assert found.shares["data"] == 0.75 and found.part_seconds["data"] == 30.0
    assert found.shares["backward"] == 0.1
    # 10 s less 2 + 2 + 0.5 + 4 + 0.25 + 0.125 + 0.125.
    assert found.part_seconds[report.REST] == pytest.approx(1.0)


def test_a_machine_that_slows_down_does_not_change_the_shares():
    slow = np.array([1.0, 3.0, 5.0])
    drifting = _way("float32", "active", 10.0 * slow)
    drifting = drifting._replace(parts=dict.fromkeys(drifting.parts, 1.0 * slow))
    found = report.summarise(drifting, _result(drifting))
    assert list(found.shares.values()) == pytest.approx([0.1] * 8 + [0.2])


@pytest.mark.parametrize("input_seconds", [None, 0.0, 1.7])
@pytest.mark.parametrize("whole", [[10.0] * 3, [0.1, 12.0, 3.0], [8.0] * 3])
def test_shares_add_up_to_one_whatever_the_rest(whole, input_seconds):
    way = _way("float32", "active", whole)
    found = report.summarise(way, _result(way, input_seconds=input_seconds))
    assert sum(found.shares.values()) == pytest.approx(1.0)
    rest = found.shares[report.REST]
    assert (rest < 0) == (np.median(whole) < 9)  # Where parts overlap.


def test_ratios_are_paired():
    ratios = report.speed_up(HALF, FULL)
    # 2, 2.5 and 4: not the ratio of the medians, which is 2.5 as well, nor of the means.
    assert ratios["step"] == pytest.approx((2.25, 2.5, 3.25))
    assert str(ratios["step"]) == "2.50 [2.25, 3.25]"
    assert list(ratios) == ["step", *step_parts.ENCODERS]
    assert ratios["key forward"] == (2.0, 2.0, 2.0)


def test_every_pair_is_compared_once():
    ways = [
        _way(precision, negatives, [seconds] * 3)
        for precision, fast in (("float32", 1.0), ("bfloat16", 2.0))
        for negatives, seconds in (("active", 12.0 / fast), ("random", 10.0 / fast))
    ]
    found = report.comparisons(_result(*ways))
    assert {name: each["step"].median for name, each in found["times_as_fast"].items()} == {
        "bfloat16 / float32, active": 2.0,
        "bfloat16 / float32, random": 2.0,
    }
    assert {name: each.median for name, each in found["times_as_long"].items()} == {
        "active / random, float32": pytest.approx(1.2),
        "active / random, bfloat16": pytest.approx(1.2),
    }
    alone = report.comparisons(_result(FULL))
    assert alone == {"times_as_fast": {}, "times_as_long": {}}


@pytest.mark.parametrize(
    ("rates", "kept"),
    [
        ({"float32": [16.0, 20.0, 18.0], "bfloat16": [40.0, 40.0, 36.0]}, [1, 2]),
        ({"float32": [16.0, 20.0, 18.0], "bfloat16": [40.0, 40.0, 35.0]}, [1]),
        ({"float32": [5.0, 5.0, 5.0]}, [0, 1, 2]),
        ({"float32": [20.0, 10.0, 10.0], "bfloat16": [20.0, 20.0, 40.0]}, [0, 1, 2]),  # None is.
    ],
)
def test_calm_rounds(rates, kept):
    products = {name: np.array(values) for name, values in rates.items()}
    found = report.calm(_result(FULL)._replace(products=products))
    assert found.ways[0].whole.tolist() == [[10.0, 10.0, 16.0][i] for i in kept]
    assert found.ways[0].parts["key forward"].tolist() == [[1.0, 2.0, 2.0][i] for i in kept]
    for name, values in rates.items():
        assert found.products[name].tolist() == [values[i] for i in kept]


def test_table_and_plain_values():
    result = _result(FULL, HALF, input_seconds=0.5)
    text = report.table(result)
    for words in (
        "active: times as fast: step 2.50 [2.50, 2.50]",  # Of the second round: 10 / 4.
        "of matrix products",
        "Medians of 1 of 3 rounds in turns, those with matrix products at 90%",
    ):
        assert words in text
    assert "peak memory" not in text  # It is not known of all.
    assert "peak memory, GB" in report.table(_result(FULL))
    values = report.to_dict(result)
    found = values["figures"]["float32"]["active"]
    assert found["whole_seconds"] == [10.0, 10.0, 16.0]
    assert found["product_share"] == pytest.approx(80 / 10 / 20)
    assert values["times_as_fast"]["bfloat16 / float32, active"]["step"]["median"] == 2.5
