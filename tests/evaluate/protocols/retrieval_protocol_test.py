"""Retrieval measured on features made so that the answers are known."""

import numpy as np
import pytest

from actcl_tf import config
from actcl_tf.evaluate.clips import clip_table
from actcl_tf.evaluate.features import feature_sets
from actcl_tf.evaluate.protocols import retrieval_protocol
from tests import labelled_data as made

# Training clips 0 to 3, test clips 4 and 5, as directions of a plane; two windows each.
ANGLES = np.radians([0, 50, 90, 180, 10, 80])
POINTS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], 1)
LABELS = np.array([0, 1, 0, 1, 0, 1])
SETTINGS = config.EvaluationConfig(protocol="retrieval", clips=2, preprocessing="none")


def _features(**arrays):
    doubled = {name: np.repeat(x[:, None], 2, 1).astype("f") for name, x in arrays.items()}
    return feature_sets.FeatureSet("trained", doubled)


def test_within_a_stream():
    targets = clip_table.Targets("label", ["a", "b"], LABELS)
    row = retrieval_protocol.within(
        _features(audio=POINTS),
        "audio",
        targets,
        [made.fold(range(4), [4, 5])],
        [f"v{i}" for i in range(6)],
        SETTINGS,
    )
    # Clip 4 finds 0 of its class first; clip 5 finds 2 of the other, then 1 of its own.
    summary = {name: each.mean for name, each in row.summary.items()}
    assert summary == {"r1": 0.5, "median_rank": 1.5}
    assert row.name == "retrieval/audio/trained/none"
    assert (row.summary["r1"].low, row.summary["r1"].high) == (0.0, 1.0)
    assert row.chance["r1"] == pytest.approx(0.5)
    assert (row.folds[0].num_train, row.folds[0].num_test) == (4, 2)


def test_a_class_that_cannot_be_found():
    targets = clip_table.Targets("label", ["a", "b"], np.array([0, 0, 0, 0, 1, 0]))
    row = retrieval_protocol.within(
        _features(audio=POINTS),
        "audio",
        targets,
        [made.fold(range(4), [4, 5])],
        list("abcdef"),
        SETTINGS,
    )
    assert row.summary["r1"].mean == 0.5
    # Among 4 candidates the first 5 say nothing.
    assert list(row.summary) == list(row.chance) == ["r1", "median_rank"]


def test_across_streams():
    """Sounds are their pictures' directions, but two are exchanged."""
    sounds = POINTS[[0, 1, 2, 3, 5, 4]]
    features = _features(video_embedding=POINTS, audio_embedding=sounds)
    rows = retrieval_protocol.across(
        features, [made.fold([0], range(1, 6))], list("abcdef"), SETTINGS
    )
    assert [row.modality for row in rows] == ["video_to_audio", "audio_to_video"]
    for row in rows:
        assert row.summary["r1"].mean == pytest.approx(3 / 5)
        assert row.chance["r1"] == pytest.approx(1 / 5)
        assert row.label == row.preprocessing == ""
        assert row.folds[0].num_test == 5


def test_several_labels_are_refused():
    targets = clip_table.Targets("label", ["a", "b"], np.eye(2, dtype=bool)[LABELS])
    with pytest.raises(config.ConfigError, match=r"--protocol=retrieval: .* several labels"):
        retrieval_protocol.within(
            _features(audio=POINTS),
            "audio",
            targets,
            [made.fold([0], [1])],
            list("abcdef"),
            SETTINGS,
        )
