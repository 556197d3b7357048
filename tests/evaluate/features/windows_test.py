"""Windows as rows, against sums by hand."""

import numpy as np
import pytest

from actcl_tf.evaluate.features import windows

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


ARRAYS = {"video": X.astype("f"), "audio": np.array([[[9.0], [8.0]], [[7.0], [6.0]]], "f")}


def test_streams_are_joined_by_window():
    both = windows.Features(ARRAYS, "both", "scores", 2)
    assert both.rows_a_clip == 2
    train, test = both.matrices("none", np.array([1]), np.array([0, 1]))
    # Crops are averaged: sound has none.
    assert train.tolist() == [[1.0, 7.0], [15.0, 6.0]]
    assert test.tolist() == [[2.0, 9.0], [6.0, 8.0], [1.0, 7.0], [15.0, 6.0]]
    alone = windows.Features(ARRAYS, "video", "scores", 2)
    assert alone.rows_a_clip == 4
    assert alone.matrices("none", np.array([1]), np.array([0]))[1].tolist() == [[1], [3], [5], [7]]


def test_each_stream_is_preprocessed_by_itself_and_by_training_clips():
    arrays = {
        "video": np.array([[[3.0, 4.0]], [[0.0, 2.0]], [[6.0, 8.0]]], "f"),
        "audio": np.array([[[10.0]], [[20.0]], [[30.0]]], "f"),
    }
    train, test = np.array([0, 1]), np.array([2])
    both = windows.Features(arrays, "both", "mean", 1)
    train_x, test_x = both.matrices("l2", train, test)
    np.testing.assert_allclose(train_x, [[0.6, 0.8, 1.0], [0.0, 1.0, 1.0]])
    np.testing.assert_allclose(test_x, [[0.6, 0.8, 1.0]])
    heard = windows.Features(arrays, "audio", "mean", 1)
    train_x, test_x = heard.matrices("standardise", train, test)
    np.testing.assert_allclose(train_x[:, 0], [-1.0, 1.0])
    np.testing.assert_allclose(test_x[:, 0], [3.0])


@pytest.mark.parametrize("how", ["scores", "mean", "concatenate"])
@pytest.mark.parametrize("name", ["none", "l2", "standardise"])
def test_blocks_change_nothing(rng, monkeypatch, how, name):
    arrays = {
        "video": rng.normal(size=[23, 6, 5]).astype("f"),
        "audio": rng.normal(size=[23, 3, 4]).astype("f"),
    }
    train, test = rng.permutation(23)[:15], np.arange(8)
    both = windows.Features(arrays, "both", how, 3)
    whole = both.matrices(name, train, test)
    monkeypatch.setattr(windows, "_BLOCK", 70)  # Two or three clips at a time.
    for one, other in zip(whole, both.matrices(name, train, test), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-12, atol=1e-12)


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
