"""One shard: the unit of work of a data set's preparation.

A shard is a list of videos, planned ahead. It is written under a temporary name and renamed when it
is whole; a small report beside it says what went in and what did not, and tells a later run that
this shard is done.
"""

import collections
import dataclasses
import json
import os
import pathlib
from typing import Any, Callable, Optional

import tensorflow as tf

from actcl_tf import config
from actcl_tf.data import catalogs, clip_cutting, media, records


def _field(default: Any, help_text: str) -> Any:
    return dataclasses.field(default=default, metadata={"help": help_text})


@dataclasses.dataclass(frozen=True)
class Settings:
    """How clips are stored; each field is one flag of `tools/prepare_data.py`."""

    frame_rate: float = _field(12.5, "Frames a second of the stored clips.")
    sample_rate: int = _field(16000, "Samples a second of the stored sound, mono.")
    short_side: int = _field(128, "Short side of the frames, pixels; smaller videos keep theirs.")
    clip_seconds: float = _field(10.0, "Length of a clip; longer videos are cut into several.")
    min_seconds: float = _field(1.0, "Shortest clip that is kept.")
    jpeg_quality: int = _field(90, "Quality of the JPEG frames, 1 to 95.")
    silence_db: float = _field(
        -50.0,
        "A clip is near-silent if even its loudest 0.1 s is quieter than this (RMS, dB below full "
        "scale); digital silence, a peak below -80 dB, is always left out.",
    )
    clips_per_shard: int = _field(
        128, "Videos, or lines of the CSV file, per shard; long videos give more clips each."
    )
    seed: int = _field(0, "Seed of the order of the clips and of the draw of the test split.")

    def __post_init__(self) -> None:
        for name, low, high in (
            ("frame_rate", 0.1, 240),
            ("sample_rate", 1000, 192000),
            ("short_side", 16, 4096),
            ("clip_seconds", 0.04, 3600),
            ("min_seconds", 0.04, 3600),
            ("jpeg_quality", 1, 95),
            ("silence_db", -120, 0),
            ("clips_per_shard", 1, 10**6),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise config.ConfigError(f"--{name}={value}: must be in [{low}, {high}]")
        if self.min_seconds > self.clip_seconds:
            raise config.ConfigError(
                f"--min_seconds={self.min_seconds}: must be at most --clip_seconds="
                f"{self.clip_seconds}"
            )


@dataclasses.dataclass(frozen=True)
class ShardTask:
    """A shard to be written.

    Attributes:
      split: it belongs to.
      index: of the shard in the plan of its split.
      clips: what it is made of.
      classes: names of all classes of the data set, sorted.
      folder: that it is written to.
    """

    split: str
    index: int
    clips: tuple[catalogs.Clip, ...]
    classes: tuple[str, ...]
    folder: str

    @property
    def data_path(self) -> pathlib.Path:
        """Of the finished records; there is no file if no clip was good."""
        return pathlib.Path(self.folder) / f"{self.split}-{self.index:05d}.tfrecord"

    @property
    def report_path(self) -> pathlib.Path:
        """Of the report, written last."""
        return self.data_path.with_suffix(".json")

    def read_report(self) -> Optional["ShardReport"]:
        """The report if the shard is done, else None."""
        try:
            return ShardReport(**json.loads(self.report_path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None


@dataclasses.dataclass
class ShardReport:
    """What went into a shard, and what did not.

    Attributes:
      clips: number of clips.
      bytes: size of the file.
      frames: over all clips.
      min_frames: of the shortest clip; 0 without clips.
      sizes: `[height, width]` pairs that occur.
      failures: reason to sources.
    """

    clips: int = 0
    bytes: int = 0
    frames: int = 0
    min_frames: int = 0
    sizes: list[list[int]] = dataclasses.field(default_factory=list)
    failures: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    def add_clip(self, clip: clip_cutting.MediaClip) -> None:
        """Counts a clip."""
        num = len(clip.frames_jpeg)
        self.min_frames = min(self.min_frames, num) if self.clips else num
        self.clips += 1
        self.frames += num
        if [clip.height, clip.width] not in self.sizes:
            self.sizes.append([clip.height, clip.width])

    def add_failure(self, reason: str, source: str) -> None:
        """Counts what was left out."""
        self.failures.setdefault(reason, []).append(source)


def write_shard(
    task: ShardTask, settings: Settings, progress: Callable[[int, int], None]
) -> ShardReport:
    """Decodes the videos of a shard and writes its records and its report.

    Args:
      task: what to write.
      settings: how.
      progress: called after each video with its numbers of clips and of failures.
    """
    report = ShardReport()
    temporary = task.data_path.with_suffix(".tfrecord.tmp")
    with tf.io.TFRecordWriter(str(temporary)) as writer:
        for clip in task.clips:
            before = report.clips
            failures = _write_clip(clip, settings, task.classes, writer, report)
            for reason, source in failures:
                report.add_failure(reason, source)
            progress(report.clips - before, len(failures))
    report.bytes = temporary.stat().st_size
    if report.clips:
        os.replace(temporary, task.data_path)
    else:
        temporary.unlink()
    # Names of files that are no UTF-8 survive JSON as ASCII escapes.
    records.write_atomically(task.report_path, json.dumps(dataclasses.asdict(report)))
    return report


def _write_clip(
    clip: catalogs.Clip,
    settings: Settings,
    classes: tuple[str, ...],
    writer: tf.io.TFRecordWriter,
    report: ShardReport,
) -> list[tuple[str, str]]:
    """Writes what is good of a video; returns reason and source of what is not."""
    source = clip.name
    if clip.end is not None or clip.start:
        source += _span(clip.start, clip.end)
    rejected: list[clip_cutting.Rejected] = []
    good = 0
    try:
        for piece in clip_cutting.read_clips(
            clip.path,
            start=clip.start,
            end=clip.end,
            frame_rate=settings.frame_rate,
            sample_rate=settings.sample_rate,
            short_side=settings.short_side,
            clip_seconds=settings.clip_seconds,
            min_seconds=settings.min_seconds,
            jpeg_quality=settings.jpeg_quality,
            silence_db=settings.silence_db,
        ):
            if isinstance(piece, clip_cutting.Rejected):
                rejected.append(piece)
                continue
            writer.write(_to_record(piece, clip, settings, classes))
            report.add_clip(piece)
            good += 1
    except media.MediaError as error:
        return [(error.reason, source)]
    reasons = collections.Counter(piece.reason for piece in rejected)
    if not good and len(reasons) == 1:
        return [(reason, source) for reason in reasons]
    return [(piece.reason, clip.name + _span(piece.start, piece.end)) for piece in rejected]


def _span(start: float, end: Optional[float]) -> str:
    return f" [{start:.2f}, {'end' if end is None else f'{end:.2f}'})"


def _to_record(
    piece: clip_cutting.MediaClip,
    clip: catalogs.Clip,
    settings: Settings,
    classes: tuple[str, ...],
) -> bytes:
    start_us, end_us = round(piece.start * 1e6), round(piece.end * 1e6)
    return records.build_example(
        example_id=f"{clip.name}#{start_us}-{end_us}",
        filename=clip.name,
        frames_jpeg=piece.frames_jpeg,
        waveform=piece.waveform,
        height=piece.height,
        width=piece.width,
        frame_rate=settings.frame_rate,
        sample_rate=settings.sample_rate,
        start_us=start_us,
        end_us=end_us,
        label_index=None if clip.label is None else classes.index(clip.label),
        label_text=clip.label,
    ).SerializeToString()
