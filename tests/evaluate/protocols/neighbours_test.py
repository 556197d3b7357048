"""Neighbours that are shown: the right clips, of the right looks."""

import numpy as np
import pytest

from actcl_tf import config
from actcl_tf.evaluate.clips import clip_table, splits
from actcl_tf.evaluate.features import feature_sets
from actcl_tf.evaluate.protocols import neighbours
from tests import labelled_data as made

CLASSES = ("high", "low")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gallery")
    for split, count in (("train", 6), ("test", 3)):
        examples = [
            made.record(f"{split}{i}", i % 2, classes=CLASSES, pitch=400.0 + 100 * i, seconds=6.0)
            for i in range(count)
        ]
        made.write(folder, split, examples, classes=CLASSES, seconds=6.0)
    return str(folder)


def test_nearest_training_clips_of_some_test_clips(data):
    table = clip_table.read(data, ("train", "test"))
    (targets,) = clip_table.find_targets(table)
    settings = config.EvaluationConfig(clips=1, neighbours=2, preprocessing="none")
    (fold,) = splits.find_folds(table, settings)
    # Directions of a plane: test clip 6 is nearest to clips 0, 1, 2, 3; clip 8 to 5, 4, 3, 2.
    angles = np.radians([0, 20, 40, 60, 70, 80, 1, 45, 85])
    arrays = {"audio": np.stack([np.cos(angles), np.sin(angles)], 1)[:, None].astype("f")}
    found = neighbours.find(
        feature_sets.FeatureSet("trained", arrays), table, fold, targets, settings, data
    )
    assert [each.stream for each in found] == ["audio", "audio"]
    assert [each.query.caption for each in found] == ["high (test0.wav)", "high (test2.wav)"]
    names = [[clip.caption.split("(")[1][:-1] for clip in each.nearest] for each in found]
    assert names == [
        [f"train{i}.wav" for i in (0, 1, 2, 3)],
        [f"train{i}.wav" for i in (5, 4, 3, 2)],
    ]
    assert [clip.is_right for clip in found[0].nearest] == [True, False, True, False]
    assert found[0].query.is_right is None
    for each in found:
        for place, clip in enumerate([each.query, *each.nearest]):
            assert clip.frames is None
            assert len(clip.waveform) == 4 * made.RATE  # The middle of six seconds.
            number = int(clip.caption.split(".")[0][-1])
            spectrum = np.abs(np.fft.rfft(clip.waveform))
            assert spectrum.argmax() / 4 == pytest.approx(400 + 100 * number, abs=1), place


def test_nothing_is_shown_where_nothing_is_asked_for(data):
    table = clip_table.read(data, ("train", "test"))
    (targets,) = clip_table.find_targets(table)
    fold = made.fold(range(6), range(6, 9))
    features = feature_sets.FeatureSet("trained", {"audio": np.ones([9, 1, 2], "f")})
    none = config.EvaluationConfig(neighbours=0)
    assert neighbours.find(features, table, fold, targets, none, data) == []
    hot = targets._replace(values=np.ones([9, 2], bool))
    some = config.EvaluationConfig()
    assert neighbours.find(features, table, fold, hot, some, data) == []
