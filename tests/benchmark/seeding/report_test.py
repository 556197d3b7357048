import pytest

from actcl_tf.benchmark.seeding import report, timing


def _row(num_points, way, ratio, extra_bytes=None):
    return timing.Row(
        "gaussian", num_points, way, [0.5 * ratio], ratio, [ratio] * 2, 2.0, 5.0, 6.0, 3.0, 0.25,
        extra_bytes, 100,
    )  # fmt: skip


RESULT = timing.Result(
    rows=[
        _row(10, "blocked_xla", 1.0, 40),
        _row(10, "plain_xla", 3.0),
        _row(10, "greedy_sklearn", 2000.0),
        _row(20, "blocked_xla", 1.0, 150),
        _row(20, "plain_xla", 9.0),
        _row(20, "plain_graph", 7.0),
        _row(20, "plain_numpy", 3.0),
    ],
    ladder=[
        timing.Rung("gaussian", 10, [0.25], None),
        timing.Rung("gaussian", 20, [0.5], 2.0),
        timing.Rung("gaussian", 40, [1.25], 2.5),
    ],
    copy_bytes_per_second=[10e9, 30e9, 20e9],
)


def test_targets_are_told_from_the_right_rows():
    found = {target.what: (target.value, target.met) for target in report.targets(RESULT)}
    assert found == {
        "gaussian, N = 20: plain_xla / ours": (9.0, True),
        "gaussian, N = 20: fastest plain loop / ours": (3.0, False),
        "gaussian, N = 10: greedy_sklearn / ours": (2000.0, True),
        "gaussian: time at 2 N / time at N, the worst of 2": (2.5, False),
        "N = 20: extra memory / the two factors": (1.5, False),
    }


def test_what_was_not_measured_has_no_target():
    rows = [_row(10, "blocked_xla", 1.0), _row(10, "plain_numpy", 3.0)]
    result = RESULT._replace(rows=rows, ladder=RESULT.ladder[:1])
    assert report.targets(result) == []
    assert " - " in report.table(result)


def test_verdicts_name_what_is_missed():
    lines = report.verdicts(report.targets(RESULT)).splitlines()
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
    lines = [" ".join(line.split()) for line in report.table(RESULT).splitlines()]
    assert any(words in line for line in lines), lines
