"""What is wrong with a split: its shards against its manifest, and its records against both."""

import math
from collections.abc import Iterable, Sequence

from actcl_tf.data.records.manifest import LABELS_BY_NAME, LABELS_NONE, MANIFEST, Manifest
from actcl_tf.data.records.record_check import RecordFacts
from actcl_tf.data.records.split_scan import ShardFacts, SplitFiles

_RATE_TOLERANCE = 1e-6  # Records hold rates as 32-bit floats.


def find_faults(split: SplitFiles, shards: Sequence[ShardFacts]) -> list[str]:
    """Says what is wrong with a split.

    Args:
      split: of `split_scan.find_splits`.
      shards: of it, from `split_scan.scan`.

    Returns:
      One line for each thing, with the path of the file; none if all is well.
    """
    faults = [f"{split.folder}: {gap}" for gap in split.gaps]
    listed = {each["name"]: each for each in split.manifest.shards} if split.manifest else {}
    for shard in shards:
        path = split.path(shard.name)
        faults += shard.faults
        if split.manifest is None or f"{path} is missing" in shard.faults:
            continue
        if shard.name not in listed:
            faults.append(f"{path} is not in {MANIFEST}")
            continue
        entry = listed[shard.name]
        if entry.get("bytes", shard.num_bytes) != shard.num_bytes:
            faults.append(f"{path} has {shard.num_bytes} bytes instead of {entry['bytes']}")
        if not shard.faults and entry["clips"] != len(shard.clips):
            faults.append(f"{path} holds {len(shard.clips)} clips instead of {entry['clips']}")
        faults += _against(split.manifest, path, shard.clips)
    if split.manifest:
        total = sum(each["clips"] for each in listed.values())
        if total != split.manifest.num_clips:
            faults.append(
                f"{split.folder}/{MANIFEST} says {split.manifest.num_clips} clips, and {total} in "
                "its shards"
            )
    return faults


def _against(manifest: Manifest, path: str, clips: Sequence[RecordFacts]) -> list[str]:
    """Where a shard's records are not what the manifest says, a line a kind."""
    has_video, has_audio = manifest.streams != "audio", manifest.streams != "video"
    rates = {name: getattr(manifest, name) for name in ("frame_rate", "sample_rate")}
    counts: dict[str, list[str]] = {}
    for clip in clips:
        wrong = [
            f"have {getattr(clip, name):g} instead of {rate:g} as their {name.replace('_', ' ')}"
            for name, rate in rates.items()
            if getattr(clip, name)
            and not math.isclose(getattr(clip, name), rate, rel_tol=_RATE_TOLERANCE)
        ]
        if has_video and not clip.frames:
            wrong.append("lack the video")
        elif has_video and clip.frames < manifest.min_frames:
            wrong.append(f"have fewer than {manifest.min_frames} frames")
        if has_audio and not clip.samples:
            wrong.append("lack the audio")
        wrong += _label_faults(manifest, clip)
        for each in wrong:
            counts.setdefault(each, []).append(clip.clip)
    return [
        f"{path}: {len(names)} clips {what}, which {MANIFEST} says; the first is {names[0]}"
        for what, names in counts.items()
    ]


def _label_faults(manifest: Manifest, clip: RecordFacts) -> Iterable[str]:
    if manifest.labels == LABELS_NONE:
        return
    if manifest.labels == LABELS_BY_NAME:
        unknown = sorted({*clip.names} - {*manifest.classes})
        if unknown:
            yield f"have class {unknown[0]!r}, which is none of {len(manifest.classes)} classes"
        return
    for place, label in enumerate(clip.labels):
        if label >= len(manifest.classes):
            yield f"have class {label}, of {len(manifest.classes)} classes"
        elif clip.names and clip.names[place] != manifest.classes[label]:
            yield f"call class {label} {clip.names[place]!r} instead of {manifest.classes[label]!r}"
