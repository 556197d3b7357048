"""One shard: the unit of work of a data set's preparation.

A shard is a list of videos, planned ahead. It is written under a temporary name and renamed when it
is whole; a small report beside it says what went in and what did not, and tells a later run that
this shard is done.
"""

import collections
import dataclasses
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from actcl_tf.data import catalogs
from actcl_tf.data.media import clip_cutting, decoder
from actcl_tf.data.media.containers import media
from actcl_tf.data.media.decoder_messages import CutClip
from actcl_tf.data.prepare.prepare_settings import PrepareSettings
from actcl_tf.data.records import example_building, references
from actcl_tf.storage import files


@dataclasses.dataclass(frozen=True)
class ShardTask:
    """A shard to be written.

    Attributes:
      split: it belongs to.
      index: of the shard in the plan of its split.
      clips: what it is made of.
      classes: machine names of all classes of the data set, sorted.
      class_texts: their names as people read them.
      folder: that it is written to, local or of any file system that TensorFlow knows.
    """

    split: str
    index: int
    clips: tuple[catalogs.Clip, ...]
    classes: tuple[str, ...]
    class_texts: tuple[str, ...]
    folder: str

    @property
    def name(self) -> str:
        """Of the shard, unique in the plan."""
        return f"{self.split}-{self.index:05d}"

    @property
    def data_path(self) -> str:
        """Of the finished records; there is no file if no clip was good."""
        return files.join(self.folder, f"{self.name}.tfrecord")

    @property
    def report_path(self) -> str:
        """Of the report, written last."""
        return files.join(self.folder, f"{self.name}.json")

    def read_report(self) -> "ShardReport | None":
        """The report if the shard is done, else None."""
        if files.size(self.report_path) is None:
            return None
        held = json.loads(files.read_text(self.report_path))
        return ShardReport([ClipFacts(*row) for row in held["clips"]], held["failures"])


class ClipFacts(NamedTuple):
    """What is known of a clip in a shard; its place in the list is its place in the file.

    Attributes:
      source: its video and span, for people.
      seconds: its length.
      frames: its frames; 0 without video.
      samples: its samples; 0 without audio.
      height: of the frames, pixels.
      width: of the frames, pixels.
      fingerprint: what duplicates of it are known by; None unless they are looked for.
    """

    source: str
    seconds: float
    frames: int
    samples: int
    height: int
    width: int
    fingerprint: Any


@dataclasses.dataclass
class ShardReport:
    """What went into a shard, and what did not: reason to sources."""

    clips: list[ClipFacts] = dataclasses.field(default_factory=list)
    failures: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    def add_failure(self, reason: str, source: str) -> None:
        """Counts what was left out."""
        self.failures.setdefault(reason, []).append(source)

    @property
    def num_failures(self) -> int:
        """What was left out, for whatever reason."""
        return sum(map(len, self.failures.values()))


def write_shard(
    task: ShardTask,
    settings: PrepareSettings,
    cutter: decoder.Decoder,
    progress: Callable[[int, int], None],
) -> ShardReport:
    """Has the videos of a shard cut, and writes its records and its report.

    Args:
      task: what to write.
      settings: how.
      cutter: made with the `read_options` of `settings`.
      progress: called after each video with its numbers of clips and of failures.

    Raises:
      DataError: the folder cannot be written; nothing is left of the shard.
      decoder.Stopped: the work was called off; likewise.
    """
    report = ShardReport()
    temporary = files.temporary_name(task.data_path)
    try:
        with files.naming(task.data_path, "written"):
            with tf.io.TFRecordWriter(temporary) as writer:
                for clip in task.clips:
                    before = len(report.clips)
                    failures = _write_clip(
                        clip, task, settings, cutter=cutter, writer=writer, report=report
                    )
                    for reason, source in failures:
                        report.add_failure(reason, source)
                    progress(len(report.clips) - before, len(failures))
            if report.clips:
                files.move(temporary, task.data_path)
    finally:
        files.remove(temporary)
    # Names of files that are no UTF-8 survive JSON as ASCII escapes.
    files.write_atomically(task.report_path, json.dumps(dataclasses.asdict(report)))
    return report


def _write_clip(
    clip: catalogs.Clip,
    task: ShardTask,
    settings: PrepareSettings,
    cutter: decoder.Decoder,
    writer: tf.io.TFRecordWriter,
    report: ShardReport,
) -> list[tuple[str, str]]:
    """Writes what is good of a video; returns reason and source of what is not."""
    source = clip.name
    if clip.end is not None or clip.start:
        source += _span(clip.start, clip.end)
    rejected: list[clip_cutting.Rejected] = []
    good, last = 0, clip.start
    try:
        for piece in cutter.cut(clip.path, clip.start, clip.end):
            if isinstance(piece, clip_cutting.Rejected):
                rejected.append(piece)
                continue
            record = _to_record(piece.clip, clip, task, settings)
            writer.write(record.SerializeToString())
            report.clips.append(_facts(piece, clip))
            good, last = good + 1, piece.clip.end
    except media.MediaError as error:
        if not good:
            return [(error.reason, source)]
        rejected.append(clip_cutting.Rejected(last, clip.end, error.reason))
    reasons = collections.Counter(piece.reason for piece in rejected)
    if not good and len(reasons) == 1:
        return [(reason, source) for reason in reasons]
    return [(piece.reason, clip.name + _span(piece.start, piece.end)) for piece in rejected]


def _span(start: float, end: float | None) -> str:
    return f" [{start:.2f}, {'end' if end is None else f'{end:.2f}'})"


def _facts(piece: CutClip, clip: catalogs.Clip) -> ClipFacts:
    cut = piece.clip
    return ClipFacts(
        source=clip.name + _span(cut.start, cut.end),
        seconds=cut.end - cut.start,
        frames=len(cut.frames_jpeg),
        samples=0 if cut.waveform is None else len(cut.waveform),
        height=cut.height,
        width=cut.width,
        fingerprint=piece.fingerprint,
    )


def _to_record(
    piece: clip_cutting.MediaClip, clip: catalogs.Clip, task: ShardTask, settings: PrepareSettings
) -> tf.train.SequenceExample:
    start_us, end_us = round(piece.start * 1e6), round(piece.end * 1e6)
    labels = [task.classes.index(label) for label in clip.labels]
    identity = {
        "example_id": f"{clip.name}#{start_us}-{end_us}",
        "filename": clip.name,
        "labels": labels,
        "label_texts": [task.class_texts[label] for label in labels],
        "label_strings": clip.labels,
    }
    if settings.is_index:
        return references.build(
            path=clip.path,
            start=piece.start,
            end=piece.end,
            num_frames=len(piece.frames_jpeg),
            has_jumps=piece.has_jumps,
            **identity,
        )
    return example_building.build_example(
        frames_jpeg=piece.frames_jpeg,
        waveform=piece.waveform,
        height=piece.height,
        width=piece.width,
        frame_rate=settings.frame_rate,
        sample_rate=settings.sample_rate,
        start_us=start_us,
        end_us=end_us,
        caption=clip.caption,
        folds=clip.folds,
        **identity,
    )
