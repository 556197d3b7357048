"""Tables against text written by hand."""

import pytest

from actcl_tf.evaluate.results import results, score_tables
from actcl_tf.reporting import tables
from tests import made_results


@pytest.mark.parametrize(
    "name, value, expected",
    [
        ("top1", 0.8234, "82.3"),
        ("top1", 1.0, "100.0"),
        ("median_rank", 3.5, "3.50"),
        ("d_prime", 1.234, "1.23"),
        ("map", None, "-"),
        ("anything", 0.0, "0.0"),
    ],
)
def test_numbers(name, value, expected):
    assert score_tables.number(name, value) == expected


@pytest.mark.parametrize(
    "summary, expected",
    [
        (results.Summary(0.5, None, None, None, 1), "50.0"),
        (results.Summary(0.5, 0.05, None, None, 3), "50.0 ± 5.0"),
        (results.Summary(0.5, None, 0.4, 0.6, 1), "50.0 [40.0, 60.0]"),
        (results.Summary(0.5, 0.05, 0.4, 0.6, 2), "50.0 ± 5.0 [40.0, 60.0]"),
        (None, "-"),
    ],
)
def test_scores(summary, expected):
    assert score_tables.score("top1", summary) == expected


def test_what_differs_is_in_the_table():
    rows = [made_results.measurement(), made_results.measurement("log_mel", subset="shots=5")]
    (table,) = score_tables.build(rows)
    assert table.heads[:3] == ["modality", "features", "subset"]
    assert table.heads[3:] == ["top-1", "top-5", "by chance", "folds", "train", "test"]
    assert table.rows[0][2] == "-"
    assert table.rows[1][2] == "shots=5"
    assert table.rows[0][-4:] == ["40.0", "2", "30", "12"]


def test_each_kind_of_scores_has_a_table():
    folds = [results.Fold("test", 0, 9, {"r1": 0.5, "median_rank": 2.0})]
    parts = ("retrieval", "trained", "video_to_audio", "", "", "")
    other = results.Measurement(
        results.name_of(*parts), *parts, folds, results.summarise(folds, {}), {}, None, [], 0.0
    )
    found = score_tables.build([made_results.measurement(), other])
    assert [table.heads[2] for table in found] == ["top-1", "R@1"]
    assert found[1].rows == [["video_to_audio", "trained", "50.0", "2.00", "-", "1", "0", "9"]]


def test_aligned_text():
    table = tables.Table(["a", "score"], [["long name", "1"], ["b", "22.0"]])
    assert tables.to_text(table) == "a          score\nlong name  1\nb          22.0"
    for checkpoint, line in (
        ({"path": "runs/a", "step": 7}, "trained: step 7 of runs/a\n"),
        (None, ""),
    ):
        found = score_tables.text(made_results.result(checkpoint=checkpoint))
        assert found.startswith(f"run\n{line}modality  features  top-1")


def test_warnings_follow_the_tables():
    found = score_tables.text(
        made_results.result(warnings=["label, shots=5: so and so", "and more"])
    )
    assert found.endswith("\nWarning: label, shots=5: so and so.\nWarning: and more.")
