"""Decoding videos in a process of its own, so that a video can hang or crash that process alone.

Videos are anybody's, and decoders are C: a damaged file may loop for ever or bring the process
down. A `Decoder` starts `decoder_process` as a child, hands it one video after the other, and takes
the clips as they are cut. A child that falls silent or dies costs the video it was at; the next
video gets a new child.
"""

import multiprocessing
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any, TextIO

from actcl_tf.data.media.clip_cutting import Rejected
from actcl_tf.data.media.containers.errors import MediaError
from actcl_tf.data.media.decoder_messages import (
    ALIVE,
    CutClip,
    CutRequest,
    Failure,
    Segment,
    SegmentRequest,
)
from actcl_tf.data.media.read_options import ReadOptions
from actcl_tf.storage.errors import DataError

_POLL_SECONDS = 0.1  # Between looks at `stop`.
_START_SECONDS = 120.0  # For a child to import what it needs, on a busy machine.
# After so many requests a child is replaced, in a fifth of a second: each leaves some 2 kB of its
# memory unused behind, which over the epochs of a long training would be gigabytes.
_MOST_REQUESTS = 10_000


class Stopped(Exception):
    """The work was called off."""


class Decoder:
    """A child process that decodes videos; a context manager, which ends it."""

    def __init__(
        self, options: ReadOptions, *, timeout: float, stop: threading.Event | None = None
    ):
        """Takes the options; the child starts with the first video.

        Args:
          options: what is done with every video.
          timeout: seconds that a single clip may take; a film may take this long for each of its
            clips.
          stop: when set, `cut` and `read_segment` raise `Stopped`.
        """
        self._options, self._timeout = options, timeout
        self._stop = stop or threading.Event()
        self._process: subprocess.Popen | None = None
        self._connection: Connection | None = None
        self._requests = 0  # That the child has had.

    def __enter__(self) -> "Decoder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def cut(self, path: str, start: float, end: float | None) -> Iterator[CutClip | Rejected]:
        """Cuts a video, or a span of it; see `clip_cutting.read_clips`.

        Args:
          path: of the video.
          start: of the span, seconds.
          end: of the span, seconds; None: to the end of the video.

        Raises:
          MediaError: the video gives nothing more; its reason may be "timeout" or "crashed".
          DataError: no child can be started.
          Stopped: the work was called off.
        """
        yield from self._ask(CutRequest(path, start, end))

    def read_segment(self, request: SegmentRequest) -> Segment:
        """Reads a part of a clip; see `segment_reading.read_segment`.

        Args:
          request: what is wanted.

        Raises:
          MediaError: the video does not give it; its reason may be "timeout" or "crashed".
          DataError: no child can be started.
          Stopped: the work was called off.
        """
        answers = self._ask(request)
        span = next(answers)
        answers.close()
        return span

    def _ask(self, request: CutRequest | SegmentRequest) -> Iterator[Any]:
        """What the child answers: pieces until there are no more, or one span."""
        if self._requests >= _MOST_REQUESTS:
            self.close()
        if self._process is None:
            self._start()
        self._requests += 1
        finished = False
        try:
            self._connection.send(request)
            while True:
                message = self._receive(self._timeout)
                if isinstance(message, str) and message == ALIVE:
                    continue
                finished = message is None or isinstance(message, (Failure, Segment))
                if message is None:
                    return
                if isinstance(message, Failure):
                    raise MediaError(*message)
                yield message
        except (EOFError, OSError) as error:
            self._process.kill()  # It may live on with the connection gone.
            raise MediaError("crashed", f"exit status {self._process.wait()}") from error
        finally:
            if not finished:  # What the child still has to say is about this video.
                self.close()

    def close(self) -> None:
        """Ends the child, whatever it is doing."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = None
        self._requests = 0

    def _start(self) -> None:
        why = ""
        try:
            with tempfile.TemporaryFile("w+", errors="replace") as said:
                try:
                    self._spawn(said)
                    self._connection.send(self._options)
                    self._receive(_START_SECONDS)
                finally:
                    said.seek(0)
                    why = (said.read().strip().splitlines() or [""])[-1]
        except (EOFError, OSError, MediaError) as error:
            # Of the system, too: no memory, no more processes or open files.
            self.close()
            raise DataError(
                f"no process to decode videos in can be started: {why or str(error) or repr(error)}"
            ) from error
        except Stopped:
            self.close()
            raise

    def _spawn(self, said: TextIO) -> None:
        """Starts the child, which writes its errors to a file."""
        self._connection, theirs = multiprocessing.Pipe()
        root = str(pathlib.Path(__file__).resolve().parents[3])  # Whether installed or not.
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "actcl_tf.data.media.decoder_process", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                pass_fds=[theirs.fileno()],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            )

    def _receive(self, seconds: float) -> Any:
        """The next message of the child, which has this long for it."""
        deadline = time.monotonic() + seconds
        while not self._connection.poll(_POLL_SECONDS):
            if self._stop.is_set():
                raise Stopped
            if time.monotonic() > deadline:
                raise MediaError("timeout", f"no clip for {seconds:g} seconds")
        return self._connection.recv()
