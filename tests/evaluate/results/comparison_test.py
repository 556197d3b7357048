"""What is best, what is worse, and what stays open."""

import csv
import io

import pytest

from actcl_tf.evaluate.results import comparison, results
from tests import made_results as made


def _verdicts(*found, score=""):
    groups = comparison.compare(found, score)
    return [[(e.result, e.row.features, e.verdict) for e in group.entries] for group in groups]


def test_verdicts_follow_the_error_bars():
    one = made.result(
        made.measurement("trained", 0.8, 0.75, 0.85),
        made.measurement("initialised", 0.7, 0.65, 0.76),
        made.measurement("log_mel", 0.6, 0.55, 0.7499),
        name="one",
    )
    two = made.result(made.measurement("trained", 0.9, 0.74, 0.99), name="two")
    assert _verdicts(one, two) == [
        [
            ("two", "trained", "best"),
            ("one", "trained", "not decided"),
            ("one", "initialised", "not decided"),
            ("one", "log_mel", "not decided"),
        ]
    ]
    assert _verdicts(one)[0] == [
        ("one", "trained", "best"),
        ("one", "initialised", "not decided"),
        ("one", "log_mel", "worse"),
    ]


def test_without_intervals_folds_decide_and_one_fold_does_not():
    best = made.measurement("trained", 0.9, None, None, folds=2)
    far = made.measurement("log_mel", 0.8, None, None, folds=2)
    near = made.measurement("random", 0.87, None, None, folds=2)
    # Deviation 0.0283 over 2 folds: 1.96 standard errors are 0.0392.
    low, high = comparison.error_bar(best.summary["top1"])
    assert (low, high) == (pytest.approx(0.8608, abs=1e-4), pytest.approx(0.9392, abs=1e-4))
    found = _verdicts(made.result(best, far, near))[0]
    assert [verdict for _, _, verdict in found] == ["best", "not decided", "worse"]
    single = made.result(
        made.measurement("trained", 0.9, None, None, folds=1),
        made.measurement("log_mel", 0.1, None, None, folds=1),
    )
    assert [v for _, _, v in _verdicts(single)[0]] == ["best", "not decided"]


def test_only_what_is_alike_is_ranked():
    rows = [
        made.measurement(),
        made.measurement(label="digit"),
        made.measurement(subset="shots=5"),
        made.measurement(folds=1),
    ]
    found = _verdicts(made.result(*rows), made.result(name="other data", digest="d2"))
    assert [len(group) for group in found] == [1, 1, 1, 1, 1]
    assert {group[0][2] for group in found} == {""}


def test_another_score_and_lower_is_better():
    folds = [results.Fold("test", 9, 9, {"r1": 0.5, "median_rank": rank}) for rank in (2.0, 7.0)]
    rows = []
    for fold, features in zip(folds, ("initialised", "trained"), strict=True):
        parts = ("retrieval", features, "video", "l2", "label", "")
        rows.append(
            results.Measurement(
                results.name_of(*parts),
                *parts,
                [fold],
                results.summarise([fold], {}),
                {},
                None,
                [],
                0.0,
            )
        )
    found = _verdicts(made.result(*rows[::-1]), score="median_rank")
    assert [features for _, features, _ in found[0]] == ["initialised", "trained"]
    with pytest.raises(comparison.ComparisonError, match="--score=top9: must be one of median_"):
        comparison.compare([made.result(*rows)], "top9")


def test_reading_folders(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        results.write(tmp_path / name, made.result(name="same"))
    found = comparison.read([str(tmp_path / "a"), str(tmp_path / "b")])
    assert [each.name for each in found] == [f"same ({tmp_path / n})" for n in "ab"]
    with pytest.raises(comparison.ComparisonError, match="is named twice"):
        comparison.read([str(tmp_path / "a"), str(tmp_path / "b" / ".." / "a")])
    with pytest.raises(comparison.ComparisonError, match="name one folder"):
        comparison.read([])
    with pytest.raises(results.ResultError, match="cannot be read"):
        comparison.read([str(tmp_path / "none")])


def test_written_forms(tmp_path):
    result = made.result(
        made.measurement(), made.measurement("log_mel", 0.3, 0.2, 0.4), name='a|b, "c" <i>'
    )
    groups = comparison.compare([result])
    rows = list(csv.reader(io.StringIO(comparison.csv_text(groups))))
    assert rows[0][:4] == ["result", "row", "score", "value"]
    assert [row[0] for row in rows[1:]] == ['a|b, "c" <i>'] * 2
    assert [row[6] for row in rows[1:]] == ["best", "worse"]
    assert float(rows[1][3]) == pytest.approx(0.8)
    lines = comparison.markdown(groups).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert 'a\\|b, "c" <i>' in table[2]
    assert table[2].startswith("| **")
    assert {line.replace("\\|", "").count("|") for line in table} == {5}
    paths = comparison.write(tmp_path / "new" / "folder", groups)
    assert [path.name.rpartition(".")[2] for path in paths] == ["md", "csv", "html", "png"]
    page = paths[2].read_text()
    assert "a|b, &quot;c&quot; &lt;i&gt;" in page
    assert "<i>" not in page
    assert paths[3].read_bytes()[:4] == b"\x89PNG"


def test_few_clips_of_several_results_are_curves(tmp_path):
    found = [
        made.result(
            *(made.measurement(features, subset=f"shots={k}") for k in (1, 5)),
            name=f"run {features}",
        )
        for features in ("trained", "scratch")
    ]
    page = comparison.write(tmp_path, comparison.compare(found))[2].read_text()
    assert "Few training clips, by shots: label" in page
    assert page.index("Low-shot") < page.index("shots=1, by top-1")
