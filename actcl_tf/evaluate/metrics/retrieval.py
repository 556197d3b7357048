"""Cross-modal retrieval: does a clip's video find its audio among that of all clips, and back?"""

from typing import NamedTuple

import numpy as np

from actcl_tf.evaluate.features import checks

# Scores closer than this are ties: it is above the rounding of float32 embeddings, which would
# otherwise break the ties of an encoder that maps everything to one point.
TIE = 1e-6
# How many of the first are looked at, in the order of the fields of the scores.
KS = (1, 5, 10, 20)
DIRECTIONS = ("video_to_audio", "audio_to_video")
_BLOCK = 1024


class RetrievalScores(NamedTuple):
    """Retrieval in one direction over n queries with n candidates each.

    Attributes:
      r1: share of queries whose partner comes first, in [0, 1].
      r5: share of queries whose partner is among the first 5.
      r10: share of queries whose partner is among the first 10.
      r20: share of queries whose partner is among the first 20.
      median_rank: median of the partner's rank, from 1 to n.
      mean_reciprocal_rank: mean of 1 / rank, in (0, 1].
      num: n.
    """

    r1: float
    r5: float
    r10: float
    r20: float
    median_rank: float
    mean_reciprocal_rank: float
    num: int


def cross_modal_ranks(
    video_embedding: np.ndarray, audio_embedding: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Ranks from 1, [n] int64, of each video's audio and of each audio's video: `DIRECTIONS`.

    The score of a video and an audio is the mean, over their windows in order, of the cosine of
    the two windows' embeddings. Ranks are pessimistic: every candidate whose score equals that of
    the partner, to within `TIE`, comes before it. So encoders that map everything to one point rank
    every partner last, and of two identical clips neither is found first.

    Args:
      video_embedding: [n, W, D] float, embeddings of the videos.
      audio_embedding: [n, W, D] float, embeddings of the audio; row i belongs to video i.

    Raises:
      ValueError: shapes do not fit, there is no clip, or a value is NaN or infinite.
    """
    pair = {"video_embedding": video_embedding, "audio_embedding": audio_embedding}
    video, audio = _checked(pair)
    return _ranks(video, audio), _ranks(audio, video)


def ranks(queries: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """[n] int64: the rank of each query's partner among all candidates, see `cross_modal_ranks`.

    Args:
      queries: [n, W, D] float.
      candidates: [n, W, D] float; row i belongs to query i.

    Raises:
      ValueError: shapes do not fit, there is no clip, or a value is NaN or infinite.
    """
    return _ranks(*_checked({"queries": queries, "candidates": candidates}))


def chance(num: int) -> RetrievalScores:
    """What scores all drawn at random give on average, among n candidates.

    Args:
      num: n, at least 1.
    """
    return RetrievalScores(
        *(min(k / num, 1.0) for k in KS),
        median_rank=(num + 1) / 2,
        mean_reciprocal_rank=float(np.mean(1.0 / np.arange(1, num + 1))),
        num=num,
    )


def _checked(pair: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Rows of both sides, see `_rows`."""
    one, other = map(np.asarray, pair.values())
    if one.ndim != 3 or one.shape != other.shape or not one.size:
        raise ValueError(
            f"{' and '.join(pair)} must have one shape [n, W, D] with n, W, D > 0, got "
            f"{one.shape} and {other.shape}"
        )
    for name, value in pair.items():
        fault = checks.non_finite(np.asarray(value))
        if fault:
            raise ValueError(f"{name}: {fault}")
    return [_rows(one), _rows(other)]


def _rows(embedding: np.ndarray) -> np.ndarray:
    """[n, W, D] -> [n, W * D] float64, so that a product of two rows is the mean cosine."""
    embedding = embedding.astype(np.float64)
    length = np.linalg.norm(embedding, axis=2, keepdims=True)
    unit = embedding / np.maximum(length, np.finfo(np.float64).tiny)
    return (unit / np.sqrt(embedding.shape[1])).reshape(len(embedding), -1)


def _ranks(queries: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """[n] int64: rank, from 1, of candidate i for query i; in blocks, so that n may be large."""
    ranks = np.empty(len(queries), np.int64)
    for start in range(0, len(queries), _BLOCK):
        block = slice(start, start + _BLOCK)
        scores = queries[block] @ candidates.T
        own = np.arange(len(scores))
        partner = scores[own, start + own]
        ranks[block] = (scores >= partner[:, None] - TIE).sum(axis=1)
    return ranks


def score(ranks: np.ndarray) -> RetrievalScores:
    """Scores of ranks [n] int64, from 1 to n, of one direction."""
    return RetrievalScores(
        *(float(np.mean(ranks <= k)) for k in KS),
        median_rank=float(np.median(ranks)),
        mean_reciprocal_rank=float(np.mean(1.0 / ranks)),
        num=len(ranks),
    )
