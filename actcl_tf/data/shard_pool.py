"""Shards written side by side: on worker processes, or in this one.

A worker ends with the process that began it, and an interruption of that process ends its workers.
"""

import concurrent.futures.process
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Callable

from actcl_tf.data.records import DataError
from actcl_tf.data.shard_writing import Settings, ShardReport, ShardTask, write_shard


def write_shards(
    tasks: Sequence[ShardTask],
    options: Settings,
    num_workers: int,
    advance: Callable[[int, int], None],
) -> Iterator[tuple[ShardTask, ShardReport]]:
    """Writes shards.

    Args:
      tasks: the shards.
      options: how clips are stored.
      num_workers: processes; with one, the work is done in this process.
      advance: called in this process for each video with its numbers of clips and of failures.

    Yields:
      Each task with its report, as they are done.

    Raises:
      DataError: a worker process died.
    """
    if num_workers <= 1:
        for task in tasks:
            yield task, write_shard(task, options, advance)
    else:
        yield from _on_processes(tasks, options, num_workers, advance)


def _on_processes(
    tasks: Sequence[ShardTask], options: Settings, num_workers: int, advance: Callable
) -> Iterator[tuple[ShardTask, ShardReport]]:
    # Forking this process would copy TensorFlow's threads' locks.
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    others = set(multiprocessing.active_children())
    executor = concurrent.futures.ProcessPoolExecutor(
        num_workers, context, initializer=_begin_worker, initargs=(queue,)
    )
    finished = False
    try:
        futures = {executor.submit(_work, task, options): task for task in tasks}
        waiting = set(futures)
        while waiting:
            done, waiting = concurrent.futures.wait(
                waiting, timeout=0.1, return_when=concurrent.futures.FIRST_COMPLETED
            )
            while not queue.empty():
                advance(*queue.get())
            for future in done:
                yield futures[future], future.result()
        finished = True
    except concurrent.futures.process.BrokenProcessPool as error:
        raise DataError(
            "a worker process died, perhaps for want of memory; the same command goes on where "
            "this one stopped (fewer --num_workers need less)"
        ) from error
    finally:
        executor.shutdown(wait=finished, cancel_futures=True)
        if not finished:
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()


_progress_queue: Any = None  # Of a worker process.


def _begin_worker(queue: Any) -> None:
    global _progress_queue
    _progress_queue = queue
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The main process ends the workers.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)


def _work(task: ShardTask, options: Settings) -> ShardReport:
    return write_shard(task, options, lambda *counts: _progress_queue.put(counts))
