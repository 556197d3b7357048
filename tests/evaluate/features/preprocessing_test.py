"""Preprocessing against hand-worked tables and scikit-learn."""

import numpy as np
import pytest
from sklearn.preprocessing import Normalizer, StandardScaler

from actcl_tf.evaluate.features import preprocessing

TRAIN = [[1.0, 7.0], [3.0, 7.0]]  # Means 2 and 7, standard deviations 1 and 0.


@pytest.mark.parametrize(
    ("name", "row", "expected"),
    [
        ("none", [3.0, 4.0], [3.0, 4.0]),
        ("l2", [3.0, 4.0], [0.6, 0.8]),
        ("l2", [0.0, 0.0], [0.0, 0.0]),
        ("l2", [-2.0, 0.0], [-1.0, 0.0]),
        ("l2", [3e200, 4e200], [0.6, 0.8]),
        ("l2", [3e-200, 4e-200], [0.6, 0.8]),
        ("standardise", [2.0, 7.0], [0.0, 0.0]),
        ("standardise", [5.0, 7.0], [3.0, 0.0]),
        # A column that was constant in training is moved, not blown up.
        ("standardise", [0.0, 8.0], [-2.0, 1.0]),
    ],
)
def test_hand_worked_rows(name, row, expected):
    found = preprocessing.fit(name, TRAIN)(np.array([row]))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, [expected], atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    train, test = rng.normal(3.0, 5.0, size=(40, 6)), rng.normal(size=(9, 6)).astype(np.float32)
    for name, reference in (("l2", Normalizer()), ("standardise", StandardScaler())):
        expected = reference.fit(train).transform(test.astype(np.float64))
        np.testing.assert_allclose(preprocessing.fit(name, train)(test), expected, rtol=1e-12)


@pytest.mark.parametrize("name", preprocessing.PREPROCESSINGS)
def test_only_training_clips_are_learned_from(rng, name):
    fitted = preprocessing.fit(name, rng.normal(size=(20, 4)))
    x = rng.normal(size=(10, 4))
    together = fitted(x)
    np.testing.assert_array_equal(together[3], fitted(x[3:4])[0])
    np.testing.assert_array_equal(together, fitted(np.concatenate([x, x * 1e6]))[:10])


@pytest.mark.parametrize("name", preprocessing.PREPROCESSINGS)
@pytest.mark.parametrize(
    "train", [np.zeros((5, 3)), np.full((5, 3), 1e6 + 0.1), np.ones((1, 3)), np.eye(3) * 1e-30]
)
def test_dead_features_give_no_nan(name, train):
    fitted = preprocessing.fit(name, train)
    for x in (train, np.zeros((2, 3)), np.ones((2, 3))):
        assert np.isfinite(fitted(x)).all()


def test_the_input_is_left_as_it_was(rng):
    x = rng.normal(size=(5, 3))
    before = x.copy()
    for name in preprocessing.PREPROCESSINGS:
        preprocessing.fit(name, x)(x)
    np.testing.assert_array_equal(x, before)


def test_no_rows_to_apply_to():
    assert preprocessing.fit("l2", TRAIN)(np.zeros((0, 2))).shape == (0, 2)


@pytest.mark.parametrize(
    ("name", "train", "x", "message"),
    [
        ("whiten", TRAIN, TRAIN, "'whiten': must be one of none, l2, standardise"),
        ("l2", np.zeros((0, 2)), TRAIN, "at least 1 training clip"),
        ("l2", [1.0, 2.0], TRAIN, r"shape \[n, d\] with d > 0, got \(2,\)"),
        ("none", [[1.0, np.nan], [2.0, 1.0]], TRAIN, "NaN or infinity in 1 of 2 clips.* row 0"),
        ("standardise", TRAIN, [[1.0, 2.0], [np.inf, 0.0]], "in 1 of 2 clips, first in row 1"),
        ("standardise", TRAIN, np.zeros((4, 3)), "2 columns of the training features, got 3"),
    ],
)
def test_wrong_input_is_named(name, train, x, message):
    with pytest.raises(ValueError, match=message):
        preprocessing.fit(name, train)(x)
