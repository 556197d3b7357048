"""Results to disk and back, and what is no result."""

import json

import pytest

from actcl_tf.evaluate.results import results
from tests import made_results


def test_a_result_comes_back_as_it_was(tmp_path):
    made = made_results.result(made_results.measurement(), made_results.measurement("log_mel"))
    path = results.write(tmp_path, made)
    assert path == tmp_path / "result.json"
    assert results.read(tmp_path) == results.read(path) == made
    assert json.loads(path.read_text())["schema_version"] == 1


@pytest.mark.parametrize(
    "parts, expected",
    [
        (("svm", "trained", "audio", "l2", "label", ""), "svm/audio/trained/l2"),
        (
            ("svm", "trained", "audio", "l2", "digit", "shots=5"),
            "svm/audio/digit/trained/l2/shots=5",
        ),
        (("finetune", "scratch", "video", "", "label", ""), "finetune/video/scratch"),
        (
            ("retrieval", "trained", "video_to_audio", "", "", ""),
            "retrieval/video_to_audio/trained",
        ),
    ],
)
def test_names(parts, expected):
    assert results.name_of(*parts) == expected


def test_folds_are_put_together():
    folds = [results.Fold(str(k), 5, 2, {"top1": x, "top5": 1.0}) for k, x in enumerate((0.4, 0.6))]
    found = results.summarise(folds, {"top1": (0.3, 0.7)})
    assert list(found) == ["top1", "top5"]
    assert (found["top1"].mean, found["top1"].low, found["top1"].high) == (0.5, 0.3, 0.7)
    assert found["top1"].std == pytest.approx(0.1414213562)
    assert (found["top5"].low, found["top5"].high, found["top5"].num) == (None, None, 2)
    assert results.summarise(folds[:1], {})["top1"].std is None


@pytest.mark.parametrize(
    "text, message",
    [
        (None, "cannot be read .*name the --output of tools/evaluate.py"),
        ("{", "is damaged"),
        ("[]", "no result of tools/evaluate.py"),
        ('{"schema_version": 2}', "schema_version is 2, not 1"),
        ('{"schema_version": 1}', "is damaged"),
        ('{"schema_version": 1, "measurements": [], "unknown": 1}', "is damaged"),
    ],
)
def test_what_is_no_result_is_refused(tmp_path, text, message):
    if text is not None:
        (tmp_path / "result.json").write_text(text)
    with pytest.raises(results.ResultError, match=message):
        results.read(tmp_path)


def test_a_score_that_is_no_number_is_refused(tmp_path):
    path = results.write(tmp_path, made_results.result())
    path.write_text(path.read_text().replace('"mean": 0.8', '"mean": NaN'))
    with pytest.raises(results.ResultError, match="NaN is no finite number"):
        results.read(tmp_path)


def _folds(*scores):
    return [results.Fold(f"fold {k}", 3, 2, each) for k, each in enumerate(scores)]


def test_folds_are_summarised():
    folds = _folds({"top1": 0.5, "top5": 1}, {"top1": 0.7, "top5": 1}, {"top5": 1, "top1": 0.9})
    found = results.summarise(folds, {"top1": (0.4, 0.8)})
    assert found["top1"] == results.Summary(*map(pytest.approx, (0.7, 0.2, 0.4, 0.8)), 3)
    assert found["top5"] == results.Summary(1.0, 0.0, None, None, 3)
    assert list(found) == ["top1", "top5"]
    assert results.summarise(folds[:1], {})["top1"] == results.Summary(0.5, None, None, None, 1)


def test_a_score_that_is_no_number_is_named():
    with pytest.raises(ValueError, match="score a must be finite in every fold"):
        results.summarise(_folds({"a": 1.0}, {"a": float("nan")}), {})
