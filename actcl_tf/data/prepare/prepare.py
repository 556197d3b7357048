"""Clips -> shards and their manifests, on local processes, Dask or Beam.

The work is planned ahead as shards (see `plan`). Finished shards wait in OUTPUT/.partial; a
run that was interrupted leaves them there, and the next one with the same settings does the rest.
When all are done they move to their places, the manifests are written and `.partial` is removed.
"""

import collections
import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from actcl_tf import config
from actcl_tf.config import cores
from actcl_tf.console import bars
from actcl_tf.data import catalogs
from actcl_tf.data.prepare import finish, plan, shard_pool
from actcl_tf.data.prepare.errors import NothingUsableError, TooManyFailuresError
from actcl_tf.data.prepare.finish import merge_failures
from actcl_tf.data.prepare.prepare_settings import Execution, PrepareSettings
from actcl_tf.data.prepare.shard_writing import ShardReport, ShardTask
from actcl_tf.data.records.records import Manifest
from actcl_tf.storage import files


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a preparation gave.

    Attributes:
      output_dir: where the data set is.
      manifests: of each split, by name.
      seconds: that this run took.
      made: clips that this run made; fewer than there are if it went on where another stopped.
      decision: where splits and classes come from, a sentence; empty: from the data set's lists.
      found: what was found on disk beside the clips.
    """

    output_dir: str
    manifests: dict[str, Manifest]
    seconds: float
    made: int
    decision: str = ""
    found: catalogs.Found = catalogs.NOTHING_FOUND

    @property
    def failures(self) -> dict[str, list[str]]:
        """Reason to what was left out for it, over all splits."""
        return merge_failures(manifest.failures for manifest in self.manifests.values())


def prepare_folder(
    input_dir: str,
    output_dir: str,
    *,
    test_fraction: float = 0.1,
    seed: int = 0,
    execution: Execution | None = None,
    **settings: Any,
) -> Summary:
    """Prepares a folder of videos; see `catalogs.from_folder` and `prepare`."""
    catalog = catalogs.from_folder(input_dir, test_fraction=test_fraction, seed=seed)
    return prepare(catalog, output_dir, PrepareSettings(seed=seed, **settings), execution)


def prepare(
    catalog: catalogs.Catalog,
    output_dir: str,
    settings: PrepareSettings,
    execution: Execution | None = None,
) -> Summary:
    """Writes clips as a data set of records, or goes on with one that was begun.

    Args:
      catalog: what to make records of, with their splits.
      output_dir: where to; must be new, empty or hold a data set of the same clips and settings.
      settings: how clips are stored.
      execution: who does it; None: as many local processes as there are cores.

    Raises:
      DataError: the folder cannot be used or written.
      NothingUsableError: not one clip was good.
      TooManyFailuresError: more was left out than is allowed; what was done stays.
    """
    begun = time.monotonic()
    execution = execution or Execution()
    if settings.streams == "auto":
        settings = dataclasses.replace(settings, streams=catalog.streams)
    described = plan.describe(catalog, settings)
    plan.check_contents(output_dir)
    with plan.Lock(output_dir):
        finished = plan.finished_manifests(output_dir, described)
        manifests, made = finished, 0
        if finished is None:
            manifests, made = _make(catalog, output_dir, settings, execution, described)
    return Summary(
        output_dir=output_dir,
        manifests=manifests,
        seconds=time.monotonic() - begun if finished is None else 0.0,
        made=made,
        decision=catalog.decision,
        found=catalog.found,
    )


def _make(
    catalog: catalogs.Catalog,
    output_dir: str,
    settings: PrepareSettings,
    execution: Execution,
    described: dict[str, Any],
) -> tuple[dict[str, Manifest], int]:
    """Writes what is not done; the manifests of the splits, and how many clips are new."""
    plan.begin(output_dir, described)
    partial = files.join(output_dir, plan.PARTIAL)
    tasks = plan.plan_shards(catalog, settings, partial)
    before = _read_reports(tasks)
    reports = _run(tasks, before, settings, execution, list(catalog.found.unlisted))
    if not any(report.clips for report in reports.values()):
        _give_up(output_dir, len(catalog.clips), reports)
    if catalog.missing:
        names = "".join(f"{name}\n" for name in catalog.missing)
        files.write_atomically(files.join(output_dir, plan.MISSING), names)
    duplicates = finish.find_duplicates(tasks, reports)
    manifests = {
        split: finish.finish_split(
            output_dir,
            split,
            tasks=tasks,
            reports=reports,
            duplicates=duplicates,
            catalog=catalog,
            settings=settings,
            described=described,
        )
        for split in sorted({task.split for task in tasks})
    }
    files.remove(partial)
    return manifests, sum(
        len(report.clips) for task, report in reports.items() if task not in before
    )


def _read_reports(tasks: Sequence[ShardTask]) -> dict[ShardTask, ShardReport]:
    """The reports of the shards that are done."""
    return {task: report for task in tasks if (report := task.read_report())}


def _give_up(output_dir: str, num_videos: int, reports: Mapping[ShardTask, ShardReport]) -> None:
    failures = merge_failures(report.failures for report in reports.values())
    files.remove(files.join(output_dir, plan.PARTIAL))
    if not files.names_in(output_dir):
        files.remove(output_dir)
    raise NothingUsableError(f"not one of {num_videos} videos is usable", failures)


def _run(
    tasks: Sequence[ShardTask],
    done: Mapping[ShardTask, ShardReport],
    settings: PrepareSettings,
    execution: Execution,
    unlisted: list[str],
) -> dict[ShardTask, ShardReport]:
    """Writes the shards that are not done; their reports. Unlisted folders count as failures."""
    todo = [task for task in tasks if task not in done]
    num_videos = sum(len(task.clips) for task in tasks)
    limit = execution.failure_limit(num_videos)
    totals = collections.Counter(
        failures=len(unlisted) + sum(report.num_failures for report in done.values())
    )
    reports = dict(done)
    with bars.Bar(
        total=num_videos,
        initial=sum(len(task.clips) for task in done),
        unit="video",
        desc="Preparing",
        disable=not execution.progress,
        dynamic_ncols=True,
    ) as bar:

        def advance(videos: int, clips: int, failures: int) -> None:
            totals.update(clips=clips, failures=failures)
            rate = totals["clips"] / max(bar.format_dict["elapsed"], 1e-3)
            bar.set_postfix_str(f"{rate:.1f} clips/s, {totals['failures']} left out", refresh=False)
            bar.update(videos)

        for task, report in _shards(todo, settings, execution, advance):
            reports[task] = report
            if limit is not None and totals["failures"] > limit:
                break
    if limit is not None and totals["failures"] > limit:
        raise TooManyFailuresError(
            f"--max_failures={execution.max_failures}: {totals['failures']} of {num_videos} videos "
            "and spans of them were left out so far; mend them or allow more, and the same command "
            "goes on",
            merge_failures(
                [*(report.failures for report in reports.values()), {"unlisted": unlisted}]
            ),
        )
    return reports


def _shards(
    todo: Sequence[ShardTask], settings: PrepareSettings, execution: Execution, advance: Any
) -> Iterator[tuple[ShardTask, ShardReport]] | Sequence:
    if not todo:
        return ()
    shared = {"clip_timeout": execution.clip_timeout, "advance": advance}
    num_workers = execution.num_workers or cores.count()
    try:  # Extras: imported where they are asked for.
        if execution.runner == "dask":
            from actcl_tf.data.prepare.shard_dask import write_shards

            shared |= {"scheduler": execution.dask_scheduler, "num_workers": num_workers}
        elif execution.runner == "beam":
            from actcl_tf.data.prepare.shard_beam import write_shards

            shared["pipeline_args"] = execution.pipeline_args
        else:
            write_shards, shared["num_workers"] = shard_pool.write_shards, num_workers
    except ImportError as error:
        raise config.ConfigError(
            f"--runner={execution.runner}: it is not installed ({error}); `make beam` installs it"
        ) from error
    return write_shards(todo, settings, **shared)
