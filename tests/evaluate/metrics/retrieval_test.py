"""Retrieval scores against hand-worked tables and a brute-force ranking."""

import numpy as np
import pytest

from actcl_tf.evaluate.metrics import retrieval


def _unit(rng, *shape):
    values = rng.normal(size=shape)
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)


def _one_window(rows):
    return np.array(rows, np.float32)[:, None, :]


def _scores(video, audio):
    """Of videos as queries, and of audio."""
    return tuple(map(retrieval.score, retrieval.cross_modal_ranks(video, audio)))


# With the audio on the axes, row i of the videos is row i of the score matrix. Ranks, counting
# equal scores against the partner: 1, 2, 3 for the videos and 2, 3, 3 for the audio.
TABLE = _one_window([[0.8, 0.6, 0.0], [0.8, 0.6, 0.0], [0.6, 0.8, 0.0]])
AXES = _one_window(np.eye(3))


def test_hand_worked_table():
    video, audio = _scores(TABLE, AXES)
    expected_video = (1 / 3, 1.0, 1.0, 1.0, 2.0, (1 + 1 / 2 + 1 / 3) / 3, 3)
    expected_audio = (0.0, 1.0, 1.0, 1.0, 3.0, (1 / 2 + 1 / 3 + 1 / 3) / 3, 3)
    np.testing.assert_allclose(video, expected_video)
    np.testing.assert_allclose(audio, expected_audio)


def _brute_force(video, audio):
    """Rank of each partner by sorting the scores, summed up one window at a time."""
    ranks = []
    for i, query in enumerate(video):
        scores = [
            np.mean([np.dot(q, c) for q, c in zip(query, candidate, strict=True)], dtype=np.float64)
            for candidate in audio
        ]
        ranks.append(1 + int(np.flatnonzero(np.argsort(-np.array(scores)) == i)[0]))
    return np.array(ranks)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("block", [1, 7, 64])
def test_agrees_with_sorting_in_blocks_of_any_size(seed, block, monkeypatch):
    monkeypatch.setattr(retrieval, "_BLOCK", block)
    rng = np.random.default_rng(seed)
    audio = _unit(rng, 40, 3, 8)
    video = audio + 1.5 * _unit(rng, 40, 3, 8)
    video /= np.linalg.norm(video, axis=-1, keepdims=True)
    references = _brute_force(video, audio), _brute_force(audio, video)
    for scores, ranks in zip(_scores(video, audio), references, strict=True):
        expected = [np.mean(ranks <= k) for k in (1, 5, 10, 20)]
        expected += [np.median(ranks), np.mean(1 / ranks), 40]
        np.testing.assert_allclose(scores, expected)


@pytest.mark.parametrize(
    ("video", "audio", "r1", "median"),
    [
        pytest.param(np.eye(4), np.eye(4), 1.0, 1.0, id="perfect"),
        pytest.param(np.eye(4), -np.eye(4), 0.0, 4.0, id="opposite"),
        pytest.param(np.ones((4, 4)), np.ones((4, 4)), 0.0, 4.0, id="collapsed"),
        pytest.param(
            np.ones((4, 4)) + 1e-8 * np.eye(4), np.eye(4), 0.0, 4.0, id="equal but for rounding"
        ),
        pytest.param(np.zeros((4, 4)), np.eye(4), 0.0, 4.0, id="all zero"),
        pytest.param(np.eye(4)[[0, 0, 1, 1]], np.eye(4)[[0, 0, 1, 1]], 0.0, 2.0, id="duplicates"),
        pytest.param(np.eye(4)[:1], np.eye(4)[:1], 1.0, 1.0, id="one clip"),
        pytest.param(5 * np.eye(4), 0.1 * np.eye(4), 1.0, 1.0, id="not of length 1"),
    ],
)
def test_degenerate_embeddings(video, audio, r1, median):
    for scores in _scores(_one_window(video), _one_window(audio)):
        assert (scores.r1, scores.median_rank) == (r1, median)
        assert scores.num == len(video)


def test_windows_are_compared_in_order(rng):
    embedding = _unit(rng, 20, 4, 8)
    assert _scores(embedding, embedding)[0].r1 == 1.0
    # Each clip's own windows, one place later: far worse than in step.
    late = _scores(embedding, np.roll(embedding, 1, axis=1))[0]
    assert late.r1 < 0.5


def test_the_order_of_clips_does_not_matter(rng):
    video, audio = _unit(rng, 30, 2, 6), _unit(rng, 30, 2, 6)
    order = rng.permutation(30)
    shuffled = _scores(video[order], audio[order])
    for one, other in zip(_scores(video, audio), shuffled, strict=True):
        np.testing.assert_allclose(one, other)


def test_chance_is_the_average_over_random_embeddings(rng):
    results = [_scores(_unit(rng, 25, 1, 16), _unit(rng, 25, 1, 16))[0] for _ in range(300)]
    # Standard errors of the mean are about 0.003, 0.005, 0.006, 0.005, 0.11 and 0.003.
    tolerances = (0.012, 0.024, 0.028, 0.024, 0.45, 0.012)
    found = np.mean(results, axis=0)
    for value, expected, tolerance in zip(found, retrieval.chance(25), tolerances, strict=False):
        assert abs(value - expected) < tolerance


@pytest.mark.parametrize(
    ("num", "expected"),
    [
        (1, (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1)),
        (2, (0.5, 1.0, 1.0, 1.0, 1.5, 0.75, 2)),
        (200, (0.005, 0.025, 0.05, 0.1, 100.5, 5.878030948 / 200, 200)),
    ],
)
def test_chance_of_few_and_many(num, expected):
    np.testing.assert_allclose(retrieval.chance(num), expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_are_named(rng, bad):
    video, audio = _unit(rng, 5, 1, 4), _unit(rng, 5, 1, 4)
    audio[3, 0, 1] = bad
    with pytest.raises(ValueError, match=r"audio_embedding: NaN or infinity in 1 of 5.* 3"):
        _scores(video, audio)


@pytest.mark.parametrize(
    ("video", "audio"), [((4, 8), (4, 8)), ((4, 1, 8), (5, 1, 8)), ((0, 1, 8), (0, 1, 8))]
)
def test_wrong_shapes(video, audio):
    with pytest.raises(ValueError, match=r"must have one shape \[n, W, D\]"):
        _scores(np.zeros(video), np.zeros(audio))
