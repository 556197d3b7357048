"""Shards written side by side on this machine: one thread and one decoder process a worker.

The threads only wait, hand clips on and write: the decoding is done by their child processes, which
end with them.
"""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence

from actcl_tf.data.media import decoder
from actcl_tf.data.prepare.shard_writing import PrepareSettings, ShardReport, ShardTask, write_shard

_POLL_SECONDS = 0.5  # An interruption is seen this soon.


def write_shards(
    tasks: Sequence[ShardTask],
    settings: PrepareSettings,
    *,
    num_workers: int,
    clip_timeout: float,
    advance: Callable[[int, int, int], None],
) -> Iterator[tuple[ShardTask, ShardReport]]:
    """Writes shards.

    Args:
      tasks: the shards.
      settings: how clips are stored.
      num_workers: shards at a time.
      clip_timeout: seconds that a clip may take.
      advance: called in this thread for each video with 1 and its numbers of clips and of
        failures.

    Yields:
      Each task with its report, as they are done. Closing the generator ends the workers.

    Raises:
      DataError: the folder cannot be written, or no decoder process can be started.
    """
    todo: queue.SimpleQueue = queue.SimpleQueue()
    news: queue.SimpleQueue = queue.SimpleQueue()
    stop = threading.Event()
    for task in tasks:
        todo.put(task)
    workers = [
        threading.Thread(
            target=_work, args=(todo, news, stop, settings, clip_timeout), name=f"shards-{index}"
        )
        for index in range(min(num_workers, len(tasks)))
    ]
    left = len(tasks)
    try:
        for worker in workers:
            worker.start()
        while left:
            try:
                kind, value = news.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            if kind == "video":
                advance(*value)
            elif kind == "shard":
                left -= 1
                yield value
            else:
                raise value
    finally:
        stop.set()
        for worker in workers:
            if worker.ident is not None:  # Ctrl-C may come before all were started.
                worker.join()


def _work(
    todo: queue.SimpleQueue,
    news: queue.SimpleQueue,
    stop: threading.Event,
    settings: PrepareSettings,
    clip_timeout: float,
) -> None:
    """One worker: takes shards until there are none."""

    def progress(*counts: int) -> None:
        news.put(("video", (1, *counts)))

    try:
        with decoder.Decoder(settings.read_options, timeout=clip_timeout, stop=stop) as cutter:
            while not stop.is_set():
                try:
                    task = todo.get_nowait()
                except queue.Empty:
                    return
                news.put(("shard", (task, write_shard(task, settings, cutter, progress))))
    except decoder.Stopped:
        return
    except BaseException as error:  # It is raised where the news is read; here nobody would see it.
        news.put(("error", error))
