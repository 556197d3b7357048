"""Protocols on features whose answer is known, and on labels that nothing can know."""

import dataclasses
import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from actcl_tf import config
from actcl_tf.evaluate.metrics import scores
from actcl_tf.evaluate.protocols import classifiers, knn

SETTINGS = classifiers.Settings(c_grid=(0.01, 0.1, 1.0))


def _blobs(rng, num, classes=4, size=12, distance=2.0):
    centres = np.random.default_rng(99).normal(size=(classes, size)) * distance
    labels = np.arange(num) % classes
    return centres[labels] + rng.normal(size=(num, size)), labels


def _predict(protocol, *args, num_classes=4, groups=None, settings=SETTINGS, seed=0):
    return classifiers.fit_predict(
        protocol, *args, num_classes=num_classes, groups=groups, settings=settings, seed=seed
    )


def _top1(prediction, labels, num_classes=4):
    return scores.classification(prediction.scores, labels, num_classes=num_classes).top1


@pytest.mark.parametrize("protocol", classifiers.CLASSIFIERS)
def test_separable_blobs_are_told_apart(rng, protocol):
    x, y = _blobs(rng, 120, distance=5.0)
    test_x, test_y = _blobs(rng, 80, distance=5.0)
    found = _predict(protocol, x, y, test_x)
    assert found.scores.shape == (80, 4)
    assert found.scores.dtype == np.float64
    assert _top1(found, test_y) == 1.0
    hot = np.eye(4, dtype=int)
    many = scores.multi_label(_predict(protocol, x, hot[y], test_x).scores, hot[test_y])
    assert many.mean_average_precision > 0.999


@pytest.mark.parametrize("protocol", classifiers.CLASSIFIERS)
def test_shuffled_labels_give_chance(rng, protocol):
    x, y = _blobs(rng, 200, distance=0.3)
    test_x, test_y = _blobs(rng, 400, distance=0.3)
    shuffled = [rng.permutation(y) for _ in range(6)]
    top1 = [_top1(_predict(protocol, x, labels, test_x), test_y) for labels in shuffled]
    assert abs(np.mean(top1) - 0.25) < 0.05
    aucs = []
    for labels in shuffled:
        one_hot = np.eye(4)[labels].astype(int)
        predicted = _predict(protocol, x, one_hot, test_x).scores
        aucs.append(scores.multi_label(predicted, np.eye(4)[test_y].astype(int)).mean_auc)
    assert abs(np.mean(aucs) - 0.5) < 0.04


@pytest.mark.parametrize("protocol", classifiers.CLASSIFIERS)
def test_test_clips_are_scored_one_by_one(rng, protocol):
    x, y = _blobs(rng, 60, distance=0.5)
    test_x, _ = _blobs(rng, 10, distance=0.5)
    for targets in (y, np.eye(4)[y]):
        together = _predict(protocol, x, targets, test_x).scores
        alone = [_predict(protocol, x, targets, row[None]).scores[0] for row in test_x]
        np.testing.assert_allclose(together, alone, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("protocol", classifiers.CLASSIFIERS)
def test_the_same_seed_gives_the_same_scores(rng, protocol):
    x, y = _blobs(rng, 60, distance=0.5)
    groups = [f"v{i // 3}" for i in range(60)]
    one, same = (_predict(protocol, x, y, x, groups=groups, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.scores, same.scores)
    assert one.chosen == same.chosen


@pytest.mark.parametrize("protocol", classifiers.CLASSIFIERS)
@pytest.mark.parametrize("present", [(1, 3), (0, 2, 3)])
def test_absent_classes_come_last(rng, protocol, present):
    x, y = _blobs(rng, 80, distance=1.0)
    known = np.isin(y, present)
    absent = sorted({0, 1, 2, 3, 4} - set(present))
    for targets in (y, np.eye(5)[y]):
        found = _predict(protocol, x[known], targets[known], x, num_classes=5).scores
        assert np.isfinite(found).all()
        assert (found[:, absent].max(axis=1) < found[:, list(present)].min(axis=1)).all()
        assert len(np.unique(found[:, absent])) == 1


@pytest.mark.parametrize("protocol", ["linear", "svm"])
def test_a_label_that_all_clips_have_tells_nothing(rng, protocol):
    x, y = _blobs(rng, 60, distance=3.0)
    targets = np.eye(4)[y]
    targets[:, 2] = 1
    found = _predict(protocol, x, targets, x).scores
    assert len(np.unique(found[:, 2])) == 1
    assert np.isfinite(found).all()


@pytest.mark.parametrize("protocol", classifiers.CLASSIFIERS)
@pytest.mark.parametrize(
    "x",
    [
        pytest.param(np.zeros((12, 3)), id="all zero"),
        pytest.param(np.full((12, 3), 7.0), id="constant"),
        pytest.param(np.eye(3)[np.arange(12) % 3], id="duplicates"),
        pytest.param(np.eye(12)[:, :3] * 1e-12, id="tiny"),
    ],
)
def test_degenerate_features_give_finite_scores(protocol, x):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = _predict(protocol, x, np.arange(12) % 4, x)
    assert np.isfinite(found.scores).all()


@pytest.mark.parametrize("protocol", classifiers.CLASSIFIERS)
def test_a_handful_of_clips(protocol):
    x = np.array([[1.0, 0.0], [0.0, 1.0]])
    found = _predict(protocol, x, [0, 1], x, num_classes=2)
    assert _top1(found, [0, 1], 2) == 1.0


@pytest.mark.parametrize("classes", [2, 3])
def test_softmax_of_linear_scores_is_the_probability(rng, classes):
    x, y = _blobs(rng, 60, classes, distance=0.5)
    found = _predict("linear", x, y, x, num_classes=classes)
    share = np.exp(found.scores) / np.exp(found.scores).sum(axis=1, keepdims=True)
    reference = LogisticRegression(C=found.chosen["c"], max_iter=1000).fit(x, y)
    np.testing.assert_allclose(share, reference.predict_proba(x), rtol=1e-9)


# Cosines of the query (1, 0) to the training clips: 1, 0.8, 0.6, 0 and -1.
NEIGHBOURS = np.array([[2.0, 0.0], [0.8, 0.6], [3.0, 4.0], [0.0, 1.0], [-1.0, 0.0]])
LABELS = np.array([0, 1, 1, 2, 2])


@pytest.mark.parametrize(
    ("k", "temperature", "votes"),
    [
        (1, 1.0, [np.e, 0, 0]),
        (2, 1.0, [np.e, np.exp(0.8), 0]),
        (3, 1.0, [np.e, np.exp(0.8) + np.exp(0.6), 0]),
        (9, 1.0, [np.e, np.exp(0.8) + np.exp(0.6), 1 + np.exp(-1)]),
        (3, 0.1, [np.exp(10), np.exp(8) + np.exp(6), 0]),
        (3, 1e-4, [1, 0, 0]),  # exp(10000) would be infinite.
        (3, 1e9, [1, 2, 0]),
    ],
)
def test_votes_of_neighbours(k, temperature, votes):
    settings = classifiers.Settings(knn_k=k, knn_temperature=temperature)
    for targets in (LABELS, np.eye(3)[LABELS]):
        found = _predict("knn", NEIGHBOURS, targets, [[5.0, 0.0]], num_classes=3, settings=settings)
        np.testing.assert_allclose(found.scores[0], np.array(votes) / np.sum(votes), atol=1e-8)
        assert found.chosen == {"k": min(k, 5)}


def test_a_neighbour_votes_for_each_of_its_labels():
    targets = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1], [1, 0, 1]])
    settings = classifiers.Settings(knn_k=3, knn_temperature=1.0)
    found = _predict("knn", NEIGHBOURS, targets, [[1.0, 0.0]], num_classes=3, settings=settings)
    weights = np.exp([1.0, 0.8, 0.6])
    expected = [weights[0], weights[0] + weights[1], 0.0]
    np.testing.assert_allclose(found.scores[0], np.array(expected) / weights.sum())


def test_neighbours_in_blocks_of_any_size(rng, monkeypatch):
    x, y = _blobs(rng, 300, distance=0.5)
    whole = _predict("knn", x, y, x)
    monkeypatch.setattr(knn, "_BLOCK", 0.05)  # 20 rows of distances.
    np.testing.assert_allclose(_predict("knn", x, y, x).scores, whole.scores, rtol=1e-9)


@pytest.mark.parametrize("protocol", classifiers.CLASSIFIERS)
@pytest.mark.parametrize("targets", [[1, 1, 1], np.ones((3, 2), int)])
def test_one_training_class_is_named(protocol, targets):
    with pytest.raises(classifiers.ProtocolError, match="classifier needs"):
        _predict(protocol, np.eye(3), targets, np.eye(3), num_classes=2)


def test_an_unknown_protocol_is_named():
    with pytest.raises(
        classifiers.ProtocolError, match="'forest': must be one of linear, svm, knn"
    ):
        _predict("forest", np.eye(3), [0, 1, 0], np.eye(3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"knn_k": 0}, "--knn_k=0: must be at least 1"),
        ({"knn_temperature": 0.0}, "--knn_temperature=0.0: must be greater than 0"),
        ({"knn_temperature": float("nan")}, "--knn_temperature=nan: must be greater than 0"),
        ({"c_grid": ()}, "--c_grid=: must be one or more numbers"),
        ({"c_grid": (1.0, -1.0)}, "--c_grid=1.0,-1.0: must be one or more numbers"),
        ({"c_grid": (float("inf"),)}, "--c_grid=inf: must be one or more numbers"),
        ({"c_folds": 1}, "--c_folds=1: must be at least 2"),
        ({"max_iterations": 0}, "--max_iterations=0: must be at least 1"),
    ],
)
def test_wrong_settings_are_named(change, message):
    with pytest.raises(config.ConfigError, match=message):
        classifiers.Settings(**change)


def test_every_setting_explains_itself():
    assert all(field.metadata["help"] for field in dataclasses.fields(classifiers.Settings))
