"""Scores against tables worked out by hand and against scikit-learn."""

import math

import numpy as np
import pytest
import scipy.stats
from sklearn import metrics

from actcl_tf.evaluate.metrics import scores

# Ranks of the right class: 1, 2, 1 (own 0.4 beats all), 3 and 3 (ties count against).
TABLE = np.array(
    [
        [0.9, 0.1, 0.0],
        [0.5, 0.4, 0.1],
        [0.3, 0.4, 0.3],
        [0.5, 0.3, 0.2],
        [0.1, 0.1, 0.1],
    ]
)
LABELS = np.array([0, 1, 1, 2, 2])


def test_hand_worked_table():
    found = scores.classification(TABLE, LABELS, num_classes=3)
    assert found.ranks.tolist() == [1, 2, 1, 3, 3]
    assert found.top1 == 0.4
    assert found.top5 == 1.0
    assert found.mean_class_accuracy == 0.5
    assert found.counts.tolist() == [1, 2, 2]
    assert found.confusion.tolist() == [[1, 0, 0], [1, 1, 0], [2, 0, 0]]
    assert found.confusion.dtype == np.int64


def _rows(*order, num=7):
    """One clip: classes by falling score."""
    row = np.zeros(num)
    row[list(order)] = np.arange(num, num - len(order), -1)
    return [row]


@pytest.mark.parametrize(
    ("row", "label", "top1", "top5"),
    [
        (_rows(3), 3, 1.0, 1.0),
        (_rows(0, 1, 2, 3, 4), 4, 0.0, 1.0),
        (_rows(0, 1, 2, 3, 4, 5), 5, 0.0, 0.0),
        (_rows(0, 1), 2, 0.0, 0.0),  # Ties with 4 others behind two: rank 7.
        (np.zeros((1, 7)), 0, 0.0, 0.0),
        (np.array([[1.0, 1.0, 0, 0, 0, 0, 0]]), 0, 0.0, 1.0),
        (np.array([[1.0, 1.0, 1.0, 1.0, 1.0, 0, 0]]), 2, 0.0, 1.0),
        (np.array([[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0]]), 2, 0.0, 0.0),
        (np.array([[-1e300, -1e308, -1e308, -1e308, -1e308, -1e308, -1e308]]), 0, 1.0, 1.0),
    ],
)
def test_one_clip(row, label, top1, top5):
    found = scores.classification(np.array(row), [label], num_classes=7)
    assert (found.top1, found.top5) == (top1, top5)
    # The confusion matrix agrees, ties included.
    assert found.confusion.sum() == 1
    assert found.confusion[label, label] == top1
    assert found.mean_class_accuracy == top1


def test_one_class():
    found = scores.classification([[0.5], [0.1]], [0, 0], num_classes=1)
    assert found.top1 == found.top5 == found.mean_class_accuracy == 1.0


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    labels, values = rng.integers(0, 8, 200), rng.normal(size=(200, 9))  # Class 8 never comes.
    values[np.arange(200), labels] += 1.0
    predicted, classes = values.argmax(axis=1), np.arange(9)
    found = scores.classification(values, labels, num_classes=9)
    assert found.top1 == metrics.accuracy_score(labels, predicted)
    assert found.top5 == metrics.top_k_accuracy_score(labels, values, k=5, labels=classes)
    np.testing.assert_array_equal(
        found.confusion, metrics.confusion_matrix(labels, predicted, labels=classes)
    )
    recalls = metrics.recall_score(labels, predicted, average=None, labels=classes[:8])
    assert found.mean_class_accuracy == pytest.approx(np.mean(recalls))
    assert found.counts.tolist() == np.bincount(labels, minlength=9).tolist()


def test_shuffled_labels_give_chance(rng):
    labels = np.repeat(np.arange(10), 200)
    values = np.eye(10)[labels] + 0.1 * rng.normal(size=(2000, 10))
    assert scores.classification(values, labels, num_classes=10).top1 == 1.0
    shuffled = scores.classification(values, rng.permutation(labels), num_classes=10)
    # Standard errors: 0.007 and 0.011.
    assert abs(shuffled.top1 - 0.1) < 0.03
    assert abs(shuffled.top5 - 0.5) < 0.05
    assert abs(shuffled.mean_class_accuracy - 0.1) < 0.03


@pytest.mark.parametrize(
    ("values", "labels", "message"),
    [
        (TABLE[:, :2], LABELS, r"must have shape \[m, 3\]"),
        (np.zeros((0, 3)), [], r"must have shape \[m, 3\] with m > 0"),
        (TABLE * np.nan, LABELS, "NaN or infinity in 5 of 5 clips, first in row 0"),
        (TABLE, LABELS[:4], r"labels must be \[5\] whole numbers"),
        (TABLE, LABELS * 1.0, "whole numbers .* got float64"),
        (TABLE, [0, 1, 1, 2, 3], "from 0 to 2, got 3 in row 4"),
        (TABLE, [0, -1, 1, 2, 2], "got -1 in row 1; leave clips without a label out"),
    ],
)
def test_wrong_input_of_classification_is_named(values, labels, message):
    with pytest.raises(ValueError, match=message):
        scores.classification(values, labels, num_classes=3)


def test_interval_of_many_clips_is_that_of_the_normal_distribution(rng):
    right = rng.random(2000) < 0.3
    low, high = scores.bootstrap_interval(right, seed=0, draws=4000)
    half = 1.96 * np.sqrt(right.mean() * (1 - right.mean()) / 2000)
    # The ends of 4,000 draws are known to about 4 % of the half width.
    np.testing.assert_allclose((low, high), right.mean() + np.array([-half, half]), atol=0.1 * half)


def test_interval_agrees_with_scipy(rng):
    values = rng.exponential(size=40)
    found = scores.bootstrap_interval(values, seed=0, draws=20000)
    reference = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=20000, method="percentile", random_state=1
    ).confidence_interval
    np.testing.assert_allclose(found, reference, atol=0.02)


def test_clips_of_one_video_count_as_one(rng):
    videos = rng.random(50)
    values, names = np.repeat(videos, 20), np.repeat([f"v{i}" for i in range(50)], 20)
    alone = scores.bootstrap_interval(videos, seed=0)
    # Every video twenty times says no more than once, in whatever order the clips come.
    order = rng.permutation(1000)
    grouped = scores.bootstrap_interval(values[order], seed=0, groups=names[order])
    width = np.diff(alone)[0]
    assert abs(np.diff(grouped)[0] - width) < 0.15 * width
    assert np.diff(scores.bootstrap_interval(values, seed=0))[0] < 0.4 * width
    # Videos of one clip each: nothing changes but the order.
    single = scores.bootstrap_interval(videos, seed=0, groups=[f"{i:02}" for i in range(50)])
    np.testing.assert_allclose(single, alone)


def test_longer_videos_weigh_more():
    # 50 videos of 9 clips that are right and 50 of one that is wrong: 0.9 of all clips.
    values, names = [1.0] * 450 + [0.0] * 50, [*np.repeat(np.arange(50), 9), *range(50, 100)]
    low, high = scores.bootstrap_interval(values, seed=0, groups=names)
    assert 0.8 < low < 0.9 < high < 0.95
    # Video a has 9 clips of 1, b one of 0: a draw is all right, 0.9 right or all wrong.
    low, high = scores.bootstrap_interval([1.0] * 9 + [0.0], seed=0, groups=["a"] * 9 + ["b"])
    assert (low, high) == (0.0, 1.0)
    low, high = scores.bootstrap_interval([1.0] * 9 + [0.0], seed=0, groups=["a"] * 10)
    assert (low, high) == (0.9, 0.9)


@pytest.mark.parametrize(
    ("values", "expected"), [([0.25], (0.25, 0.25)), ([1, 1, 1], (1, 1)), ([False] * 4, (0, 0))]
)
def test_interval_of_what_does_not_vary(values, expected):
    assert scores.bootstrap_interval(values, seed=0) == expected


def test_interval_is_a_function_of_the_seed(rng):
    values = rng.random(30)
    one, same, other = (scores.bootstrap_interval(values, seed=seed) for seed in (1, 1, 2))
    assert one == same != other


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": []}, "finite numbers with m > 0"),
        ({"values": [1.0, np.nan]}, "finite numbers"),
        ({"draws": 0}, "draws must be at least 1, got 0"),
        ({"groups": ["a"]}, "video of each of 2 clips, got 1 names"),
    ],
)
def test_wrong_input_of_the_interval_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        scores.bootstrap_interval(**{"values": [0.0, 1.0], "seed": 0, **change})


# By falling score, label 0 is right, wrong, right: AP (1 + 2/3) / 2, one of two pairs in order.
# Label 1 is perfect, label 2 is on no clip and label 3 on all.
SCORED = np.array([[0.9, 0.1, 0.0, 1.0], [0.5, 0.2, 0.0, 2.0], [0.1, 0.3, 0.0, 3.0]])
TARGETS = np.array([[1, 0, 0, 1], [0, 0, 0, 1], [1, 1, 0, 1]])


def test_hand_worked_labels():
    found = scores.multi_label(SCORED, TARGETS)
    np.testing.assert_allclose(found.average_precision, [5 / 6, 1.0, np.nan, np.nan])
    assert found.mean_average_precision == pytest.approx(11 / 12)
    assert found.mean_auc == 0.75
    assert found.d_prime == pytest.approx(math.sqrt(2) * scipy.stats.norm.ppf(0.75))


@pytest.mark.parametrize(
    ("column", "targets", "precision", "auc", "d_prime"),
    [
        ([3, 2, 1, 0], [1, 1, 0, 0], 1.0, 1.0, 1.6268),  # 4 pairs: 1 - 1/8.
        ([0, 1, 2, 3], [1, 1, 0, 0], (1 / 3 + 2 / 4) / 2, 0.0, -1.6268),
        ([0, 0, 0, 0], [1, 1, 0, 0], 0.5, 0.5, 0.0),  # Ties: the share of clips with the label.
        ([0, 0, 0, 0], [1, 0, 0, 0], 0.25, 0.5, 0.0),
    ],
)
def test_one_label(column, targets, precision, auc, d_prime):
    found = scores.multi_label(np.array(column)[:, None], np.array(targets)[:, None])
    assert found.mean_average_precision == pytest.approx(precision)
    assert found.mean_auc == auc
    assert found.d_prime == pytest.approx(d_prime, abs=1e-4)


def test_shuffled_targets_give_chance(rng):
    targets = rng.random((2000, 6)) < 0.2
    values = targets + 0.3 * rng.normal(size=targets.shape)
    assert scores.multi_label(values, targets).mean_average_precision > 0.95
    shuffled = scores.multi_label(values, rng.permutation(targets))
    assert abs(shuffled.mean_average_precision - 0.2) < 0.03
    assert abs(shuffled.mean_auc - 0.5) < 0.03
    assert abs(shuffled.d_prime) < 0.1


def test_d_prime_is_the_distance_of_two_normal_distributions(rng):
    targets = (np.arange(20000) % 2)[:, None]
    values = rng.normal(size=(20000, 1)) + 1.5 * targets
    assert scores.multi_label(values, targets).d_prime == pytest.approx(1.5, abs=0.05)


@pytest.mark.parametrize(
    ("values", "targets", "message"),
    [
        (SCORED, TARGETS[0], r"targets must have shape \[m, C\]"),
        (SCORED[:, :2], TARGETS, r"scores must have shape \[m, 4\]"),
        (SCORED[:2], TARGETS, r"of the shape \[2, 4\] of the scores"),
        (SCORED, TARGETS * 2, "from 0 to 2"),
        (SCORED, TARGETS * 0, "some test clips have and others have not, got none among 4"),
        (np.full((3, 4), np.inf), TARGETS, "NaN or infinity in 3 of 3"),
    ],
)
def test_wrong_input_of_multi_label_is_named(values, targets, message):
    with pytest.raises(ValueError, match=message):
        scores.multi_label(values, targets)
