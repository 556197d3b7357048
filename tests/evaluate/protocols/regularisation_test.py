"""Splits that keep videos whole, and the choice made on them."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from actcl_tf.evaluate.protocols import prediction, regularisation


def _multi_hot(rng, num, classes=4):
    return rng.random((num, classes)) < 0.4


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", ["one label", "many labels"])
@pytest.mark.parametrize("num_videos", [3, 10, 60])
def test_a_video_stands_on_one_side_and_each_clip_is_held_out_once(seed, kind, num_videos):
    rng = np.random.default_rng(seed)
    groups = np.arange(60) % num_videos
    y = rng.integers(0, 4, 60) if kind == "one label" else _multi_hot(rng, 60)
    found = regularisation.folds(y, groups, 3, seed)
    assert len(found) == 3
    for fit, held_out in found:
        assert not set(groups[fit]) & set(groups[held_out])
        assert sorted([*fit, *held_out]) == list(range(60))
    assert sorted(np.concatenate([held for _, held in found])) == list(range(60))


def test_classes_are_spread_evenly():
    y = np.repeat([0, 1, 2], 30)
    for groups in (None, np.arange(90)):
        for _, held_out in regularisation.folds(y, groups, 3, 0):
            assert np.bincount(y[held_out]).tolist() == [10, 10, 10]


def test_splits_are_a_function_of_the_seed(rng):
    for y in (rng.integers(0, 3, 30), _multi_hot(rng, 30)):
        one, same, other = (regularisation.folds(y, None, 3, seed) for seed in (1, 1, 2))
        assert [held.tolist() for _, held in one] == [held.tolist() for _, held in same]
        assert [held.tolist() for _, held in one] != [held.tolist() for _, held in other]


@pytest.mark.parametrize(
    ("y", "groups", "expected"),
    [
        pytest.param([0, 1, 0, 1], [0, 0, 0, 0], 0, id="one video"),
        pytest.param([0, 1, 2], None, 0, id="one clip a class"),
        pytest.param([0, 0, 1, 1], [0, 0, 1, 1], 0, id="one video a class"),
        pytest.param([0, 1, 0, 1], [0, 0, 1, 1], 2, id="two videos of both classes"),
        pytest.param(np.eye(2, dtype=bool), None, 0, id="each label on one clip"),
        pytest.param(np.tile(np.eye(2, dtype=bool), (2, 1)), [0, 0, 1, 1], 2, id="many labels"),
        pytest.param(np.tile(np.eye(2, dtype=bool), (2, 1)), [0] * 4, 0, id="many, one video"),
    ],
)
def test_too_little_to_hold_out(y, groups, expected):
    groups = None if groups is None else np.array(groups)
    assert len(regularisation.folds(np.array(y), groups, 3, 0)) == expected


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[0.1, 0.5, 0.2]], (1.0, 0.5, 1)),
        ([[0.5, 0.5, 0.5]], (0.1, 0.5, 1)),  # Of equals the strongest regularisation.
        ([[0.9, 0.2, 0.0], [0.1, 0.9, 0.0]], (1.0, 0.55, 2)),
        ([], (1.0, None, 0)),
    ],
)
def test_the_best_on_average_is_chosen(rows, expected):
    left = iter(rows)
    splits = [(np.array([0]), np.array([1]))] * len(rows)
    found = regularisation.choose_c(lambda fit, held: next(left), splits, [0.1, 1.0, 10.0])
    assert found == pytest.approx(expected)


def _make(c):
    return LogisticRegression(C=c, max_iter=2000)


def _alike_within_videos(rng):
    """Videos of 6 nearly equal clips with labels that have nothing to do with what they show."""
    groups = np.repeat(np.arange(30), 6)
    x = rng.normal(size=(30, 40))[groups] * 3 + 0.01 * rng.normal(size=(180, 40))
    return x, rng.integers(0, 2, 30)[groups], groups


@pytest.mark.parametrize("many", [False, True])
def test_clips_of_one_video_do_not_validate_each_other(rng, many):
    x, y, groups = _alike_within_videos(rng)
    y = np.stack([y, 1 - y], axis=1) if many else y
    found = {}
    for name, videos in (("videos", groups), ("clips", None)):
        task = prediction.check(x, y, x[:5], num_classes=2, groups=videos)
        found[name] = regularisation.fit_predict(
            _make, task, c_grid=(0.01, 1.0), num_folds=3, seed=0
        )
    assert found["clips"].chosen["validation"] > 0.95  # What a leak looks like.
    assert found["videos"].chosen["validation"] < 0.75


def test_one_c_needs_no_choice(rng):
    task = prediction.check(
        *(rng.normal(size=(20, 3)), np.arange(20) % 2), np.eye(3), num_classes=2
    )
    calls = []

    def make(c):
        calls.append(c)
        return _make(c)

    chosen = regularisation.fit_predict(make, task, c_grid=(0.5, 0.5), num_folds=3, seed=0).chosen
    assert calls == [0.5]
    assert chosen == {"c": 0.5, "validation": None, "folds": 0, "converged": True}


def test_the_grid_ends_after_a_fit_that_was_cut_short(rng):
    x, y = rng.normal(size=(60, 10)), np.arange(60) % 3
    task = prediction.check(x, y, x, num_classes=3)
    tried = []

    def make(c):
        tried.append(c)
        return LogisticRegression(C=c, max_iter=1000 if c < 1 else 2)

    found = regularisation.fit_predict(make, task, c_grid=(10.0, 1.0, 0.1), num_folds=3, seed=0)
    assert tried[:-1] == [0.1, 1.0] * 3
    assert tried[-1] == found.chosen["c"] in (0.1, 1.0)


def test_a_fit_that_was_cut_short_says_so(rng):
    x, y = rng.normal(size=(50, 10)), np.arange(50) % 3
    task = prediction.check(x, y, x, num_classes=3)

    def hasty(c):
        return LogisticRegression(C=c, max_iter=2)

    def scores(make):
        return regularisation.fit_predict(make, task, c_grid=(1.0,), num_folds=3, seed=0)

    assert not scores(hasty).chosen["converged"]
    assert scores(_make).chosen["converged"]
