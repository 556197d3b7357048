"""Manifests for splits that were made elsewhere, out of what is in their records."""

import collections
import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from actcl_tf import config
from actcl_tf.data.records import records
from actcl_tf.data.records.manifest import (
    LABELS_BY_INDEX,
    LABELS_BY_NAME,
    LABELS_NONE,
    MANIFEST,
    TOOL_VERSION,
    Manifest,
    write_manifest,
)
from actcl_tf.data.records.record_check import RecordFacts
from actcl_tf.data.records.split_scan import ShardFacts, SplitFiles
from actcl_tf.storage import files
from actcl_tf.storage.errors import DataError

_RATE_TOLERANCE = 1e-6  # Records hold rates as 32-bit floats.
_MOST_CLASSES = 10**6
# Audio and video of whole clips end together, but for a frame or two and an encoder's padding.
_SECONDS_APART, _SHARE_APART = 0.2, 0.01

Scanned = Mapping[str, Sequence[ShardFacts]]


def write_missing(
    splits: Sequence[SplitFiles], scanned: Scanned, **settings: Any
) -> tuple[list[SplitFiles], list[str]]:
    """Writes the manifests that are missing, all or none; arguments of `make_manifests`.

    Returns:
      The splits with their manifests, and lines for the terminal: what was written, what to know.

    Raises:
      config.ConfigError: a rate is missing, or is not what the records say.
      DataError: no manifest is missing, records disagree, or a file cannot be written.
    """
    if all(split.manifest for split in splits):
        raise DataError(
            f"{splits[0].folder} has a {MANIFEST}, as all splits have; remove what shall be "
            "written again"
        )
    made = make_manifests(splits, scanned, **settings)
    notes = list(label_notes(made.values()))
    notes += [note for name in made for note in length_notes(made[name], scanned[name])]
    lines, complete = [], []
    for split in splits:
        if split.name in made:
            files.make_folder(split.folder)
            write_manifest(split.folder, made[split.name])
            split = split._replace(manifest=made[split.name])
            lines.append(f"Written: {files.join(split.folder, MANIFEST)}")
        complete.append(split)
    return complete, [*lines, *(f"Note: {note}" for note in notes)]


def make_manifests(
    splits: Sequence[SplitFiles],
    scanned: Scanned,
    *,
    frame_rate: float = 0.0,
    sample_rate: float = 0.0,
    unlabelled: bool = False,
) -> dict[str, Manifest]:
    """Makes the manifests that are missing.

    Args:
      splits: all splits of the data set, of `split_scan.find_splits`; those that have a manifest
        are only compared with.
      scanned: of `split_scan.scan`, without faults.
      frame_rate: frames a second, where the records do not say; 0: they do.
      sample_rate: samples a second, likewise.
      unlabelled: whether to leave all labels of these splits out.

    Returns:
      Name of the split -> its manifest, for each split that had none.

    Raises:
      config.ConfigError: a rate is missing, or is not what the records say.
      DataError: records disagree on a rate or a class, or have neither video nor audio in common.
    """
    labels, classes = (LABELS_NONE, []) if unlabelled else _labels(splits, scanned)
    clips = [clip for name in scanned for clip in _clips(scanned[name])]
    rates = {
        "frame_rate": _rate("frame_rate", frame_rate, [c for c in clips if c.frames], "frames"),
        "sample_rate": _rate(
            "sample_rate", sample_rate, [c for c in clips if c.samples], "samples"
        ),
    }
    for split in splits:
        for name, rate in rates.items():
            held = getattr(split.manifest, name, 0.0)
            if held and rate and not math.isclose(held, rate, rel_tol=_RATE_TOLERANCE):
                raise DataError(
                    f"{split.folder}/{MANIFEST} says {name}={held:g}, the other splits have "
                    f"{rate:g}: one data set has one"
                )
    made = {}
    for split in splits:
        if split.manifest is not None:
            continue
        if files.is_remote(split.folder) and any("/" in name for name in split.shards):
            raise DataError(
                f"{split.folder}: move the shards of each split into a folder of its own; on a "
                "remote file system they must lie beside their manifest"
            )
        made[split.name] = _describe(split.name, scanned[split.name], classes, rates, labels)
    return made


def length_notes(manifest: Manifest, shards: Iterable[ShardFacts]) -> list[str]:
    """Says where audio and video of a clip do not end together; of splits that have both.

    Raises:
      DataError: so it is with most clips: a rate must be wrong.
    """
    if manifest.streams != "both":
        return []
    apart, lengths = [], []
    for clip in _clips(shards):
        video, audio = clip.frames / manifest.frame_rate, clip.samples / manifest.sample_rate
        lengths.append((video, audio))
        if abs(video - audio) > _SECONDS_APART + _SHARE_APART * max(video, audio):
            apart.append((abs(video - audio), clip.clip))
    if not apart:
        return []
    if 2 * len(apart) > len(lengths):
        videos, audios = (statistics.median(each) for each in zip(*lengths, strict=True))
        raise DataError(
            f"split {manifest.split}: clips last {videos:.2f} s at {manifest.frame_rate:g} "
            f"frames a second, and {audios:.2f} s at {manifest.sample_rate:g} samples a second: "
            "video and audio must span the same time, check --frame_rate and --sample_rate"
        )
    worst, name = max(apart)
    return [
        f"{manifest.split}: in {len(apart)} of {len(lengths)} clips video and audio do not end "
        f"together, by up to {worst:.2f} s ({name}); the rest of the longer one is not used"
    ]


def _clips(shards: Iterable[ShardFacts]) -> Iterator[RecordFacts]:
    return (clip for shard in shards for clip in shard.clips)


def _describe(
    name: str,
    shards: Sequence[ShardFacts],
    classes: list[str],
    rates: Mapping[str, float],
    labels: str,
) -> Manifest:
    clips = list(_clips(shards))
    if not clips:
        raise DataError(f"split {name} holds no clips: remove it")
    has_video, has_audio = (
        all(getattr(clip, what) for clip in clips) for what in ("frames", "samples")
    )
    if not (has_video or has_audio):
        raise DataError(
            f"split {name}: {sum(not clip.samples for clip in clips)} of {len(clips)} clips lack "
            f"audio and {sum(not clip.frames for clip in clips)} video: all must have one of "
            "them, or both"
        )
    streams = "both" if has_video and has_audio else "video" if has_video else "audio"
    frame_rate, sample_rate = rates["frame_rate"], rates["sample_rate"]
    frames = [clip.frames if has_video else 0 for clip in clips]
    samples = [clip.samples if has_audio else 0 for clip in clips]
    if streams == "both":
        frames = [
            min(count, records.frames_with_audio(audio, frame_rate, sample_rate))
            for count, audio in zip(frames, samples, strict=True)
        ]
    heights, widths = ({getattr(clip, side) for clip in clips} for side in ("height", "width"))
    return Manifest(
        split=name,
        num_clips=len(clips),
        num_shards=len(shards),
        shards=[
            {"name": shard.name, "clips": len(shard.clips), "bytes": shard.num_bytes}
            for shard in shards
        ],
        classes=classes,
        frame_rate=frame_rate,
        sample_rate=sample_rate,
        min_frames=min(frames),
        min_samples=min(samples),
        min_height=min(heights),
        min_width=min(widths),
        height=heights.pop() if len(heights) == 1 else None,
        width=widths.pop() if len(widths) == 1 else None,
        duration=sum(frames) / frame_rate if has_video else sum(samples) / sample_rate,
        tool_version=TOOL_VERSION,
        streams=streams,
        multi_label=labels != LABELS_NONE
        and any(max(len(clip.labels), len(clip.names)) > 1 for clip in clips),
        labels=labels,
    )


def _rate(name: str, flag: float, clips: Sequence[RecordFacts], what: str) -> float:
    """The rate of all clips that have the stream; 0 if none has."""
    stated = collections.Counter(getattr(clip, name) for clip in clips)
    del stated[0.0]
    words = name.replace("_", " ")
    if len(stated) > 1:
        shown = ", ".join(f"{rate:g} ({count} clips)" for rate, count in stated.most_common(3))
        raise DataError(f"records disagree on the {words}: {shown}; one data set has one")
    if stated:
        # As short as a 32-bit float can be written: 29.97, not 29.969999.
        rate = float(str(np.float32(next(iter(stated)))))
        if flag and not math.isclose(flag, rate, rel_tol=_RATE_TOLERANCE):
            raise config.ConfigError(f"--{name}={flag:g}: must be {rate:g}, as the records say")
        return rate
    if clips and not flag:
        guesses = [getattr(clip, what) / clip.seconds for clip in clips if clip.seconds]
        hint = ""
        if guesses:
            hint = f"; by their start and end it is about {statistics.median(guesses):.4g}"
        raise config.ConfigError(f"--{name}: must be given, the records do not say it{hint}")
    return flag if clips else 0.0


def label_notes(manifests: Iterable[Manifest]) -> Iterator[str]:
    """Says where indices of the records do not count."""
    manifests = list(manifests)
    if any(manifest.labels == LABELS_BY_NAME for manifest in manifests):
        yield (
            "the records number their classes in more than one way, so the classes are numbered "
            f"anew, by name: {len(manifests[0].classes)} of them"
        )


def _labels(splits: Sequence[SplitFiles], scanned: Scanned) -> tuple[str, list[str]]:
    """What of the records counts as their labels, and the names of all classes in order.

    Programs that number the classes of each run, or split, anew write records that contradict each
    other; where all have names, these tell.
    """
    if any(split.manifest and split.manifest.labels == LABELS_BY_NAME for split in splits):
        return LABELS_BY_NAME, _names(splits, scanned)
    try:
        return LABELS_BY_INDEX, _classes(splits, scanned)
    except Contradiction as error:
        clips = [clip for split in splits for clip in _clips(scanned[split.name])]
        if any(split.manifest for split in splits) or any(c.labels and not c.names for c in clips):
            raise DataError(f"{error}; or leave labels out with --unlabelled") from error
        return LABELS_BY_NAME, _names(splits, scanned)


def _names(splits: Sequence[SplitFiles], scanned: Scanned) -> list[str]:
    """All classes by their names, sorted; those of a manifest as they are there."""
    known = next((s.manifest.classes for s in splits if s.manifest and s.manifest.classes), None)
    found = {
        name for split in splits for clip in _clips(scanned[split.name]) for name in clip.names
    }
    if known is None:
        return sorted(found)
    if found - {*known}:
        raise DataError(
            f"class {min(found - {*known})!r} is none of the {len(known)} of the other splits: "
            f"remove their {MANIFEST} to have all written anew"
        )
    return known


class Contradiction(DataError):
    """Records give a class two numbers, or a number two classes."""


def _classes(splits: Sequence[SplitFiles], scanned: Scanned) -> list[str]:
    """Names of all classes, in the order of their indices."""
    names, places = {}, {}
    loose: dict[str, str] = {}
    known = next((s.manifest.classes for s in splits if s.manifest and s.manifest.classes), [])

    def pair(index: int, name: str, where: str) -> None:
        if names.setdefault(index, (name, where))[0] != name:
            raise Contradiction(
                f"class {index} is {name!r} in {where} and {names[index][0]!r} in "
                f"{names[index][1]}: write the records again with one index a class"
            )
        if places.setdefault(name, (index, where))[0] != index:
            raise Contradiction(
                f"class {name!r} is number {index} in {where} and {places[name][0]} in "
                f"{places[name][1]}: write the records again with one index a class"
            )

    for index, name in enumerate(known):
        pair(index, name, MANIFEST)
    unnamed = set()
    for split in splits:
        for shard in scanned[split.name]:
            for clip in shard.clips:
                where = split.path(shard.name)
                if clip.labels and clip.names:
                    for index, name in zip(clip.labels, clip.names, strict=True):
                        pair(index, name, where)
                unnamed.update(clip.labels)
                if not clip.labels:
                    loose.update(dict.fromkeys(clip.names, where))
    top = max([*names, *unnamed], default=-1)
    if top >= _MOST_CLASSES or (known and top >= len(known)):
        raise DataError(
            f"a record has class {top}, expected an index below {len(known) or _MOST_CLASSES}"
        )
    if top < 0:
        return sorted(loose)
    for name, where in loose.items():
        if name not in places:
            raise DataError(f"{where}: class {name!r} has no index there, nor in any other record")
    return [names[index][0] if index in names else f"class {index}" for index in range(top + 1)]
