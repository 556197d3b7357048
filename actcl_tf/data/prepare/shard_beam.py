"""Shards written by Apache Beam: on Flink, Spark, Dataflow, or several processes of one machine.

The job is small: a list of shards, dealt to the workers, each of which does what a worker of
`shard_pool` does. The tasks wait as files beside the shards, so that the job itself stays small
however long the list of videos is. All machines must see the videos and the output under the same
paths, and have this package installed.
"""

import dataclasses
import json
import os
import pathlib
import threading
from collections.abc import Callable, Iterator, Sequence

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from actcl_tf.data import catalogs
from actcl_tf.data.media import decoder
from actcl_tf.data.prepare.shard_writing import PrepareSettings, ShardReport, ShardTask, write_shard
from actcl_tf.storage import files
from actcl_tf.storage.errors import DataError

_POLL_SECONDS = 2.0


class _WriteShard(beam.DoFn):
    """Path of a task -> its shard, written."""

    def __init__(self, settings: PrepareSettings, clip_timeout: float):
        self._settings, self._clip_timeout = settings, clip_timeout

    def process(self, path: str) -> None:
        task = _read_task(path)
        # A bundle that is tried again finds what was done.
        if task.read_report() is None:
            options = self._settings.read_options
            with decoder.Decoder(options, timeout=self._clip_timeout) as cutter:
                write_shard(task, self._settings, cutter, lambda *_: None)


def write_shards(
    tasks: Sequence[ShardTask],
    settings: PrepareSettings,
    *,
    pipeline_args: Sequence[str],
    clip_timeout: float,
    advance: Callable[[int, int, int], None],
) -> Iterator[tuple[ShardTask, ShardReport]]:
    """Writes shards as one Beam job.

    Args:
      tasks: the shards; their folder must be one that every worker can write to.
      settings: how clips are stored.
      pipeline_args: Beam's own options, such as `--runner=FlinkRunner`; without any, Beam's runner
        of its own in one process.
      clip_timeout: seconds that a clip may take.
      advance: called for each shard that is done, with its numbers of videos, of clips and of
        failures.

    Yields:
      Each task with its report, as they are done.

    Raises:
      DataError: the job failed; what it finished stays.
    """
    paths = [_write_task(task) for task in tasks]
    # Processes that Beam starts here are to find this package, installed or not.
    root = str(pathlib.Path(__file__).resolve().parents[3])
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    failed: list[BaseException] = []
    job = threading.Thread(
        target=_run_job, args=(paths, settings, clip_timeout, pipeline_args, failed), daemon=True
    )
    job.start()
    waiting = {os.path.basename(task.report_path): task for task in tasks}
    while waiting:
        ended = not job.is_alive()
        for name in sorted(waiting.keys() & set(files.names_in(tasks[0].folder))):
            task = waiting.pop(name)
            report = task.read_report()
            advance(len(task.clips), len(report.clips), report.num_failures)
            yield task, report
        if ended:
            break
        job.join(_POLL_SECONDS)
    job.join()
    if failed or waiting:
        lines = str(failed[0] if failed else "it ended early").strip().splitlines()
        raise DataError(
            f"the Beam job failed ({lines[0] if lines else repr(failed[0])}); the same command "
            "goes on where it stopped"
        ) from (failed[0] if failed else None)
    for path in paths:
        files.remove(path)


def _task_path(task: ShardTask) -> str:
    return files.join(task.folder, f"{task.name}.task")


def _write_task(task: ShardTask) -> str:
    files.write_atomically(_task_path(task), json.dumps(dataclasses.asdict(task)))
    return _task_path(task)


def _read_task(path: str) -> ShardTask:
    held = json.loads(files.read_text(path))
    clips = [
        {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
        for row in held.pop("clips")
    ]
    for name in ("classes", "class_texts"):
        held[name] = tuple(held[name])
    return ShardTask(clips=tuple(catalogs.Clip(**row) for row in clips), **held)


def _run_job(
    paths: list[str],
    settings: PrepareSettings,
    clip_timeout: float,
    pipeline_args: Sequence[str],
    failed: list[BaseException],
) -> None:
    try:
        with beam.Pipeline(options=PipelineOptions(list(pipeline_args))) as pipeline:
            _ = (
                pipeline
                | "Shards" >> beam.Create(paths)
                | "Deal" >> beam.Reshuffle()
                | "Write" >> beam.ParDo(_WriteShard(settings, clip_timeout))
            )
    except BaseException as error:  # It is raised where the reports are read.
        failed.append(error)
