"""Shards written by a Dask cluster: of many machines, or of several processes of this one.

Each shard is one task of the cluster, and does what a worker of `shard_pool` does. Dask gives the
tasks of a worker that dies to another. The scheduler and all workers must have this package and the
same versions of what it needs, and see the videos and the output under the same paths.
"""

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import importlib.metadata
import itertools
import logging
import os
import platform
import queue
import sys
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence

import distributed
from distributed.versions import VersionMismatchWarning

from actcl_tf.console import bars
from actcl_tf.data.media import decoder
from actcl_tf.data.prepare import dask_preload
from actcl_tf.data.prepare.shard_writing import PrepareSettings, ShardReport, ShardTask, write_shard
from actcl_tf.data.records import records
from actcl_tf.storage import files
from actcl_tf.storage.errors import DataError

_POLL_SECONDS = 0.5  # An interruption is seen this soon.
_CONNECT_SECONDS = 5.0
_LONELY_SECONDS = 10.0  # Without any worker, until that is told.
_MOST_SUBMITTED = 1000  # Tasks that the scheduler holds: each names all of its videos.
# What decides which bytes come out, and whether the machines understand each other.
_PACKAGES = ("av", "distributed", "numpy", "pillow")
_GO_ON = "the same command goes on where this one stopped"


@dataclasses.dataclass(frozen=True)
class _Job:
    """What all shards have in common.

    Attributes:
      settings: how clips are stored.
      clip_timeout: seconds that a clip may take.
      topic: of Dask's events, which tell the progress.
      versions: that each worker must have.
    """

    settings: PrepareSettings
    clip_timeout: float
    topic: str
    versions: dict[str, str]


def write_shards(
    tasks: Sequence[ShardTask],
    settings: PrepareSettings,
    *,
    scheduler: str,
    num_workers: int,
    clip_timeout: float,
    advance: Callable[[int, int, int], None],
) -> Iterator[tuple[ShardTask, ShardReport]]:
    """Writes shards.

    Args:
      tasks: the shards; their folder must be one that every worker can write to.
      settings: how clips are stored.
      scheduler: address of the cluster's scheduler; empty: a cluster of processes of this machine.
      num_workers: of these processes.
      clip_timeout: seconds that a clip may take.
      advance: called in this thread as videos are done, with how many more there are of videos, of
        clips and of failures.

    Yields:
      Each task with its report, as they are done. Closing the generator ends the work.

    Raises:
      DataError: the cluster cannot be reached or used, or is gone; the folder cannot be written; or
        no decoder process can be started. What is finished stays.
    """
    # Key of a task with its counts so far, or None at its end.
    news: queue.SimpleQueue[tuple[str, tuple[int, int, int] | None]] = queue.SimpleQueue()
    job = _Job(settings, clip_timeout, f"actcl_tf-{uuid.uuid4().hex}", _versions())
    running: dict[str, tuple[ShardTask, distributed.Future]] = {}
    seen: dict[str, tuple[int, int, int]] = {}
    with _connect(scheduler, num_workers) as client:
        client.subscribe_topic(job.topic, lambda event: news.put((event[1][0], tuple(event[1][1]))))

        def submit(task: ShardTask) -> None:
            key = f"{task.name}-{uuid.uuid4().hex}"
            theirs = _absolute(task)
            paths = (clip.path for clip in theirs.clips)
            sample = next((path for path in paths if os.path.exists(path)), "")
            future = client.submit(_write, theirs, sample, job, key=key)
            running[key], seen[key] = (task, future), (0, 0, 0)
            future.add_done_callback(lambda future: news.put((future.key, None)))

        todo = iter(tasks)
        for task in itertools.islice(todo, _MOST_SUBMITTED):
            submit(task)
        lonely = time.monotonic() + _LONELY_SECONDS
        while running:
            try:
                key, counts = news.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                if time.monotonic() > lonely:
                    lonely = _tell_if_lonely(client, scheduler)
                continue
            if key not in running:
                continue  # The end of a task may overtake its progress.
            task, future = running[key]
            report = None
            if counts is None:
                report = _report(future, task, scheduler)
                counts = (len(task.clips), len(report.clips), report.num_failures)
            # A task that another worker begins again tells first what is known.
            if counts[0] > seen[key][0] or report:
                advance(*(new - old for new, old in zip(counts, seen[key], strict=True)))
                seen[key] = counts
            if report:
                del running[key], seen[key]
                for following in itertools.islice(todo, 1):
                    submit(following)
                yield task, report


@contextlib.contextmanager
def _connect(scheduler: str, num_workers: int) -> Iterator[distributed.Client]:
    """A client of the cluster; one of this machine's processes ends with it."""
    # What Dask has to say is told here, in one line; the machines of a cluster log the rest.
    for name in [*logging.root.manager.loggerDict, "distributed"]:
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    with contextlib.ExitStack() as stack:
        where = scheduler
        if not scheduler:
            where = stack.enter_context(_start_processes(num_workers))
        try:
            if scheduler:
                _knock(scheduler)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", VersionMismatchWarning)  # We say it below.
                client = distributed.Client(where, timeout=_CONNECT_SECONDS, set_as_default=False)
            stack.enter_context(client)
            found = client.get_versions()["scheduler"]
        except (OSError, TypeError, ValueError, asyncio.TimeoutError) as error:
            raise DataError(
                f"--dask_scheduler={scheduler}: no Dask scheduler answers there "
                f"({str(error) or 'it is silent'}); "
                "`dask scheduler` starts one and prints its address"
            ) from error
        versions = {
            "Python": ".".join(found["host"]["python"].split(".")[:2]),
            "distributed": found["packages"]["distributed"],
        }
        _check_versions(f"the Dask scheduler {scheduler}", versions, _versions())
        yield client


def _start_processes(num_workers: int) -> distributed.LocalCluster:
    try:
        return distributed.LocalCluster(
            n_workers=num_workers,
            threads_per_worker=1,
            memory_limit=None,
            dashboard_address="127.0.0.1:0",
            preload=[dask_preload.__name__],
            # Whoever reaches a worker can make it do anything.
            protocol="tls://",
            security=distributed.Security.temporary(),
        )
    except (OSError, RuntimeError, asyncio.TimeoutError) as error:
        why = (str(error) or repr(error)).splitlines()[0]
        raise DataError(
            f"--num_workers={num_workers}: Dask cannot start so many processes ({why}); "
            "--runner=local needs none of them"
        ) from error


def _knock(scheduler: str) -> None:
    """Looks whether a scheduler answers: Dask's client would wait for ever for a silent one."""

    async def knock() -> None:
        keys = distributed.Security().get_connection_args("client")
        reached = distributed.comm.connect(scheduler, timeout=_CONNECT_SECONDS, **keys)
        comm = await asyncio.wait_for(reached, _CONNECT_SECONDS)
        await comm.close()

    with concurrent.futures.ThreadPoolExecutor(1) as pool:  # A notebook's thread has its own loop.
        pool.submit(asyncio.run, knock()).result()


def _tell_if_lonely(client: distributed.Client, scheduler: str) -> float:
    """Says that the cluster has no worker, if so; when to look again."""
    try:
        is_lonely = not client.nthreads()
    except OSError:  # The scheduler is gone; the tasks will tell.
        is_lonely = False
    if not is_lonely:
        return time.monotonic() + _LONELY_SECONDS
    bars.Bar.write(f"--dask_scheduler={scheduler}: no worker yet; waiting", file=sys.stderr)
    return float("inf")


def _absolute(task: ShardTask) -> ShardTask:
    """The task for a process that works elsewhere."""

    def absolute(path: str) -> str:
        return path if files.is_remote(path) else os.path.abspath(files.local(path))

    clips = tuple(dataclasses.replace(clip, path=absolute(clip.path)) for clip in task.clips)
    return dataclasses.replace(task, clips=clips, folder=absolute(task.folder))


def _report(future: distributed.Future, task: ShardTask, scheduler: str) -> ShardReport:
    """The result of a task that has ended.

    Raises:
      DataError: it has failed.
    """
    try:
        if future.status != "error":
            return future.result()  # It waits where a worker died with the result.
        error = future.exception()
    except (OSError, distributed.CancelledError) as gone:
        raise DataError(f"--dask_scheduler={scheduler}: the scheduler is gone; {_GO_ON}") from gone
    if isinstance(error, DataError):
        raise error
    if isinstance(error, distributed.KilledWorker):
        raise DataError(
            f"shard {task.name}: {error.allowed_failures + 1} Dask workers died at it, one after "
            f"the other (of too little memory?); {_GO_ON}"
        ) from error
    lines = [line for line in str(error).splitlines() if line] or [repr(error)]
    raise DataError(
        f"shard {task.name}: the Dask cluster cannot do it ({type(error).__name__}: {lines[0]}); "
        f"the scheduler and all workers need this package; {_GO_ON}"
    ) from error


def _versions() -> dict[str, str]:
    return {
        "actcl_tf": records.TOOL_VERSION,
        "Python": ".".join(platform.python_version_tuple()[:2]),
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def _check_versions(where: str, found: dict[str, str], wanted: dict[str, str]) -> None:
    differ = [name for name in found if found[name] != wanted[name]]
    if differ:
        told = (f"{name} {found[name]} instead of {wanted[name]}" for name in differ)
        raise DataError(
            f"{where} has {', '.join(told)}, which this program has; install the same "
            "requirements-beam.lock on all machines"
        )


def _write(task: ShardTask, sample: str, job: _Job) -> ShardReport:
    """Writes a shard, in a thread of a worker, which must see the file `sample`."""
    worker = distributed.get_worker()
    where = f"the Dask worker {worker.address}"
    _check_versions(where, _versions(), job.versions)
    # A task that is tried again finds what was done.
    if (done := task.read_report()) is not None:
        return done
    if sample and not os.path.exists(sample):
        raise DataError(
            f"{sample} is not seen by {where}: all machines must see the videos and the output "
            "under the same paths"
        )
    key, counts = worker.get_current_task(), (0, 0, 0)

    def progress(clips: int, failures: int) -> None:
        nonlocal counts
        state = worker.state.tasks.get(key)
        if state is None or state.state == "cancelled":  # Nobody waits for it any more.
            raise decoder.Stopped
        counts = (counts[0] + 1, counts[1] + clips, counts[2] + failures)
        worker.log_event(job.topic, [key, counts])

    options = job.settings.read_options
    try:
        with decoder.Decoder(options, timeout=job.clip_timeout) as cutter:
            return write_shard(task, job.settings, cutter, progress)
    except DataError as error:
        raise DataError(f"{error}, on {where}") from error
