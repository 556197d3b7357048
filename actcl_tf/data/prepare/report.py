"""What a preparation gave, as text for the terminal."""

import os

from actcl_tf.config import fitting_sizes
from actcl_tf.console import commands
from actcl_tf.data import catalogs
from actcl_tf.data.media.containers import media
from actcl_tf.data.prepare import plan, prepare
from actcl_tf.data.records import records
from actcl_tf.storage.printable import printable

SHOWN_SOURCES = 3  # Examples named for each reason.
# What trains on videos of one's own, and what of it a few short clips may be too few for.
CONFIGURATION = "pretrain.cfg"
BATCH_SIZE, DICTIONARY_SIZE, NUM_FRAMES = 64, 256, 8


def summary_text(summary: prepare.Summary) -> str:
    """The closing summary: splits, what was left out and why, where it is, what comes next."""
    lines = [contents_text(summary)]
    if summary.made:
        rate = summary.made / max(summary.seconds, 1e-3)
        lines.append(f"Made {summary.made} clips in {summary.seconds:.1f} s ({rate:.1f} a second).")
    else:
        lines.append("It was whole already: nothing was made.")
    lines.append(f"Written to {summary.output_dir}; each split's manifest.json has the details.")
    lines.append(f"Look at it: {commands.tool('inspect_records.py', str(summary.output_dir))}")
    return "\n".join(lines + _next(summary))


def _next(summary: prepare.Summary) -> list[str]:
    """What trains on it, if it is for that: measured on a split that has clips, or on none."""
    manifests = summary.manifests
    train = manifests.get(catalogs.TRAIN)
    streams = {manifest.streams for manifest in manifests.values()}
    if not train or not train.num_clips or streams != {"both"}:
        return []
    measured = [name for name in catalogs.SPLITS[1:] if name in manifests]
    split = next((name for name in measured if manifests[name].num_clips), "")
    name = os.path.basename(str(summary.output_dir).rstrip("/"))
    arguments = [
        f"--flagfile={commands.configuration(CONFIGURATION)}",
        f"--data_dir={summary.output_dir}",
        f"--run_dir=runs/{name}",
    ]
    asked = BATCH_SIZE, DICTIONARY_SIZE
    sizes = fitting_sizes.fitting_sizes(
        train.num_clips, batch_size=BATCH_SIZE, dictionary_size=DICTIONARY_SIZE
    )
    if sizes is None:
        return [
            f"{train.num_clips} training clips are too few to train on; "
            f"{fitting_sizes.MIN_CLIPS} are the least, and some hundred are of use."
        ]
    if sizes != asked:
        arguments += [f"--batch_size={sizes[0]}", f"--dictionary_size={sizes[1]}"]
    if train.min_frames < NUM_FRAMES:
        arguments.append(f"--num_frames={train.min_frames}")
    lines = []
    if split != catalogs.TEST:
        arguments.append(f"--eval_split={split}")
    if not split:
        lines.append(
            "No split has clips to measure on: the training below goes without; a larger "
            "--test_fraction draws some."
        )
    return [*lines, f"Next: {commands.tool('train.py', *arguments)}"]


def contents_text(summary: prepare.Summary) -> str:
    """What is in each split, and what was left out and why."""
    rows = [("split", "clips", "hours", "classes", "shards", "contents")]
    for name, manifest in summary.manifests.items():
        rows.append(
            (
                name,
                str(manifest.num_clips),
                f"{manifest.duration / 3600:.3f}",
                str(len(manifest.classes)) if manifest.classes else "-",
                str(manifest.num_shards),
                _contents(manifest),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines += [summary.decision] if summary.decision else []
    lines.append(failure_lines(summary.failures))
    lines += catalogs.ignored_lines(summary.found)
    missing = max((manifest.missing for manifest in summary.manifests.values()), default=0)
    if missing:
        lines.append(
            f"Missing: {missing} clips of the data set's list are not on disk; "
            f"{summary.output_dir}/{plan.MISSING} names them."
        )
    return "\n".join(lines)


def _contents(manifest: records.Manifest) -> str:
    """What is in each clip of a split; "-" where there is none."""
    if not manifest.num_clips:
        return "-"
    parts = []
    if manifest.streams != "audio":
        size = f"{manifest.width or 'varied'} x {manifest.height or 'varied'}"
        parts.append(f"{size}, {_frames(manifest)}")
    if manifest.streams != "video":
        parts.append(f"audio at {manifest.sample_rate:g} Hz")
    return "; ".join(parts)


def _frames(manifest: records.Manifest) -> str:
    frames = "frame" if manifest.min_frames == 1 else "frames"
    return (
        f"{manifest.frame_rate:g} frames a second, at least {manifest.min_frames} {frames} a clip"
    )


def failure_lines(failures: dict[str, list[str]]) -> str:
    """One line a reason, with its count and some of its sources."""
    if not failures:
        return "Left out as unusable or filtered: nothing."
    lines = [f"Left out as unusable or filtered: {sum(map(len, failures.values()))}"]
    for reason, sources in sorted(failures.items(), key=lambda item: -len(item[1])):
        shown = ", ".join(map(printable, sources[:SHOWN_SOURCES]))
        shown += ", ..." * (len(sources) > SHOWN_SOURCES)
        lines.append(f"  {len(sources):5d}  {reason} ({media.REASONS[reason]}): {shown}")
    return "\n".join(lines)
