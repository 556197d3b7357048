"""A loaded index, and what in it is nearest to a query: exact cosines, no approximation."""

import collections
from typing import NamedTuple

import numpy as np

from actcl_tf.search import store
from actcl_tf.search.request import FIND
from actcl_tf.search.segments import MODALITIES, VIDEO

_LENGTH_ERROR = 0.01  # Of what half precision, or int8 arithmetic, takes for a unit vector.


class Hit(NamedTuple):
    """A segment that was found.

    Attributes:
      path: of its file.
      name: of its file in the folder that was indexed; the path where the index has several.
      start: seconds from the beginning of the file.
      score: cosine with the query, in [-1, 1].
      modality: of MODALITIES, what of the segment the score is of.
    """

    path: str
    name: str
    start: float
    score: float
    modality: str


class Collection:
    """An index in memory, mapped from its files.

    Attributes:
      facts: what it was made with.
      entries: its files.
      num_files: that segments are of.
      num_segments: of all of them.
    """

    def __init__(self, folder: str):
        """Loads an index.

        Args:
          folder: of the index.

        Raises:
          DataError: there is none, or it is damaged.
        """
        content = store.load(folder)
        self.facts, self.entries, self._vectors = content.facts, content.entries, content.vectors
        held = [segment for entry in self.entries for segment in entry.segments]
        self.num_files = sum(bool(entry.segments) for entry in self.entries)
        self.num_segments = len(held)
        self._starts = np.array([segment.start for segment in held], np.float64)
        self._has_one_root = len({entry.root for entry in self.entries}) == 1
        counts = [len(entry.segments) for entry in self.entries]
        self._files = np.repeat(np.arange(len(counts)), counts)
        has = {
            modality: np.array(
                [m.has_video if modality == VIDEO else m.has_audio for m in held], bool
            )
            for modality in MODALITIES
        }
        # Modality -> the segment of each row of its matrix.
        self._segments = {modality: np.flatnonzero(has[modality]) for modality in MODALITIES}

    def search(
        self, query: np.ndarray, *, find: str = "any", top_k: int = 10, per_file: int = 0
    ) -> list[Hit]:
        """The segments nearest to a query, the nearest first; equals by their place in the index.

        Args:
          query: [D] float32, unit vector.
          find: of FIND, what of a segment is compared; any: whichever is nearer.
          top_k: segments at most.
          per_file: segments of one file at most; 0: any number.

        Raises:
          ValueError: the query is no unit vector of that size, or `find` is another.
        """
        if find not in FIND:
            raise ValueError(f"find must be one of {', '.join(FIND)}, got {find!r}")
        query = self._checked(query)
        modalities = MODALITIES if find == "any" else (find,)
        scores = np.full([len(modalities), self.num_segments], -np.inf, np.float32)
        for row, modality in zip(scores, modalities, strict=True):
            row[self._segments[modality]] = self._vectors[modality] @ query
        best = scores.max(axis=0)
        hits: list[Hit] = []
        taken: collections.Counter = collections.Counter()
        for segment in _order(best, 0 if per_file else top_k):
            if len(hits) == top_k or best[segment] == -np.inf:
                break
            file = self._files[segment]
            if per_file and taken[file] == per_file:
                continue
            taken[file] += 1
            entry = self.entries[file]
            hits.append(
                Hit(
                    entry.path,
                    entry.name if self._has_one_root else entry.path,
                    float(self._starts[segment]),
                    float(best[segment]),
                    modalities[int(scores[:, segment].argmax())],
                )
            )
        return hits

    def _checked(self, query: np.ndarray) -> np.ndarray:
        query, size = np.asarray(query), self.facts.embedding_size
        wanted = f"query must be a vector [{size}] of floats and of length 1"
        if query.shape != (size,) or not np.issubdtype(query.dtype, np.floating):
            raise ValueError(f"{wanted}, got {query.dtype} {list(query.shape)}")
        length = float(np.linalg.norm(query.astype(np.float64)))
        if not abs(length - 1.0) < _LENGTH_ERROR:  # Nor is NaN.
            raise ValueError(f"{wanted}, got length {length:g}: its scores would be no cosines")
        return query.astype(np.float32, copy=False)


def _order(scores: np.ndarray, most: int) -> np.ndarray:
    """Places of the highest scores, highest first and equals in order; at least `most`, 0: all."""
    places = np.arange(len(scores))
    if 0 < most < len(scores):
        lowest = np.partition(scores, -most)[-most]
        places = np.flatnonzero(scores >= lowest)
    return places[np.argsort(-scores[places], kind="stable")]
