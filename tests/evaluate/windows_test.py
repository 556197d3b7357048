"""Windows as rows, against sums by hand."""

import numpy as np
import pytest

from actcl_tf.evaluate import windows

# 2 clips, 2 windows in time of 2 crops each, 1 feature.
X = np.array([[[1.0], [3.0], [5.0], [7.0]], [[0.0], [2.0], [10.0], [20.0]]])


@pytest.mark.parametrize(
    "how, expected",
    [
        ("scores", X.tolist()),
        ("mean", [[[4.0]], [[8.0]]]),
        ("concatenate", [[[2.0, 6.0]], [[1.0, 15.0]]]),
    ],
)
def test_rows(how, expected):
    np.testing.assert_allclose(windows.rows(X, how, 2), expected)


def test_streams_are_joined_by_window():
    arrays = {"video": X.astype("f"), "audio": np.array([[[9.0], [8.0]], [[7.0], [6.0]]], "f")}
    clips = np.array([1])
    video, audio = windows.joined(arrays, "both", clips, "scores", 2)
    assert video.tolist() == [[[1.0], [15.0]]]  # Crops averaged: sound has none.
    assert audio.tolist() == [[[7.0], [6.0]]]
    (alone,) = windows.joined(arrays, "video", clips, "scores", 2)
    assert alone.shape == (1, 4, 1)


def test_each_stream_is_preprocessed_by_itself_and_by_training_clips():
    train = [np.array([[[3.0, 4.0]], [[0.0, 2.0]]]), np.array([[[10.0]], [[20.0]]])]
    test = [np.array([[[6.0, 8.0]]]), np.array([[[30.0]]])]
    train_x, test_x = windows.preprocess("l2", train, test)
    np.testing.assert_allclose(train_x, [[0.6, 0.8, 1.0], [0.0, 1.0, 1.0]])
    np.testing.assert_allclose(test_x, [[0.6, 0.8, 1.0]])
    train_x, test_x = windows.preprocess("standardise", train[1:], test[1:])
    np.testing.assert_allclose(train_x[:, 0], [-1.0, 1.0])
    np.testing.assert_allclose(test_x[:, 0], [3.0])


def test_scores_are_averaged_by_clip():
    scores = np.array([[0.0, 1.0], [1.0, 0.0], [0.2, 0.8], [0.4, 0.6]])
    np.testing.assert_allclose(windows.average(scores, 2), [[0.5, 0.5], [0.3, 0.7]])


@pytest.mark.parametrize(
    "modality, expected",
    [
        ("video", ("video",)),
        ("audio", ("audio",)),
        ("both", ("video", "audio")),
        ("late_fusion", ("video", "audio")),
    ],
)
def test_streams_of_modalities(modality, expected):
    assert windows.modalities_of(modality) == expected
