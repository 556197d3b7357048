"""What the machine can do and what a call takes of it: copy bandwidth and peak memory."""

import concurrent.futures
import contextlib
import ctypes
import gc
import pathlib
import platform
import re
import time
from collections.abc import Callable

import numpy as np

from actcl_tf.config import cores
from actcl_tf.train.placement import processor

# Far beyond most caches, so that memory is what is measured.
_COPY_BYTES = 512 * 2**20
_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of glibc's malloc.h.


def cpu() -> str:
    """The processor, what it can do and its cores, such as "X (AVX2, oneDNN kernels), 2 cores"."""
    path = pathlib.Path("/proc/cpuinfo")
    text = path.read_text(errors="replace") if path.exists() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    name = found[1].strip() if found else platform.machine()
    return f"{name} ({processor.describe()}), {cores.count()} cores"


class CopyMeter:
    """Measures how fast memory is copied by one thread a core, each its own part of an array."""

    def __init__(self, num_bytes: int = _COPY_BYTES) -> None:
        self._source = np.ones(num_bytes // 8)
        self._target = np.zeros_like(self._source)
        self._threads = concurrent.futures.ThreadPoolExecutor(cores.count())
        self.measure()  # Starts the threads and makes the pages present.

    def measure(self) -> float:
        """Bytes a second of one copy, read and written ones added up."""
        pieces = zip(
            *(np.array_split(x, cores.count()) for x in (self._target, self._source)), strict=True
        )
        started = time.perf_counter()
        # NumPy lets go of the interpreter's lock while it copies.
        list(self._threads.map(lambda piece: np.copyto(*piece), pieces))
        return 2 * self._source.nbytes / (time.perf_counter() - started)


def forget_freed_memory() -> None:
    """From now on, freed blocks of memory go back to the system, where that can be had (glibc).

    Else memory that an earlier call freed would serve the next one without being counted again.
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, 64 * 1024)


def peak_extra_bytes(call: Callable[[], object]) -> int | None:
    """How far a call raises this process's resident memory above the level before it, at its peak.

    Call `forget_freed_memory` early in the process; best in a fresh one.

    Returns:
      Bytes; None where the system does not tell (it takes Linux, whose peak can be reset).
    """
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
        pathlib.Path("/proc/self/clear_refs").write_text("5")  # The peak is now the level.
        before = _status_bytes("VmRSS")
        call()
        return max(_status_bytes("VmHWM") - before, 0)
    except (AttributeError, OSError):
        return None


def peak_bytes() -> int | None:
    """The largest resident memory that this process has had; None where the system does not tell.

    On Linux it is of this program alone. `resource` would count the one that started it, too.
    """
    try:
        return _status_bytes("VmHWM")
    except OSError:
        return None


def _status_bytes(name: str) -> int:
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024
