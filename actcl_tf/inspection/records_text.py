"""What is in the splits of a data set, as text for the terminal."""

import collections
import math
import statistics
from collections.abc import Sequence

from actcl_tf.data.media.containers import media
from actcl_tf.data.records.record_check import RecordFacts
from actcl_tf.data.records.split_scan import ShardFacts, SplitFiles
from actcl_tf.storage.printable import printable

_MOST_CLASSES = 10
_MOST_SIZES = 4
_SHOWN_SOURCES = 3
_BARS, _BAR_WIDTH = 8, 40
_QUIET_DB = -40.0
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def seconds_of(clip: RecordFacts, frame_rate: float, sample_rate: float) -> float:
    """Length of a clip; 0 if it is not known.

    Args:
      clip: of the split.
      frame_rate: frames a second where the record does not say; 0: not known.
      sample_rate: samples a second, likewise.
    """
    frame_rate, sample_rate = clip.frame_rate or frame_rate, clip.sample_rate or sample_rate
    if clip.frames and frame_rate:
        return clip.frames / frame_rate
    if clip.samples and sample_rate:
        return clip.samples / sample_rate
    return clip.seconds


def describe(
    split: SplitFiles, shards: Sequence[ShardFacts], frame_rate: float, sample_rate: float
) -> str:
    """Describes a split.

    Args:
      split: its files and its manifest.
      shards: what is in them.
      frame_rate: frames a second where neither records nor manifest say; 0: not known.
      sample_rate: samples a second, likewise.
    """
    clips = [clip for shard in shards for clip in shard.clips]
    if split.manifest:
        frame_rate = split.manifest.frame_rate or frame_rate
        sample_rate = split.manifest.sample_rate or sample_rate
    num_bytes = sum(shard.num_bytes for shard in shards)
    noun = "shard" if len(shards) == 1 else "shards"
    head = f"{split.name}: {len(clips)} clips in {len(shards)} {noun}, {_size(num_bytes)}"
    rows = []
    if clips:
        lengths = [seconds_of(clip, frame_rate, sample_rate) for clip in clips]
        if all(lengths):
            head += f", {sum(lengths) / 3600:.3g} hours"
            rows.append(("lengths", _lengths(lengths, "s")))
        else:
            counts = [float(clip.frames or clip.samples) for clip in clips]
            rows.append(("lengths", _lengths(counts, "frames" if clips[0].frames else "samples")))
        rows += _stream_rows(clips, frame_rate, sample_rate, len(shards), num_bytes)
        classes = split.manifest.classes if split.manifest else []
        rows += [("classes", _classes(clips, classes)), *_twice(clips)]
    if split.manifest is None:
        rows.append(("manifest", ["none; --write_manifest writes one"]))
    else:
        rows.append(("left out", _left_out(split.manifest.failures)))
        if split.manifest.missing:
            rows.append(("missing", [f"{split.manifest.missing} clips of the data set's own list"]))
    return "\n".join([head, *(_block(name, lines) for name, lines in rows)])


def common_clips(found: dict[str, Sequence[ShardFacts]]) -> list[str]:
    """Says which splits share clips or videos, one line a pair."""
    lines = []
    names = sorted(found)
    for what, plural in (("clip", "clips"), ("video", "videos")):
        sets = {
            name: {getattr(clip, what) for shard in found[name] for clip in shard.clips} - {""}
            for name in names
        }
        for place, one in enumerate(names):
            for other in names[place + 1 :]:
                both = sorted(sets[one] & sets[other])
                if both:
                    shown = ", ".join(both[:_SHOWN_SOURCES]) + ", ..." * (
                        len(both) > _SHOWN_SOURCES
                    )
                    lines.append(f"{one} and {other} share {len(both)} {plural}: {shown}")
    return lines


def _block(name: str, lines: Sequence[str]) -> str:
    return "\n".join(f"  {name if not place else '':9}{line}" for place, line in enumerate(lines))


def _size(num_bytes: float) -> str:
    power = min(int(math.log10(max(num_bytes, 1)) / 3), len(_UNITS) - 1)
    return f"{num_bytes / 1000**power:.3g} {_UNITS[power]}"


def _lengths(values: Sequence[float], unit: str) -> list[str]:
    """Shortest, median and longest, and a histogram if they differ."""
    low, high = min(values), max(values)
    digits = 2 if unit == "s" else 0
    if low == high:
        return [f"all {low:.{digits}f} {unit}"]
    middle = statistics.median(values)
    lines = [
        f"shortest {low:.{digits}f}, median {middle:.{digits}f}, longest {high:.{digits}f} {unit}"
    ]
    shown = collections.Counter(f"{value:.{digits}f}" for value in sorted(values))
    if len(shown) > _BARS:
        step = (high - low) / _BARS
        edges = [f"{low + bar * step:.{digits}f}" for bar in range(_BARS + 1)]
        bars = [min(int((value - low) / step), _BARS - 1) for value in values]
        shown = {f"{edges[n]} - {edges[n + 1]}": bars.count(n) for n in range(_BARS)}
    width, most = max(map(len, shown)), max(shown.values())
    for name, count in shown.items():
        marks = "#" * math.ceil(count * _BAR_WIDTH / most)
        lines.append(f"{name:>{width}}  {marks:{_BAR_WIDTH}} {count}")
    return lines


def _stream_rows(
    clips: Sequence[RecordFacts],
    frame_rate: float,
    sample_rate: float,
    num_shards: int,
    num_bytes: int,
) -> list[tuple[str, list[str]]]:
    """Rows on video, audio and bytes."""
    rows = []
    with_video = [clip for clip in clips if clip.frames]
    sizes = collections.Counter((clip.width, clip.height) for clip in with_video)
    if sizes:
        shown = [f"{w} x {h} ({count})" for (w, h), count in sizes.most_common(_MOST_SIZES)]
        if len(sizes) > _MOST_SIZES:
            shown.append(f"{len(sizes) - _MOST_SIZES} more sizes")
        rates = sorted({clip.frame_rate or frame_rate for clip in with_video})
        lines = [f"{_rates(rates)} frames a second; {', '.join(shown)}"]
        rows.append(("video", lines))
    levels = [clip.loudest_db for clip in clips if clip.loudest_db is not None]
    if levels:
        rates = sorted({clip.sample_rate or sample_rate for clip in clips if clip.samples})
        quiet = sum(level < _QUIET_DB for level in levels)
        rows.append(
            (
                "audio",
                [
                    f"{_rates(rates)} Hz; median of the loudest 0.1 s of each clip "
                    f"{statistics.median(levels):.0f} dB",
                    f"{quiet} of {len(levels)} clips nearly silent (below {_QUIET_DB:.0f} dB)",
                ],
            )
        )
    for what, count in (("video", len(with_video)), ("audio", len(levels))):
        if 0 < count < len(clips):
            rows.append(("", [f"{len(clips) - count} clips lack {what}"]))
    clip_bytes = [clip.num_bytes for clip in clips]
    rows.append(
        (
            "bytes",
            [
                f"{_size(statistics.mean(clip_bytes))} a clip, {_size(num_bytes / num_shards)} a "
                f"shard; largest clip {_size(max(clip_bytes))}"
            ],
        )
    )
    return rows


def _rates(rates: Sequence[float]) -> str:
    return " or ".join(f"{rate:g}" if rate else "unknown" for rate in rates)


def _classes(clips: Sequence[RecordFacts], classes: Sequence[str]) -> list[str]:
    """How many clips each class has, the largest first."""
    counts: collections.Counter[str] = collections.Counter()
    for clip in clips:
        if clip.labels and len(clip.names) == len(clip.labels):
            counts.update(clip.names)
        elif clip.labels:
            counts.update(
                classes[label] if label < len(classes) else f"class {label}"
                for label in clip.labels
            )
        else:
            counts.update(clip.names)
    if not counts:
        return ["no labels"]
    several = sum(max(len(clip.labels), len(clip.names)) > 1 for clip in clips)
    without = sum(not clip.labels and not clip.names for clip in clips)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    balance = ranked[0][1] / ranked[-1][1]
    lines = [str(len(counts))]
    if len(classes) > len(counts):
        lines[0] += f" of {len(classes)} have clips here"
    if len(counts) > 1:
        lines[0] += f"; the largest is {balance:.3g} times the smallest"
    ranked = [(printable(name), count) for name, count in ranked]
    width = max(len(name) for name, _ in ranked[:_MOST_CLASSES])
    for name, count in ranked[:_MOST_CLASSES]:
        lines.append(f"{name:{width}} {count:6d}  {100 * count / len(clips):5.1f} %")
    if len(ranked) > _MOST_CLASSES:
        lines.append(f"and {len(ranked) - _MOST_CLASSES} more, down to {ranked[-1][1]}")
    if several:
        lines.append(f"{several} clips have several")
    if without:
        lines.append(f"{without} clips have none")
    return lines


def _twice(clips: Sequence[RecordFacts]) -> list[tuple[str, list[str]]]:
    counts = collections.Counter(clip.clip for clip in clips)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if not twice:
        return []
    shown = ", ".join(map(printable, twice[:_SHOWN_SOURCES])) + ", ..." * (
        len(twice) > _SHOWN_SOURCES
    )
    return [("twice", [f"{len(twice)} clips have the name of another: {shown}"])]


def _left_out(failures: dict[str, list[str]]) -> list[str]:
    """What the preparation left out, a line a reason."""
    if not failures:
        return ["nothing"]
    lines = []
    for reason, sources in sorted(failures.items(), key=lambda item: (-len(item[1]), item[0])):
        shown = ", ".join(map(printable, sources[:_SHOWN_SOURCES]))
        shown += ", ..." * (len(sources) > _SHOWN_SOURCES)
        meaning = media.REASONS.get(reason)
        lines.append(f"{len(sources):6d}  {reason}{f' ({meaning})' if meaning else ''}: {shown}")
    return lines
