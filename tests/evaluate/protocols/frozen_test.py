"""Measurements of frozen features, against scikit-learn called directly and against chance."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from actcl_tf import config
from actcl_tf.evaluate.clips import clip_table, splits
from actcl_tf.evaluate.features import feature_sets
from actcl_tf.evaluate.protocols import classifiers, frozen
from tests import labelled_data as made

NUM, CLASSES, WINDOWS = 90, 3, 4


def _data(rng, strength=2.0):
    labels = np.arange(NUM) % CLASSES
    centres = rng.normal(size=[CLASSES, 6]) * strength
    x = centres[labels][:, None] + rng.normal(size=[NUM, WINDOWS, 6])
    arrays = {"audio": x.astype(np.float32), "video": x[::-1].astype(np.float32)}
    targets = clip_table.Targets("label", list("abc"), labels)
    names = [f"v{i}" for i in range(NUM)]
    folds = [
        made.fold(
            np.flatnonzero(np.arange(NUM) // 30 != k), range(30 * k, 30 * k + 30), f"fold {k}"
        )
        for k in range(3)
    ]
    return feature_sets.FeatureSet("trained", arrays), targets, names, splits.Subset("", folds)


def _measure(data, modality="audio", protocol_settings=None, **changes):
    features, targets, names, subset = data
    settings = config.EvaluationConfig(**{"clips": WINDOWS, **changes})
    measurer = frozen.Measurer(features, names, settings, protocol_settings or FIXED)
    return measurer.measure(modality, targets, subset)


FIXED = classifiers.Settings(c_grid=(0.01,))


def _by_hand(data, make, probabilities):
    """Each window a row; scores averaged by clip: scikit-learn and nothing else."""
    features, targets, _, subset = data
    accuracies = []
    for fold in subset.folds:
        train, test = (features.arrays["audio"][rows] for rows in (fold.train, fold.test))
        scaler = StandardScaler().fit(train.reshape(-1, 6).astype(np.float64))
        x, z = (scaler.transform(each.reshape(-1, 6).astype(np.float64)) for each in (train, test))
        model = make().fit(x, np.repeat(targets.values[fold.train], WINDOWS))
        scores = model.predict_proba(z) if probabilities else model.decision_function(z)
        predicted = scores.reshape(len(test), WINDOWS, -1).mean(1).argmax(1)
        accuracies.append((predicted == targets.values[fold.test]).mean())
    return accuracies


def test_linear_is_scikit_learn_by_hand(rng):
    data = _data(rng, 0.4)
    found = _measure(data, protocol="linear")
    expected = _by_hand(data, lambda: LogisticRegression(C=0.01, max_iter=1000), True)
    assert [fold.scores["top1"] for fold in found.folds] == pytest.approx(expected)
    assert 0.4 < found.summary["top1"].mean < 0.95


def test_svm_is_scikit_learn_by_hand(rng):
    data = _data(rng, 0.4)
    found = _measure(data, protocol="svm")
    expected = _by_hand(
        data, lambda: LinearSVC(C=0.01, dual="auto", max_iter=100, random_state=0), False
    )
    assert [fold.scores["top1"] for fold in found.folds] == pytest.approx(expected)


def test_what_a_row_says(rng):
    found = _measure(_data(rng), protocol="knn", preprocessing="l2")
    assert found.name == "knn/audio/trained/l2"
    assert found.headline == "top1"
    assert found.summary["top1"].mean > 0.9
    assert found.summary["top1"].low <= found.summary["top1"].mean <= found.summary["top1"].high
    assert found.chance == pytest.approx({"top1": 1 / 3, "mean_class_accuracy": 1 / 3})
    assert np.sum(found.confusion) == NUM
    assert [each["count"] for each in found.per_class] == [30, 30, 30]
    assert [(fold.name, fold.num_train, fold.num_test) for fold in found.folds] == [
        (f"fold {k}", 60, 30) for k in range(3)
    ]


@pytest.mark.parametrize("protocol", ["linear", "svm", "knn"])
def test_shuffled_labels_give_chance(protocol):
    """What is learned from labels that mean nothing says nothing of the test clips."""
    means = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        features, targets, names, subset = _data(rng)
        shuffled = targets._replace(values=rng.permutation(targets.values))
        row = _measure((features, shuffled, names, subset), protocol=protocol)
        means.append(row.summary["top1"].mean)
    # 360 guesses with a share of 1/3: the standard error is 0.025.
    assert abs(np.mean(means) - 1 / 3) < 0.1, means


def test_test_labels_touch_nothing_but_the_score(rng):
    """With other test labels the predictions, and what was chosen, stay as they were."""
    features, targets, names, subset = _data(rng, 0.5)
    one = splits.Subset("", subset.folds[:1])
    grid = classifiers.Settings(c_grid=(1e-3, 1e-1, 10.0))
    other = targets.values.copy()
    other[one.folds[0].test] = (other[one.folds[0].test] + 1) % CLASSES
    rows = [
        _measure((features, targets._replace(values=values), names, one), protocol_settings=grid)
        for values in (targets.values, other)
    ]
    assert rows[0].folds[0].chosen == rows[1].folds[0].chosen
    first, second = (np.array(row.confusion) for row in rows)
    np.testing.assert_array_equal(first.sum(0), second.sum(0))  # Predicted classes, counted.
    np.testing.assert_array_equal(np.roll(first, 1, axis=0), second)


@pytest.mark.parametrize("how", ["scores", "mean", "concatenate"])
@pytest.mark.parametrize("modality", ["video", "audio", "both", "late_fusion"])
def test_every_way_of_windows_and_streams(rng, how, modality):
    data = _data(rng)
    row = _measure(data, modality, windows=how)
    if modality == "audio":
        assert row.summary["top1"].mean > 0.9
    assert row.modality == modality
    assert all(np.isfinite(list(fold.scores.values())).all() for fold in row.folds)


def test_late_fusion_averages_probabilities(rng):
    features, targets, names, subset = _data(rng, 0.5)
    row = _measure((features, targets, names, subset), "late_fusion", protocol="linear")
    total = 0
    for fold in subset.folds:
        scores = 0
        for stream in ("video", "audio"):
            train, test = (
                features.arrays[stream][rows].astype(np.float64) for rows in (fold.train, fold.test)
            )
            scaler = StandardScaler().fit(train.reshape(-1, 6))
            model = LogisticRegression(C=0.01, max_iter=1000).fit(
                scaler.transform(train.reshape(-1, 6)),
                np.repeat(targets.values[fold.train], WINDOWS),
            )
            found = model.predict_proba(scaler.transform(test.reshape(-1, 6)))
            scores = scores + found.reshape(len(test), WINDOWS, -1).mean(1)
        total += (scores.argmax(1) == targets.values[fold.test]).sum()
    assert row.summary["top1"].mean == pytest.approx(total / NUM)


def test_several_labels_a_clip(rng):
    features, targets, names, subset = _data(rng)
    hot = np.eye(CLASSES, dtype=bool)[targets.values]
    hot[:, 0] |= hot[:, 1]
    row = _measure((features, targets._replace(values=hot), names, subset), protocol="linear")
    assert list(row.summary) == ["map", "d_prime"]
    assert row.summary["map"].mean > 0.9
    assert row.summary["map"].low is None
    assert row.confusion is None
    assert [each["count"] for each in row.per_class] == [60, 30, 30]
    assert row.chance == pytest.approx({"map": 4 / 9, "d_prime": 0.0})
