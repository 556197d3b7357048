"""Small training sets: as many as asked for, whole videos, every video as likely as another."""

import numpy as np
import pytest
import scipy.stats

from actcl_tf.evaluate.clips import low_shot

LABELS = np.repeat([0, 1, 2], [40, 10, 1])


def _counts(labels, draw):
    return np.bincount(np.asarray(labels)[draw.indices], minlength=3).tolist()


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [
        (1.0, [40, 10, 1]),
        (0.5, [20, 5, 1]),
        (0.25, [10, 3, 1]),  # 2.5 is rounded up.
        (0.1, [4, 1, 1]),
        (0.01, [1, 1, 1]),
        (1e-9, [1, 1, 1]),
    ],
)
def test_share_of_each_class(fraction, expected):
    for draw in range(3):
        found = low_shot.draw_videos(LABELS, low_shot.share(fraction), seed=0, draw=draw)
        assert _counts(LABELS, found) == expected
        assert found.drawn == dict(enumerate(expected))
        assert found.short == {}


@pytest.mark.parametrize(
    ("shots", "expected", "short"),
    [
        (1, [1, 1, 1], {}),
        (5, [5, 5, 1], {2: 1}),
        (10, [10, 10, 1], {2: 1}),
        (11, [11, 10, 1], {1: 10, 2: 1}),
        (1000, [40, 10, 1], {0: 40, 1: 10, 2: 1}),
    ],
)
def test_shots_of_each_class(shots, expected, short):
    found = low_shot.draw_videos(LABELS, low_shot.shots(shots), seed=0, draw=0)
    assert _counts(LABELS, found) == expected
    assert found.drawn == dict(enumerate(expected))
    assert found.short == short
    assert found.indices.dtype == np.int64
    assert (np.diff(found.indices) > 0).all()


@pytest.mark.parametrize("seed", range(4))
def test_videos_stay_whole(seed):
    rng = np.random.default_rng(seed)
    videos = rng.integers(0, 30, 200)
    labels, names = videos % 3, [f"v{n}.mp4" for n in videos]
    for found in (
        low_shot.draw_videos(labels, low_shot.share(0.3), groups=names, seed=seed, draw=0),
        low_shot.draw_videos(labels, low_shot.shots(3), groups=names, seed=seed, draw=0),
    ):
        inside = set(videos[found.indices])
        assert found.drawn == {0: 3, 1: 3, 2: 3}
        assert len(inside) == 9
        assert np.isin(videos, list(inside)).sum() == len(found.indices)


def test_a_video_of_two_classes_counts_for_each():
    labels, names = [0, 0, 1, 1, 0, 1], ["a", "a", "a", "a", "b", "c"]
    found = low_shot.draw_videos(labels, low_shot.shots(2), groups=names, seed=0, draw=0)
    assert found.indices.tolist() == [0, 1, 2, 3, 4, 5]
    one = low_shot.draw_videos(
        labels, low_shot.shots(1), groups=names, seed=0, draw=0
    ).indices.tolist()
    assert [i for i in one if labels[i] == 0] in ([0, 1], [4])
    assert [i for i in one if labels[i] == 1] in ([2, 3], [5])


def test_draws_are_a_function_of_seed_and_number():
    def indices(seed, draw):
        return low_shot.draw_videos(
            LABELS, low_shot.shots(5), seed=seed, draw=draw
        ).indices.tolist()

    assert indices(3, 1) == indices(3, 1)
    found = {tuple(indices(seed, draw)) for seed in range(5) for draw in range(5)}
    assert len(found) == 25


def test_the_order_of_clips_does_not_matter(rng):
    videos = np.array([f"v{n}" for n in rng.integers(0, 30, 200)])
    labels = np.array([int(name[1:]) % 3 for name in videos])
    order = rng.permutation(200)
    one = low_shot.draw_videos(labels, low_shot.shots(4), groups=videos, seed=0, draw=2)
    other = low_shot.draw_videos(
        labels[order], low_shot.shots(4), groups=videos[order], seed=0, draw=2
    )
    assert sorted(order[other.indices]) == one.indices.tolist()


def test_every_clip_is_as_likely_as_another():
    times = np.zeros(len(LABELS))
    for draw in range(2000):
        times[low_shot.draw_videos(LABELS, low_shot.shots(4), seed=7, draw=draw).indices] += 1
    assert scipy.stats.chisquare(times[:40]).pvalue > 0.001
    assert scipy.stats.chisquare(times[40:50]).pvalue > 0.001
    assert times[50] == 2000


def test_classes_are_drawn_independently():
    labels, both = np.repeat([0, 1], 10), 0
    for draw in range(1000):
        one, other = low_shot.draw_videos(labels, low_shot.shots(1), seed=0, draw=draw).indices
        both += other - 10 == one
    # Expected 100 times, with a standard deviation of 9.5.
    assert 60 < both < 140


def test_names_serve_as_labels():
    found = low_shot.draw_videos(np.array(["cat", "dog", "cat"]), low_shot.shots(2), seed=0, draw=0)
    assert found.drawn == {"cat": 2, "dog": 1}
    assert found.short == {"dog": 1}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: low_shot.draw_videos([0, 1], low_shot.share(0.0), seed=0, draw=0),
            "fraction must be above 0",
        ),
        (
            lambda: low_shot.draw_videos([0, 1], low_shot.share(1.5), seed=0, draw=0),
            "at most 1, got 1.5",
        ),
        (
            lambda: low_shot.draw_videos([0, 1], low_shot.shots(0), seed=0, draw=0),
            "shots must be at least 1",
        ),
        (
            lambda: low_shot.draw_videos([], low_shot.shots(1), seed=0, draw=0),
            r"shape \[n\] with n > 0",
        ),
        (
            lambda: low_shot.draw_videos([[0, 1]], low_shot.shots(1), seed=0, draw=0),
            r"got \(1, 2\)",
        ),
        (
            lambda: low_shot.draw_videos([0, 1], low_shot.shots(1), seed=0, draw=-1),
            "at least 0, got 0 and -1",
        ),
        (
            lambda: low_shot.draw_videos([0, 1], low_shot.shots(1), groups=["a"], seed=0, draw=0),
            "video of each of 2 clips, got 1 names",
        ),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
