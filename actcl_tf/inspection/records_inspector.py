"""Reads a data set of records once: what is in it, what is wrong with it, and what to show."""

import hashlib
import heapq
from typing import NamedTuple

from actcl_tf.data.records import record_check, split_faults, split_manifests, split_scan
from actcl_tf.inspection import records_sheet, records_text
from actcl_tf.storage import files
from actcl_tf.storage.errors import DataError
from actcl_tf.storage.files import PathLike

SHEET = "contact_sheet.png"
# Where nobody knows a rate, clips are drawn at these.
_COMMON_FRAME_RATE, _COMMON_SAMPLE_RATE = 10.0, 16000.0


class Drawn(NamedTuple):
    """A record that was drawn for the sheet.

    Attributes:
      split: it is of.
      record: serialized.
      facts: what is in it.
    """

    split: str
    record: bytes
    facts: record_check.RecordFacts


class Inspection:
    """A data set that was read.

    Attributes:
      folder: of the data set.
      splits: what lies there.
      found: name of the split -> what is in its shards.
      drawn: records for the sheet.
    """

    def __init__(
        self,
        folder: PathLike,
        *,
        every_frame: bool = False,
        num_drawn: int = 0,
        seed: int = 0,
        frame_rate: float = 0.0,
        sample_rate: float = 0.0,
        progress: bool = True,
    ) -> None:
        """Reads every record.

        Args:
          folder: of a data set or of one split.
          every_frame: whether to look at every frame, not at the first of each clip alone.
          num_drawn: clips to draw for the sheet, without replacement.
          seed: of the draw.
          frame_rate: frames a second where neither records nor manifests say; 0: not known.
          sample_rate: samples a second, likewise.
          progress: whether to show a progress bar.

        Raises:
          DataError: there is no data set, or only an index of videos, or a manifest is damaged.
        """
        self.folder = folder
        self.splits = split_scan.find_splits(folder)
        for split in self.splits:
            if split.manifest is not None and split.manifest.is_index:
                raise DataError(
                    f"{folder} is an index of videos, of --input=media: it holds no frames and no "
                    "audio to look at; prepare the videos with tools/prepare_data.py"
                )
        self._rates = frame_rate, sample_rate
        heap: list[tuple[int, int, Drawn]] = []

        def draw(
            split: str, shard: str, index: int, record: bytes, facts: record_check.RecordFacts
        ) -> None:
            text = f"{seed}/{split}/{shard}/{index}".encode("utf-8", "surrogateescape")
            key = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
            heapq.heappush(heap, (-key, index, Drawn(split, record, facts)))
            if len(heap) > num_drawn:
                heapq.heappop(heap)

        self.found = split_scan.scan(
            self.splits,
            every_frame=every_frame,
            on_record=draw if num_drawn else None,
            progress=progress,
        )
        self.drawn = [item[-1] for item in sorted(heap, key=lambda item: -item[0])]

    @property
    def num_clips(self) -> int:
        """Good records."""
        return sum(len(shard.clips) for shards in self.found.values() for shard in shards)

    def faults(self) -> list[str]:
        """What is wrong, one line each."""
        return [
            fault
            for split in self.splits
            for fault in split_faults.find_faults(split, self.found[split.name])
        ]

    def describe(self) -> str:
        """All about it, for the terminal."""
        parts = [
            records_text.describe(split, self.found[split.name], *self._rates)
            for split in self.splits
        ]
        return "\n\n".join([*parts, *records_text.common_clips(self.found)])

    def write_manifests(self, *, unlabelled: bool = False) -> list[str]:
        """Writes the manifests that are missing; returns one line on each, and what to know.

        Args:
          unlabelled: whether to leave all labels out.

        Raises:
          config.ConfigError: a rate is missing or wrong.
          DataError: there is none missing, records disagree, or a file cannot be written.
        """
        self.splits, lines = split_manifests.write_missing(
            self.splits,
            self.found,
            frame_rate=self._rates[0],
            sample_rate=self._rates[1],
            unlabelled=unlabelled,
        )
        return lines

    def write_sheet(self, path: PathLike | None) -> str:
        """Draws the clips that were drawn; returns the path.

        Args:
          path: of the PNG file; None: in the folder, or else in the working directory if the folder
            cannot be written.

        Raises:
          DataError: the file cannot be written.
        """
        rows = [self._row(drawn) for drawn in self.drawn]
        if path is not None:
            records_sheet.draw(path, rows)
            return str(path)
        try:
            return self.write_sheet(files.join(self.folder, SHEET))
        except DataError:
            return self.write_sheet(SHEET)

    def _row(self, drawn: Drawn) -> records_sheet.Row:
        facts = drawn.facts
        split = next(split for split in self.splits if split.name == drawn.split)
        frame_rate = facts.frame_rate or getattr(split.manifest, "frame_rate", 0) or self._rates[0]
        sample_rate = (
            facts.sample_rate or getattr(split.manifest, "sample_rate", 0) or self._rates[1]
        )
        if facts.seconds:
            frame_rate = frame_rate or facts.frames / facts.seconds
            sample_rate = sample_rate or facts.samples / facts.seconds
        name = facts.video or facts.clip
        names = facts.names or [self._class(split, label) for label in facts.labels]
        seconds = records_text.seconds_of(facts, frame_rate, sample_rate)
        note = f"{drawn.split}, {facts.start:.2f} to {facts.start + seconds:.2f} s"
        return records_sheet.read_row(
            drawn.record,
            title=", ".join(names) or name,
            note=f"{note} of {name}" if names else note,
            frame_rate=frame_rate or _COMMON_FRAME_RATE,
            sample_rate=sample_rate or _COMMON_SAMPLE_RATE,
        )

    @staticmethod
    def _class(split: split_scan.SplitFiles, label: int) -> str:
        classes = split.manifest.classes if split.manifest else []
        return classes[label] if label < len(classes) else f"class {label}"
