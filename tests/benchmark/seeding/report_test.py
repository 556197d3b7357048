import pytest

from actcl_tf.benchmark.seeding import report


def _row(num_points, way, ratio, extra_bytes=None):
    return {
        "points": "gaussian",
        "num_points": num_points,
        "way": way,
        "seconds": [0.5 * ratio],
        "ratio": ratio,
        "ratio_quartiles": [ratio, ratio],
        "passes": 2.0,
        "gigabytes_moved": 3.0,
        "copy_share": 0.25,
        "extra_bytes": extra_bytes,
        "factor_bytes": 100,
    }


def _rung(num_points, seconds, ratio):
    return {"points": "gaussian", "num_points": num_points, "seconds": [seconds], "ratio": ratio}


FIGURES = {
    "rows": [
        _row(10, "blocked_xla", 1.0, 40),
        _row(10, "plain_xla", 3.0),
        _row(10, "greedy_sklearn", 2000.0),
        _row(20, "blocked_xla", 1.0, 150),
        _row(20, "plain_xla", 9.0),
        _row(20, "plain_graph", 7.0),
        _row(20, "plain_numpy", 3.0),
    ],
    "ladder": [_rung(10, 0.25, None), _rung(20, 0.5, 2.0), _rung(40, 1.25, 2.5)],
    "copy_bytes_per_second": [10e9, 30e9, 20e9],
}


def test_targets_are_told_from_the_right_rows():
    found = {each["what"]: (each["value"], each["met"]) for each in report.targets(FIGURES)}
    assert found == {
        "gaussian, N = 20: plain_xla / ours": (9.0, True),
        "gaussian, N = 20: fastest plain loop / ours": (3.0, False),
        "gaussian, N = 10: greedy_sklearn / ours": (2000.0, True),
        "gaussian: time at 2 N / time at N, the worst of 2": (2.5, False),
        "N = 20: extra memory / the two factors": (1.5, False),
    }


def test_what_was_not_measured_has_no_target():
    rows = [_row(10, "blocked_xla", 1.0), _row(10, "plain_numpy", 3.0)]
    figures = {**FIGURES, "rows": rows, "ladder": FIGURES["ladder"][:1]}
    assert report.targets(figures) == []
    assert " - " in report.table(figures)


def test_verdicts_name_what_is_missed():
    lines = report.verdicts(report.targets(FIGURES)).splitlines()
    assert lines[1] == "  met     gaussian, N = 20: plain_xla / ours: 9.00 (at least 8)"
    assert lines[4].startswith("  MISSED  gaussian: time at 2 N") and "at most 2.3" in lines[4]


@pytest.mark.parametrize(
    "words",
    [
        "gaussian points, N = 10; the two factors take 0.0 MB",
        # Seconds, ratio, extra MB and share, passes, gigabytes and share of the copy bandwidth.
        "blocked_xla 0.5000 1.00 [1.00, 1.00] 0.0 1.50 2 3.000 25%",
        "greedy_sklearn 1000.0000 2,000 [2,000, 2,000] - - 2 3.000 25%",
        "40 1.2500 2.50",
        "20.0 GB/s, read and written",
    ],
)
def test_table_shows_every_figure(words):
    lines = [" ".join(line.split()) for line in report.table(FIGURES).splitlines()]
    assert any(words in line for line in lines), lines
