"""Windows of many files, read side by side: one thread and two decoder processes a worker.

The threads only wait and hand windows on; the decoding is done by their child processes, so that a
file that crashes or hangs them costs itself alone.
"""

import collections
import contextlib
import queue
import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from actcl_tf.data.media import decoder
from actcl_tf.data.media.clip_cutting import MediaClip, Rejected
from actcl_tf.data.media.containers import media
from actcl_tf.data.media.decoder_messages import CutClip
from actcl_tf.search import segments
from actcl_tf.search.segments import MODALITIES, Shape, Window

_POLL_SECONDS = 0.2  # An interruption is seen this soon.
_MOST_WAITING = 256  # Windows that are read ahead.


class WindowRead(NamedTuple):
    """A window of one of MODALITIES, of the file of this number."""

    file: int
    modality: str
    window: Window


class FileRead(NamedTuple):
    """A file of which nothing more comes, and modality -> reason -> what was left out of it."""

    file: int
    left_out: dict[str, dict[str, int]]


Event = WindowRead | FileRead


def read_files(
    paths: Sequence[str], shape: Shape, *, num_workers: int, timeout: float
) -> Iterator[Event]:
    """Reads the windows of files.

    Args:
      paths: of the files; events name them by their place.
      shape: of the windows.
      num_workers: files at a time.
      timeout: seconds that a window may take.

    Yields:
      The windows of each file, those of video first, each kind by start; then that it is read.
      Closing the generator ends the workers.

    Raises:
      DataError: no decoder process can be started.
    """
    todo: queue.SimpleQueue = queue.SimpleQueue()
    news: queue.Queue = queue.Queue(_MOST_WAITING)
    stop = threading.Event()
    for item in enumerate(paths):
        todo.put(item)
    workers = [
        threading.Thread(target=_work, args=(todo, news, stop, shape, timeout))
        for _ in range(min(num_workers, len(paths)))
    ]
    left = len(paths)
    try:
        for worker in workers:
            worker.start()
        while left:
            try:
                event = news.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            if isinstance(event, BaseException):
                raise event
            left -= isinstance(event, FileRead)
            yield event
    finally:
        stop.set()
        for worker in workers:
            if worker.ident is not None:  # Ctrl-C may come before all were started.
                worker.join()


def read_file(
    path: str,
    modality: str,
    cutter: decoder.Decoder,
    shape: Shape,
    start: float = 0.0,
    end: float | None = None,
) -> Iterator[Window | Rejected]:
    """Windows of one kind of one file, and what gives none.

    Args:
      path: of the file.
      modality: of MODALITIES.
      cutter: made with the `cut_options` of `shape` and `modality`.
      shape: of the windows.
      start: of the span that is read, seconds.
      end: of the span, seconds; None: to the end of the file.

    Raises:
      media.MediaError: the file gives nothing more.
    """
    return segments.windows(_pieces(cutter, path, start, end), modality, shape)


def _pieces(
    cutter: decoder.Decoder, path: str, start: float, end: float | None
) -> Iterator[MediaClip | Rejected]:
    with contextlib.closing(cutter.cut(path, start, end)) as pieces:
        for piece in pieces:
            yield piece.clip if isinstance(piece, CutClip) else piece


def _work(
    todo: queue.SimpleQueue,
    news: queue.Queue,
    stop: threading.Event,
    shape: Shape,
    timeout: float,
) -> None:
    """One worker: takes files until there are none."""

    def tell(event: Event | BaseException) -> None:
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                news.put(event, timeout=_POLL_SECONDS)
                return
        raise decoder.Stopped

    try:
        with contextlib.ExitStack() as stack:
            cutters = {
                modality: stack.enter_context(
                    decoder.Decoder(shape.cut_options(modality), timeout=timeout, stop=stop)
                )
                for modality in MODALITIES
            }
            while True:
                try:
                    number, path = todo.get_nowait()
                except queue.Empty:
                    return
                left_out = {}
                for modality, cutter in cutters.items():
                    reasons: collections.Counter = collections.Counter()
                    try:
                        for piece in read_file(path, modality, cutter, shape):
                            if isinstance(piece, Rejected):
                                reasons[piece.reason] += 1
                            else:
                                tell(WindowRead(number, modality, piece))
                    except media.MediaError as error:
                        reasons[error.reason] += 1
                    if reasons:
                        left_out[modality] = dict(reasons)
                tell(FileRead(number, left_out))
    except decoder.Stopped:
        return
    except BaseException as error:  # It is raised where the news is read; here nobody would see it.
        with contextlib.suppress(decoder.Stopped):
            tell(error)
