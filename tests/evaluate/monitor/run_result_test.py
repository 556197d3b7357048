"""What a training run measured, as a result that stands beside those of evaluations."""

import pytest

from actcl_tf.evaluate.monitor import run_result
from actcl_tf.evaluate.protocols import retrieval_protocol
from actcl_tf.evaluate.results import comparison, results, score_tables
from tests import made_results

SCORES = {
    "retrieval/num_clips": 12.0,
    **{
        f"retrieval/{direction}/{name}": value
        for direction in retrieval_protocol.ACROSS
        for name, value in (
            *(("r1", 0.25), ("r5", 0.75), ("r10", 1.0), ("r20", 1.0), ("median_rank", 3.0)),
            ("mean_reciprocal_rank", 0.5),
        )
    },
    **{
        f"probe/{encoder}/label/{name}": value
        for encoder in ("video", "audio")
        for name, value in (
            *(("accuracy", 0.8), ("low", 0.7), ("high", 0.9), ("chance", 0.4), ("c", 0.1)),
            *(("num_train", 30.0), ("num_test", 12.0), ("num_unseen", 0.0)),
            ("windows_in_order", 0.0),
        )
    },
}


def test_scores_are_rows_of_the_protocols():
    rows = {row.name: row for row in run_result.measurements(SCORES, "trained")}
    assert list(rows) == [
        "retrieval/video_to_audio/trained",
        "retrieval/audio_to_video/trained",
        "linear/video/trained/standardise",
        "linear/audio/trained/standardise",
    ]
    found = rows["retrieval/audio_to_video/trained"]
    # Among 12 candidates, the first 20 say nothing.
    assert list(found.summary) == ["r1", "r5", "r10", "median_rank"]
    assert found.summary["r5"] == results.Summary(0.75, None, None, None, 1)
    assert (found.chance["r1"], found.chance["median_rank"]) == (pytest.approx(1 / 12), 6.5)
    probe = rows["linear/video/trained/standardise"]
    assert probe.summary == {"top1": results.Summary(0.8, None, 0.7, 0.9, 1)}
    assert (probe.chance, probe.folds[0].num_train, probe.folds[0].num_test) == (
        {"top1": 0.4},
        *(30, 12),
    )


def test_no_scores_are_no_rows():
    assert run_result.measurements({}, "trained") == []
    assert run_result.measurements({"something/else": 1.0}, "trained") == []


def test_a_run_is_compared_with_an_evaluation(tmp_path):
    low = {**SCORES, "probe/audio/label/accuracy": 0.5, "probe/audio/label/low": 0.3}
    low["probe/audio/label/high"] = 0.69
    run = [
        *run_result.measurements(low, "initialised"),
        *run_result.measurements(SCORES, "trained"),
    ]
    results.write(tmp_path, made_results.result(*run, name="run"))
    evaluated = made_results.measurement("trained", 0.95, 0.91, 0.99, folds=1)
    found = comparison.compare([results.read(tmp_path), made_results.result(evaluated, name="svm")])
    (group,) = [each for each in found if each.title.endswith("classes, by top-1")]
    rows = [(e.result, e.row.modality, e.row.features, e.verdict) for e in group.entries]
    assert rows[0] == ("svm", "audio", "trained", "best")
    assert ("run", "audio", "initialised", "worse") in rows
    assert ("run", "video", "trained", "worse") in rows
    assert "R@1" in score_tables.text(results.read(tmp_path))
