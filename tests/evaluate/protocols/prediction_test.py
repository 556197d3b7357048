"""Checks of what protocols take, and how scores of some classes become scores of all."""

import numpy as np
import pytest

from actcl_tf.evaluate.protocols import prediction

X, Y = np.arange(8.0).reshape(4, 2), np.array([0, 1, 0, 1])
HOT = np.array([[1, 0, 1], [0, 1, 1], [0, 0, 1], [1, 1, 1]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_x": X[:, 0]}, r"train features must have shape \[n, d\]"),
        ({"test_x": np.zeros((0, 2))}, r"test features must have shape \[n, d\]"),
        ({"train_x": [*X[:3], [1.0, np.nan]]}, "train features hold NaN .* in 1 of 4 .* row 3"),
        ({"test_x": np.full((5, 2), np.inf)}, "test features hold NaN or infinity in 5 of 5"),
        ({"test_x": np.zeros((4, 3))}, "must have the 2 columns .* got 3"),
        ({"train_y": [0, 1]}, r"must have shape \[4\] or \[4, 3\] .* got \(2,\)"),
        ({"train_y": HOT[:, :2]}, r"must have shape \[4\] or \[4, 3\] .* got \(4, 2\)"),
        ({"train_y": [0.5, 1, 0, 1]}, "must be whole numbers, got float64"),
        ({"train_y": ["a", "b", "a", "b"]}, "must be whole numbers, got <U1"),
        ({"train_y": [0, 1, -1, 1]}, "from 0 to 2, got -1 in row 2; leave clips without"),
        ({"train_y": [0, 1, 1, 3]}, "from 0 to 2, got 3 in row 3"),
        ({"train_y": [2, 2, 2, 2]}, "at least 2 classes, got 4 clips of class 2"),
        ({"train_y": HOT * 2}, "must be 0 or 1"),
        ({"train_y": HOT * 0}, "some training clips have and others have not, got none among 3"),
        ({"groups": ["a", "b"]}, "video of each of 4 training clips, got 2 names"),
    ],
)
def test_wrong_input_is_named(change, message):
    arguments = {"train_x": X, "train_y": Y, "test_x": X, "num_classes": 3, **change}
    with pytest.raises(prediction.ProtocolError, match=message):
        prediction.check(**arguments)


def test_videos_are_numbered():
    task = prediction.check(X, Y, X, num_classes=2, groups=["b.mp4", "a.mp4", "b.mp4", "c.mp4"])
    assert task.groups[0] == task.groups[2]
    assert len(set(task.groups.tolist())) == 3
    assert prediction.check(X, Y, X, num_classes=2).groups.tolist() == [0, 1, 2, 3]


def test_both_kinds_of_targets():
    task = prediction.check(X, HOT.astype(np.float32), X, num_classes=3)
    assert task.multi_label
    assert task.train_y.dtype == bool
    assert prediction.mixed_labels(task.train_y).tolist() == [0, 1]
    assert not prediction.check(X, Y.astype(np.int32), X, num_classes=3).multi_label


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([[3.0, 1.0]], [[0.0 - 1.0, 3.0, -1.0, 1.0]]),
        ([[0.0, 0.0], [0.0, -2.0]], [[-5.0, 0.0, -5.0, 0.0], [-5.0, 0.0, -5.0, -2.0]]),
        ([[1e300, -1e300]], [[-2e300, 1e300, -2e300, -1e300]]),
    ],
)
def test_absent_classes_get_less_than_any(scores, expected):
    found = prediction.spread(np.array(scores), np.array([1, 3]), 4)
    np.testing.assert_allclose(found, expected)
    assert found[:, [0, 2]].max() < np.min(scores)
