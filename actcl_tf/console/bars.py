"""Progress bars; where there is no terminal, a line now and then."""

import sys
import time
from collections.abc import Callable
from typing import Any

import tqdm

SECONDS = 30.0  # From line to line, where there is no terminal.


class Bar(tqdm.tqdm):
    """A bar of tqdm; without a terminal a line at the start, one every 30 seconds, one at the end.

    It takes what tqdm takes.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        stream = kwargs.get("file") or sys.stderr
        self._lines: _Lines | None = None
        if not stream.isatty():
            kwargs["file"] = self._lines = _Lines(stream, time.monotonic)
            # Statistics alone: the bar itself says nothing in a log.
            kwargs.update(ncols=0, dynamic_ncols=False)
        super().__init__(*args, **kwargs)

    def close(self) -> None:
        """Ends the bar; its last line is always written."""
        if self._lines is not None:
            self._lines.let_pass()
        super().close()


class _Lines:
    """A stream that takes a bar's drawings and passes on whole lines, one every SECONDS."""

    def __init__(self, stream: Any, clock: Callable[[], float]) -> None:
        self._stream, self._clock = stream, clock
        self._next = -float("inf")

    def let_pass(self) -> None:
        """Makes the next drawing pass whatever the time."""
        self._next = -float("inf")

    def write(self, text: str) -> None:
        """Passes a drawing on, unless it says nothing or follows too soon."""
        line = text.strip()
        if line and self._clock() >= self._next:
            self._next = self._clock() + SECONDS
            self._stream.write(f"{line}\n")
            self._stream.flush()

    def flush(self) -> None:
        """Nothing is held back."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
