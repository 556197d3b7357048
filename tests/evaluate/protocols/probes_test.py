"""Linear probes on features whose answer is known."""

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from actcl_tf.evaluate.protocols import probes


def _blobs(rng, num, classes=4, size=12, distance=2.0):
    centres = np.random.default_rng(99).normal(size=(classes, size)) * distance
    labels = np.arange(num) % classes
    return (centres[labels] + rng.normal(size=(num, size))).astype(np.float32), labels


def test_separable_blobs_are_told_apart(rng):
    result = probes.linear_probe(
        *_blobs(rng, 120, distance=5.0), *_blobs(rng, 80, distance=5.0), seed=0
    )
    assert result.accuracy == 1.0
    assert (result.num_train, result.num_test, result.num_unseen) == (120, 80, 0)
    assert result.chance == 0.25
    assert result.high == 1.0
    assert result.low == pytest.approx(80 / (80 + 1.959963985**2))  # Wilson's, all being right.


def test_shuffled_labels_give_chance(rng):
    x, y = _blobs(rng, 400)
    test_x, test_y = _blobs(rng, 400)
    accuracy = np.mean(
        [
            probes.linear_probe(x, rng.permutation(y), test_x, test_y, seed=0).accuracy
            for _ in range(5)
        ]
    )
    assert abs(accuracy - 0.25) < 0.1


def test_agrees_with_scikit_learn_at_the_chosen_strength(rng):
    x, y = _blobs(rng, 200, distance=0.4)
    test_x, test_y = _blobs(rng, 200, distance=0.4)
    result = probes.linear_probe(x, y, test_x, test_y, seed=0)
    scale = StandardScaler().fit(x)
    reference = LogisticRegression(C=result.c, max_iter=5000).fit(scale.transform(x), y)
    # One clip on the border may fall on either side.
    assert abs(result.accuracy - reference.score(scale.transform(test_x), test_y)) <= 1 / 200
    assert 0.3 < result.accuracy < 0.9
    assert result.c in probes.C_GRID


def test_noise_calls_for_strong_regularisation(rng):
    weak = np.concatenate([rng.normal(size=(60, 400)), _blobs(rng, 60, 2, 2, 1.0)[0]], axis=1)
    labels = np.arange(60) % 2
    assert probes.linear_probe(weak, labels, weak, labels, seed=0).c < max(probes.C_GRID)


def test_test_labels_touch_nothing_but_the_score(rng):
    x, y = _blobs(rng, 100, classes=2, distance=0.3)
    test_x, test_y = _blobs(rng, 60, classes=2, distance=0.3)
    right = probes.linear_probe(x, y, test_x, test_y, seed=0)
    wrong = probes.linear_probe(x, y, test_x, 1 - test_y, seed=0)
    assert right.accuracy == pytest.approx(1 - wrong.accuracy)
    assert right.c == wrong.c


def test_test_features_are_classified_one_by_one(rng):
    x, y = _blobs(rng, 100, distance=0.4)
    test_x, test_y = _blobs(rng, 8, distance=0.4)
    together = probes.linear_probe(x, y, test_x, test_y, seed=0)
    alone = [
        probes.linear_probe(x, y, test_x[i : i + 1], test_y[i : i + 1], seed=0).accuracy
        for i in range(8)
    ]
    assert together.accuracy == pytest.approx(np.mean(alone))


def test_units_of_the_features_do_not_matter(rng):
    x, y = _blobs(rng, 150, distance=0.5)
    test_x, test_y = _blobs(rng, 150, distance=0.5)
    units, offset = 10.0 ** rng.uniform(-4, 4, 12), rng.normal(size=12)
    plain = probes.linear_probe(x, y, test_x, test_y, seed=0)
    scaled = probes.linear_probe(x * units + offset, y, test_x * units + offset, test_y, seed=0)
    assert abs(plain.accuracy - scaled.accuracy) <= 1 / 150
    assert plain.c == scaled.c


def test_windows_in_order_tell_when_their_mean_only_what(rng):
    labels = np.arange(200) % 2
    x = rng.normal(size=(200, 2, 6))
    x[np.arange(200), labels, 0] += 6.0  # In the first window or in the second.
    train, test = slice(0, 120), slice(120, 200)
    args = x[train], labels[train], x[test], labels[test]
    ordered = probes.linear_probe(*args, seed=0, windows="concatenate")
    mean = probes.linear_probe(*args, seed=0, windows="mean")
    assert ordered.accuracy == 1.0
    assert mean.accuracy < 0.75
    assert (ordered.windows, mean.windows) == ("concatenate", "mean")


def test_names_serve_as_labels(rng):
    x, y = _blobs(rng, 60, distance=5.0)
    names = np.array(["drum", "flute", "bell", "gong"])[y]
    assert probes.linear_probe(x, names, x, names, seed=0).accuracy == 1.0


def test_dead_and_constant_features(rng):
    x, y = _blobs(rng, 80, distance=5.0)
    dead = np.concatenate([x, np.zeros((80, 3)), np.full((80, 2), 1e6)], axis=1)
    assert probes.linear_probe(dead, y, dead, y, seed=0).accuracy == 1.0
    # Nothing but dead features: the same answer for all.
    result = probes.linear_probe(np.zeros((80, 3)), y, np.ones((80, 3)), y, seed=0)
    assert result.accuracy == result.chance == 0.25


def test_rare_classes(rng):
    x, y = _blobs(rng, 60, distance=5.0)
    y = np.concatenate([y[:-2], [7, 8]])  # Two classes of one clip each.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = probes.linear_probe(x, y, x[:40], y[:40], seed=0)
    assert result.accuracy > 0.9


@pytest.mark.parametrize("labels", [[0, 1], [0, 0, 1], [0, 0, 0, 0, 1]])
def test_a_handful_of_clips(labels):
    x = np.array(labels, np.float32)[:, None] * [1.0, 2.0]
    result = probes.linear_probe(x, labels, x, labels, seed=0)
    assert result.accuracy >= result.chance


def test_a_class_without_training_clips_counts_as_wrong(rng):
    x, y = _blobs(rng, 80, distance=5.0)
    known = y < 3
    result = probes.linear_probe(x[known], y[known], x, y, seed=0)
    assert result.accuracy == 0.75
    assert result.num_unseen == 20


X, Y = np.arange(8.0).reshape(4, 2), np.array([0, 1, 0, 1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_y": [3, 3, 3, 3]}, r"at least 2 classes, got 4 clips of \['3'\]"),
        ({"train_y": [0, 1]}, r"train features must have shape"),
        ({"train_x": np.full((4, 2), np.nan)}, "train features hold NaN"),
        ({"test_x": np.full((4, 2), np.inf)}, "test features hold NaN"),
        ({"test_x": np.zeros((4, 3))}, "must have the 2 columns of the training features, got 3"),
        ({"test_x": np.zeros((0, 2)), "test_y": []}, "test features must have shape"),
        ({"windows": "last"}, "windows='last': must be one of mean, concatenate"),
    ],
)
def test_wrong_input_is_named(change, message):
    arguments = {"train_x": X, "train_y": Y, "test_x": X, "test_y": Y, "seed": 0, **change}
    with pytest.raises(probes.ProbeError, match=message):
        probes.linear_probe(**arguments)
