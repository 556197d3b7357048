"""Clips -> shards and their manifests, on local processes.

The work is planned ahead as shards (see `shard_writing`), a function of the clips and the settings
alone. Finished shards wait in OUTPUT/.partial; a run that was interrupted leaves them there, and
the next one with the same settings does the rest. When all are done they move to their places, the
manifests are written and `.partial` is removed.
"""

import collections
import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import time
from collections.abc import Sequence
from typing import Any, Optional

import tqdm

from actcl_tf import config
from actcl_tf.data import catalogs, media, records, shard_pool
from actcl_tf.data.records import DataError, Manifest
from actcl_tf.data.shard_writing import Settings, ShardReport, ShardTask

PARTIAL = ".partial"
PLAN = "plan.json"
MIN_SHARDS = 8  # A split has at least so many, if it has so many videos: they are shuffled over.


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a preparation gave.

    Attributes:
      output_dir: where the data set is.
      manifests: of each split, by name.
      seconds: that this run took.
      made: clips that this run made; fewer than there are if it went on where another stopped.
    """

    output_dir: str
    manifests: dict[str, Manifest]
    seconds: float
    made: int

    @property
    def failures(self) -> dict[str, list[str]]:
        """Reason to what was left out for it, over all splits."""
        return _merge_failures(manifest.failures for manifest in self.manifests.values())


class NothingUsableError(DataError):
    """Not one clip was good; `failures` says why."""

    def __init__(self, message: str, failures: dict[str, list[str]]) -> None:
        super().__init__(message)
        self.failures = failures


def prepare_folder(
    input_dir: str,
    output_dir: str,
    *,
    unlabelled: bool = False,
    test_fraction: float = 0.1,
    seed: int = 0,
    num_workers: Optional[int] = None,
    strict: bool = False,
    progress: bool = True,
    **settings: Any,
) -> Summary:
    """Prepares a folder of videos; see `catalogs.from_folder` and `prepare`."""
    catalogs.check_test_fraction(test_fraction)
    clips = catalogs.from_folder(
        input_dir, unlabelled=unlabelled, test_fraction=test_fraction, seed=seed
    )
    shared = {"num_workers": num_workers, "strict": strict, "progress": progress, "seed": seed}
    return prepare(clips, output_dir, **shared, **settings)


def prepare(
    clips: Sequence[catalogs.Clip],
    output_dir: str,
    *,
    num_workers: Optional[int] = None,
    strict: bool = False,
    progress: bool = True,
    **settings: Any,
) -> Summary:
    """Writes clips as a data set of records, or goes on with one that was begun.

    Args:
      clips: what to make records of, with their splits.
      output_dir: where to; must be new, empty or hold a data set of the same clips and settings.
      num_workers: processes; None: one a core.
      strict: whether any clip that is not usable stops the work.
      progress: whether to show a progress bar.
      **settings: fields of `shard_writing.Settings`: frame_rate, sample_rate, short_side,
        clip_seconds, min_seconds, jpeg_quality, silence_db, clips_per_shard, seed.

    Raises:
      ConfigError: a setting is out of range.
      DataError: the folder cannot be used, `strict` was broken, or a worker process died.
      NothingUsableError: not one clip was good.
    """
    begun = time.monotonic()
    options = Settings(**settings)
    if num_workers is not None and num_workers < 1:
        raise config.ConfigError(f"--num_workers={num_workers}: must be at least 1")
    described = {**dataclasses.asdict(options), "sources": _digest(clips)}
    output = pathlib.Path(output_dir)
    _check_contents(output)
    partial = output / PARTIAL
    lock = _lock(output)
    try:
        summary = _finished(output, described)
        if summary is not None:
            _remove_if_unused(partial)
            return summary
        _check_plan(partial, described)
        tasks = _plan(clips, options, str(partial))
        reports = _run(tasks, options, num_workers, strict, progress)
        if not any(report.clips for report, _ in reports.values()):
            failures = _merge_failures(report.failures for report, _ in reports.values())
            shutil.rmtree(partial)
            with contextlib.suppress(OSError):
                output.rmdir()
            raise NothingUsableError(f"not one of {len(clips)} videos is usable", failures)
        manifests = {
            split: _finish_split(output, split, tasks, reports, options, described)
            for split in sorted({task.split for task in tasks})
        }
        shutil.rmtree(partial)
    finally:
        lock.close()
    made = sum(report.clips for report, is_new in reports.values() if is_new)
    return Summary(str(output), manifests, time.monotonic() - begun, made)


def _digest(clips: Sequence[catalogs.Clip]) -> str:
    """A fingerprint of the clips and of the sizes of their files."""
    rows = []
    for clip in clips:
        try:
            size = os.stat(clip.path).st_size
        except OSError:
            size = -1
        rows.append([clip.name, clip.start, clip.end, clip.label, clip.split, size])
    rows.sort(key=json.dumps)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def _check_contents(output: pathlib.Path) -> None:
    """Refuses a folder of other things, before anything is written into it."""
    try:
        names = {entry.name for entry in output.iterdir()} if output.exists() else set()
    except OSError as error:
        raise DataError(f"--output={output}: is no folder that can be read ({error})") from error
    held = any((output / name / records.MANIFEST).is_file() for name in names)
    if names and PARTIAL not in names and not held:
        raise DataError(
            f"--output={output}: holds other files and no data set; name a new or empty folder"
        )


def _lock(output: pathlib.Path) -> Any:
    """Makes the folder and keeps other runs out of it for as long as the file is open."""
    try:
        (output / PARTIAL).mkdir(parents=True, exist_ok=True)
        file = open(output / PARTIAL / "lock", "w")  # noqa: SIM115
    except OSError as error:
        raise DataError(f"--output={output}: cannot be written ({error})") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise DataError(f"--output={output}: another run is writing it now") from error
    return file


def _remove_if_unused(partial: pathlib.Path) -> None:
    """Removes a working folder that holds no plan (only the lock)."""
    if not (partial / PLAN).exists():
        shutil.rmtree(partial, ignore_errors=True)


def _check_plan(partial: pathlib.Path, described: dict[str, Any]) -> None:
    """Begins a plan, or checks that the one that was begun is the same."""
    plan = partial / PLAN
    if plan.exists():
        _check_same(partial.parent, json.loads(plan.read_text(encoding="utf-8")), described)
    else:
        records.write_atomically(plan, json.dumps(described, indent=1))


def _check_same(output: pathlib.Path, held: dict[str, Any], described: dict[str, Any]) -> None:
    differing = [key for key in described if held.get(key) != described[key]]
    if not differing:
        return
    what = ", ".join(
        "other videos or labels"
        if key == "sources"
        else f"--{key}={held.get(key)} instead of {described[key]}"
        for key in differing
    )
    raise DataError(
        f"--output={output}: holds a data set with {what}; name another folder, or remove this one"
    )


def _finished(output: pathlib.Path, described: dict[str, Any]) -> Optional[Summary]:
    """The summary of the whole data set if it is there already."""
    if (output / PARTIAL / PLAN).exists():
        return None
    folders = sorted(path.parent for path in output.glob(f"*/{records.MANIFEST}"))
    if not folders:
        return None
    manifests = {}
    for folder in folders:
        try:
            manifests[folder.name] = records.read_manifest(folder, allow_empty=True)
        except DataError as error:
            raise DataError(f"--output={output}: {error}, after removing this folder") from error
        try:
            _check_same(output, manifests[folder.name].settings, described)
        except DataError:
            _remove_if_unused(output / PARTIAL)
            raise
    return Summary(str(output), manifests, 0.0, 0)


def _plan(clips: Sequence[catalogs.Clip], options: Settings, folder: str) -> list[ShardTask]:
    """Deals the clips of each split to shards, in an order drawn by the seed."""
    classes = tuple(catalogs.classes_of(clips))
    tasks = []
    for split in sorted({clip.split for clip in clips}):
        members = sorted(
            (clip for clip in clips if clip.split == split),
            key=lambda clip: catalogs.draw_key(
                f"{clip.name}#{clip.start}-{clip.end}", options.seed
            ),
        )
        size = len(members)
        count = max(-(-size // options.clips_per_shard), min(size, MIN_SHARDS))
        for index in range(count):
            part = members[index * size // count : (index + 1) * size // count]
            tasks.append(ShardTask(split, index, tuple(part), classes, folder))
    return tasks


def _run(
    tasks: Sequence[ShardTask],
    options: Settings,
    num_workers: Optional[int],
    strict: bool,
    progress: bool,
) -> dict[ShardTask, tuple[ShardReport, bool]]:
    """Writes the shards that are not done; each task's report, and whether it was written now."""
    reports = {task: (report, False) for task in tasks if (report := task.read_report())}
    todo = [task for task in tasks if task not in reports]
    if num_workers is None:
        num_workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    num_workers = min(num_workers, len(todo))
    with tqdm.tqdm(
        total=sum(len(task.clips) for task in tasks),
        initial=sum(len(task.clips) for task in reports),
        unit="video",
        desc="Preparing",
        disable=not progress,
        dynamic_ncols=True,
    ) as bar:
        totals = collections.Counter()

        def advance(clips: int, failures: int) -> None:
            totals.update(clips=clips, failures=failures)
            rate = totals["clips"] / max(bar.format_dict["elapsed"], 1e-3)
            bar.set_postfix_str(f"{rate:.1f} clips/s, {totals['failures']} left out", refresh=False)
            bar.update()

        for task, report in shard_pool.write_shards(todo, options, num_workers, advance):
            reports[task] = (report, True)
            if strict and report.failures:
                break
    if strict:
        for report, _ in reports.values():
            for reason, sources in report.failures.items():
                raise DataError(f"--strict: {sources[0]}: {reason} ({media.REASONS[reason]})")
    return reports


def _merge_failures(parts: Any) -> dict[str, list[str]]:
    merged = collections.defaultdict(list)
    for part in parts:
        for reason, sources in part.items():
            merged[reason].extend(sources)
    return {reason: sorted(merged[reason]) for reason in sorted(merged)}


def _finish_split(
    output: pathlib.Path,
    split: str,
    tasks: Sequence[ShardTask],
    reports: dict[ShardTask, tuple[ShardReport, bool]],
    options: Settings,
    described: dict[str, Any],
) -> Manifest:
    """Moves the shards of a split to their places and writes its manifest.

    Doing it again after an interruption gives the same.
    """
    folder = output / split
    folder.mkdir(exist_ok=True)
    parts = [(task, reports[task][0]) for task in tasks if task.split == split]
    filled = [(task, report) for task, report in parts if report.clips]
    shards = []
    for index, (task, report) in enumerate(filled):
        name = records.shard_name(split, index, len(filled))
        if task.data_path.exists():
            os.replace(task.data_path, folder / name)
        shards.append({"name": name, "clips": report.clips, "bytes": report.bytes})
    all_reports = [report for _, report in parts]
    sizes = sorted({tuple(size) for report in all_reports for size in report.sizes})
    heights, widths = {size[0] for size in sizes}, {size[1] for size in sizes}
    manifest = Manifest(
        split=split,
        num_clips=sum(shard["clips"] for shard in shards),
        num_shards=len(shards),
        shards=shards,
        classes=list(tasks[0].classes),
        frame_rate=options.frame_rate,
        sample_rate=options.sample_rate,
        min_frames=min((report.min_frames for _, report in filled), default=0),
        min_height=min(heights, default=0),
        min_width=min(widths, default=0),
        height=heights.pop() if len(heights) == 1 else None,
        width=widths.pop() if len(widths) == 1 else None,
        duration=sum(report.frames for report in all_reports) / options.frame_rate,
        tool_version=records.TOOL_VERSION,
        failures=_merge_failures(report.failures for report in all_reports),
        settings=described,
    )
    records.write_manifest(folder, manifest)
    return records.read_manifest(folder, allow_empty=True)
