"""The protocols against scikit-learn called directly, with the settings that were chosen.

Everything here is to agree to the last bit, so both sides run on one thread: the order in which
several add up numbers is not theirs to choose.
"""

import numpy as np
import pytest
import threadpoolctl
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from actcl_tf.evaluate.features import preprocessing
from actcl_tf.evaluate.metrics import scores
from actcl_tf.evaluate.protocols import classifiers

SETTINGS = classifiers.Settings(c_grid=(1e-3, 1e-2, 1e-1, 1.0), max_iterations=5000)
SEED = 5


@pytest.fixture(autouse=True)
def one_thread():
    with threadpoolctl.threadpool_limits(1):
        yield


def _linear(c):
    return LogisticRegression(C=c, max_iter=5000)


def _svm(c):
    return LinearSVC(C=c, dual="auto", max_iter=5000, random_state=SEED)


def _vote(distance):
    """exp(cosine / 0.07), divided by that of the nearest: as shares, the same votes."""
    return np.exp((distance.min(axis=1, keepdims=True) - distance) / 0.07)


CLASSIFIERS = {"linear": _linear, "svm": _svm}


@pytest.fixture(params=[2, 5], ids=["two classes", "five classes"])
def data(request):
    """Features of overlapping classes, prepared: train_x, train_y, test_x, test_y, groups."""
    rng = np.random.default_rng(request.param)
    labels, videos = np.arange(320) % request.param, np.arange(320) // 4
    labels = labels[videos]
    x = rng.normal(size=(request.param, 20))[labels] * 0.5 + rng.normal(size=(320, 20))
    names = np.array([f"v{n}.mp4" for n in videos])
    train, test = slice(0, 200), slice(200, 320)
    prepare = preprocessing.fit("standardise", x[train])
    return prepare(x[train]), labels[train], prepare(x[test]), labels[test], names[train]


def _predict(protocol, data, train_y):
    return classifiers.fit_predict(
        protocol,
        data[0],
        train_y,
        data[2],
        num_classes=data[1].max() + 1,
        groups=data[4],
        settings=SETTINGS,
        seed=SEED,
    )


def _top1(found, data):
    num_classes = found.scores.shape[1]
    return scores.classification(found.scores, data[3], num_classes=num_classes).top1


@pytest.mark.parametrize("protocol", ["linear", "svm"])
def test_one_label_a_clip(protocol, data):
    train_x, train_y, test_x, test_y, _ = data
    found = _predict(protocol, data, train_y)
    reference = CLASSIFIERS[protocol](found.chosen["c"]).fit(train_x, train_y)
    margin = reference.decision_function(test_x)
    if margin.ndim == 1:
        margin = np.stack([-margin / 2, margin / 2], axis=1)
    np.testing.assert_array_equal(found.scores, margin)
    np.testing.assert_array_equal(found.scores.argmax(axis=1), reference.predict(test_x))
    accuracy = reference.score(test_x, test_y)
    assert _top1(found, data) == accuracy
    assert 1.3 / (test_y.max() + 1) < accuracy < 1.0  # Neither chance nor out of reach.


def test_more_features_than_clips(data):
    # The optimiser of the SVM then visits clips in a random order, which the seed fixes.
    wide = np.random.default_rng(0).normal(size=(20, 300))
    train_x, train_y, test_x = data[0] @ wide, data[1], data[2] @ wide
    settings = classifiers.Settings(c_grid=(1e-4,))
    found = classifiers.fit_predict(
        "svm", train_x, train_y, test_x, num_classes=5, settings=settings, seed=SEED
    )
    reference = _svm(1e-4).fit(train_x, train_y)
    np.testing.assert_array_equal(found.scores.argmax(axis=1), reference.predict(test_x))
    margin = reference.decision_function(test_x)
    last = margin[:, -1] if margin.ndim > 1 else margin / 2
    np.testing.assert_array_equal(found.scores[:, train_y.max()], last)


@pytest.mark.parametrize("protocol", ["linear", "svm"])
def test_the_strength_is_that_of_a_search_over_whole_videos(protocol, data):
    train_x, train_y, _, _, groups = data
    found = _predict(protocol, data, train_y)
    splits = StratifiedGroupKFold(3, shuffle=True, random_state=SEED)
    _, numbers = np.unique(groups, return_inverse=True)
    means = []
    for c in SETTINGS.c_grid:
        classifier = CLASSIFIERS[protocol](c)
        values = cross_val_score(classifier, train_x, train_y, groups=numbers, cv=splits)
        means.append(values.mean())
    assert found.chosen["c"] == SETTINGS.c_grid[int(np.argmax(means))]
    assert found.chosen["validation"] == pytest.approx(max(means), rel=1e-12)
    assert (found.chosen["folds"], found.chosen["converged"]) == (3, True)
    assert max(means) > min(means)  # There was something to choose.


@pytest.mark.parametrize("protocol", ["linear", "svm"])
def test_many_labels_a_clip(protocol, data):
    train_x, train_y, test_x, test_y, _ = data
    targets, test_targets = _many(train_y), _many(test_y)
    found = _predict(protocol, data, targets)
    reference = OneVsRestClassifier(CLASSIFIERS[protocol](found.chosen["c"]))
    expected = reference.fit(train_x, targets).decision_function(test_x)
    np.testing.assert_array_equal(found.scores, expected)
    result = scores.multi_label(found.scores, test_targets)
    assert result.mean_average_precision == average_precision_score(test_targets, expected)
    assert result.mean_auc == roc_auc_score(test_targets, expected)
    assert result.mean_auc > 0.6


def test_votes_of_neighbours(data):
    train_x, train_y, test_x, test_y, _ = data
    found = _predict("knn", data, train_y)
    reference = KNeighborsClassifier(
        found.chosen["k"], metric="cosine", algorithm="brute", weights=_vote
    ).fit(train_x, train_y)
    np.testing.assert_array_equal(found.scores, reference.predict_proba(test_x))
    assert _top1(found, data) == reference.score(test_x, test_y)
    # As the protocol is written down, without taking out the nearest's cosine first.
    plain = reference.set_params(weights=lambda distance: np.exp((1 - distance) / 0.07))
    np.testing.assert_allclose(found.scores, plain.predict_proba(test_x), rtol=1e-12)


def test_votes_for_many_labels(data):
    train_x, train_y, test_x, test_y, _ = data
    targets, test_targets = _many(train_y), _many(test_y)
    found = _predict("knn", data, targets)
    reference = KNeighborsClassifier(20, metric="cosine", algorithm="brute", weights=_vote)
    shares = reference.fit(train_x, targets).predict_proba(test_x)
    expected = np.stack([share[:, 1] for share in shares], axis=1)
    # Votes for and against are added up apart there, so the last digit may differ.
    np.testing.assert_allclose(found.scores, expected, rtol=1e-12, atol=1e-15)
    result = scores.multi_label(found.scores, test_targets)
    assert result.mean_average_precision == average_precision_score(test_targets, found.scores)


def _many(labels):
    """Multi-hot targets: a clip's class, and for every third clip the last one, too."""
    targets = np.eye(labels.max() + 1, dtype=int)[labels]
    targets[::3, -1] = 1
    return targets
