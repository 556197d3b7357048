"""Windows of many files, as they are read -> whole files with their vectors, encoded in batches."""

import collections
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from actcl_tf.search import segments
from actcl_tf.search.encoding import Encoder
from actcl_tf.search.reading import Event, FileRead, WindowRead
from actcl_tf.search.segments import AUDIO, MODALITIES, VIDEO, Segment

_BATCH = 32  # Windows that are encoded at once.


class FileEncoded(NamedTuple):
    """A file that is done.

    Attributes:
      file: its number.
      segments: of it, by start; none where nothing of it can be used.
      vectors: modality -> [N, D] float32, unit vectors of its windows, by start.
      left_out: modality -> reason -> how many windows, or 1 for all there is.
    """

    file: int
    segments: tuple[Segment, ...]
    vectors: dict[str, np.ndarray]
    left_out: dict[str, dict[str, int]]


class Assembler:
    """Encodes windows of many files together, and gives back files when all of them are encoded.

    Attributes:
      num_windows: how many were encoded.
    """

    def __init__(self, encoder: Encoder):
        """Takes what encodes."""
        self._encoder = encoder
        self.num_windows = 0
        self._waiting: dict[str, list[WindowRead]] = {modality: [] for modality in MODALITIES}
        self._starts: dict[tuple[int, str], list[float]] = collections.defaultdict(list)
        self._vectors: dict[tuple[int, str], list[np.ndarray]] = collections.defaultdict(list)
        self._read: dict[int, FileRead] = {}  # Files all of whose windows are known.

    def run(self, events: Iterable[Event]) -> Iterator[FileEncoded]:
        """Takes the events of `reading.read_files`; gives the files as they are done."""
        for event in events:
            if isinstance(event, FileRead):
                self._read[event.file] = event
                yield from self._done([event.file])
                continue
            self._starts[event.file, event.modality].append(event.window.start)
            self._waiting[event.modality].append(event)
            if len(self._waiting[event.modality]) == _BATCH:
                yield from self._encode(event.modality)
        for modality in MODALITIES:
            if self._waiting[modality]:
                yield from self._encode(modality)

    def _encode(self, modality: str) -> list[FileEncoded]:
        batch, self._waiting[modality] = self._waiting[modality], []
        encode = self._encoder.videos if modality == VIDEO else self._encoder.audio
        vectors = encode([each.window.content for each in batch])
        self.num_windows += len(batch)
        for each, vector in zip(batch, vectors, strict=True):
            self._vectors[each.file, each.modality].append(vector)
        return self._done({each.file for each in batch})

    def _done(self, numbers: Iterable[int]) -> list[FileEncoded]:
        """Those of some files that are read and encoded."""
        return [
            self._take(number)
            for number in numbers
            if number in self._read
            and all(
                len(self._vectors[number, modality]) == len(self._starts[number, modality])
                for modality in MODALITIES
            )
        ]

    def _take(self, number: int) -> FileEncoded:
        starts = {modality: self._starts.pop((number, modality)) for modality in MODALITIES}
        vectors = {modality: self._vectors.pop((number, modality)) for modality in MODALITIES}
        paired = segments.pair(starts[VIDEO], starts[AUDIO], self._encoder.shape.seconds)
        size = self._encoder.embedding_size
        return FileEncoded(
            number,
            tuple(paired),
            {name: np.reshape(rows, [-1, size]) for name, rows in vectors.items()},
            self._read.pop(number).left_out,
        )
