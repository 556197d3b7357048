"""Retrieval by label against tables worked out by hand and a brute-force ranking."""

import tracemalloc

import numpy as np
import pytest

from actcl_tf.evaluate.metrics import class_retrieval

# Cosines of the query (1, 0) to these: 1, 0.8, 0.6, 0, -1.
TRAIN = np.array([[2.0, 0.0], [0.8, 0.6], [3.0, 4.0], [0.0, 1.0], [-1.0, 0.0]])


@pytest.mark.parametrize(
    ("labels", "rank"),
    [
        ([0, 1, 1, 1, 1], 1),
        ([1, 0, 0, 1, 1], 2),
        ([1, 1, 1, 1, 0], 5),
        ([0, 0, 0, 0, 0], 1),
        ([1, 1, 1, 1, 1], 6),  # None of the class: after all of them.
    ],
)
def test_hand_worked_ranks(labels, rank):
    found = class_retrieval.by_label([[1.0, 0.0]], [0], TRAIN, labels, num_nearest=3)
    assert found.ranks.tolist() == [rank]
    assert found.nearest.tolist() == [[0, 1, 2]]
    expected = [float(rank <= k and rank <= 5) for k in (1, 5, 10, 20)]
    assert found.scores == (*expected, rank)


@pytest.mark.parametrize(
    ("train", "labels", "rank", "nearest"),
    [
        pytest.param(np.ones((4, 2)), [0, 1, 1, 1], 4, [0, 1, 2, 3], id="collapsed"),
        pytest.param(np.ones((4, 2)), [0, 0, 1, 1], 3, [0, 1, 2, 3], id="collapsed, two right"),
        pytest.param(np.zeros((4, 2)), [1, 0, 1, 1], 4, [0, 1, 2, 3], id="all zero"),
        pytest.param([[1, 0], [1, 0], [0, 1]], [1, 0, 0], 2, [0, 1, 2], id="a wrong twin"),
        pytest.param([[1, 0], [1, 1e-4], [0, 1]], [0, 1, 0], 2, [0, 1, 2], id="rounding"),
        pytest.param([[0, 1], [9, 9]], [1, 0], 1, [1, 0], id="length does not matter"),
        pytest.param([[5.0, 0.0]], [0], 1, [0], id="one candidate"),
    ],
)
def test_degenerate_features(train, labels, rank, nearest):
    found = class_retrieval.by_label([[1.0, 0.0]], [0], train, labels)
    assert found.ranks.tolist() == [rank]
    assert found.nearest.tolist() == [nearest]


def _brute_force(test_x, test_y, train_x, train_y):
    ranks, nearest = [], []
    for row, label in zip(test_x, test_y, strict=True):
        cosine = [row @ c / np.linalg.norm(row) / np.linalg.norm(c) for c in train_x]
        order = np.argsort(cosine)[::-1]
        ranks.append(1 + np.flatnonzero(train_y[order] == label)[0])
        nearest.append(order[:7])
    return np.array(ranks), np.array(nearest)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("block", [1, 500, 10**6])
def test_agrees_with_sorting_in_blocks_of_any_size(seed, block, monkeypatch):
    monkeypatch.setattr(class_retrieval, "_BLOCK", block)
    rng = np.random.default_rng(seed)
    train_x, test_x = rng.normal(size=(60, 5)), rng.normal(size=(25, 5))
    train_y, test_y = np.arange(60) % 12, rng.integers(0, 12, 25)
    found = class_retrieval.by_label(test_x, test_y, train_x, train_y, num_nearest=7)
    ranks, nearest = _brute_force(test_x, test_y, train_x, train_y)
    np.testing.assert_array_equal(found.ranks, ranks)
    np.testing.assert_array_equal(found.nearest, nearest)
    expected = [np.mean(ranks <= k) for k in (1, 5, 10, 20)]
    np.testing.assert_allclose(found.scores, [*expected, np.median(ranks)])


def test_names_serve_as_labels_and_unseen_classes_are_not_found():
    found = class_retrieval.by_label(
        np.eye(3), ["dog", "cat", "cow"], np.eye(3), ["dog", "cat", "hen"], num_nearest=1
    )
    assert found.ranks.tolist() == [1, 1, 4]
    assert found.nearest.tolist() == [[0], [1], [2]]
    assert found.scores.r20 == pytest.approx(2 / 3)  # Never found, however many are looked at.


def test_shuffled_labels_give_chance(rng):
    labels = np.arange(600) % 20
    x = np.eye(20)[labels] + 0.1 * rng.normal(size=(600, 20))
    test, train = slice(0, 200), slice(200, 600)
    args = x[test], labels[test], x[train]
    assert class_retrieval.by_label(*args, labels[train]).scores.r1 == 1.0
    draws = [rng.permutation(labels[train]) for _ in range(20)]
    found = np.mean([class_retrieval.by_label(*args, draw).scores for draw in draws], axis=0)
    expected = class_retrieval.chance(labels[test], draws[0])
    np.testing.assert_allclose(found[:4], expected[:4], atol=0.06)
    assert abs(found[4] - expected.median_rank) < 3


@pytest.mark.parametrize(
    ("test", "train", "expected"),
    [
        ([0], [0], (1, 1, 1, 1, 1)),
        ([0], [1], (0, 0, 0, 0, 2)),
        ([0], [0, 1], (1 / 2, 1, 1, 1, 1)),
        ([0], [0] + [1] * 19, (1 / 20, 5 / 20, 10 / 20, 1, 10)),
        # Two right of 6: the first is right in 2 of 6, one of the first two in 1 - 4/6 * 3/5.
        ([0, 2], [0, 0, 1, 1, 2, 2], (1 / 3, 1, 1, 1, 2)),
        ([0, 3], [0, 0, 1, 1, 2, 2], (1 / 6, 1 / 2, 1 / 2, 1 / 2, 5)),
    ],
)
def test_hand_worked_chance(test, train, expected):
    np.testing.assert_allclose(class_retrieval.chance(test, train), expected)


def test_chance_is_the_average_over_random_features(rng):
    test_y, train_y = np.array([0, 0, 1, 2]), np.repeat([0, 1, 2], [20, 6, 2])
    found = [
        class_retrieval.by_label(
            rng.normal(size=(4, 30)), test_y, rng.normal(size=(28, 30)), train_y
        ).scores[:4]
        for _ in range(1500)
    ]
    # Standard errors are below 0.007.
    expected = class_retrieval.chance(test_y, train_y)[:4]
    np.testing.assert_allclose(np.mean(found, axis=0), expected, atol=0.025)


def test_the_whole_matrix_is_never_in_memory(rng, monkeypatch):
    monkeypatch.setattr(class_retrieval, "_BLOCK", 2**17)
    train_x, test_x = rng.normal(size=(4000, 8)), rng.normal(size=(3000, 8))
    tracemalloc.start()
    try:
        class_retrieval.by_label(test_x, np.arange(3000) % 9, train_x, np.arange(4000) % 9)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3000 * 4000 * 8 / 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test_x": np.zeros((0, 2)), "test_labels": []}, "test features must have shape"),
        (
            {"train_labels": [0, 1]},
            r"train features .* labels shape \[n\], got \(5, 2\) and \(2,\)",
        ),
        ({"test_x": [[1.0, 2.0, 3.0]]}, "2 columns of the training features, got 3"),
        ({"train_x": np.full((5, 2), np.inf)}, "train features hold NaN or infinity in 5 of 5"),
        ({"num_nearest": 0}, "num_nearest must be at least 1"),
    ],
)
def test_wrong_input_is_named(change, message):
    arguments = {
        "test_x": [[1.0, 0.0]],
        "test_labels": [0],
        "train_x": TRAIN,
        "train_labels": [0, 1, 2, 0, 1],
        **change,
    }
    with pytest.raises(ValueError, match=message):
        class_retrieval.by_label(**arguments)


def test_chance_needs_labels():
    with pytest.raises(ValueError, match="at least 1 test and 1 training label"):
        class_retrieval.chance([], [0])
