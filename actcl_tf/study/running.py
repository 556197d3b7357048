"""Runs the cells of a study, each a training run of its own in a child process.

A cell is taken by a lock, so that the same command on several machines that share the folder works
on different cells; a cell that is done has a result and is left alone.
"""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import NamedTuple

import numpy as np

from actcl_tf.config import cores
from actcl_tf.console import bars
from actcl_tf.storage import files, folder_lock
from actcl_tf.study.plan import Cell

RESULT = "result.json"  # Of a run: it is written last.
_SECONDS, _LOG = "seconds.json", "log.txt"
_POLL_SECONDS = 5.0


class Failure(NamedTuple):
    """A run that ended without a result.

    Attributes:
      cell: which.
      status: of the process.
      log: what it said.
    """

    cell: Cell
    status: int
    log: pathlib.Path


def folder_of(study: pathlib.Path, cell: Cell) -> pathlib.Path:
    """The run's folder of a cell."""
    return study / "runs" / cell.name


def is_done(study: pathlib.Path, cell: Cell) -> bool:
    """Whether a cell has its result."""
    return (folder_of(study, cell) / RESULT).exists()


def seconds_a_cell(study: pathlib.Path, cells: Sequence[Cell]) -> float | None:
    """Median seconds that runs of the study have taken; None before the first has ended."""
    paths = [_notes(study, cell) / _SECONDS for cell in cells]
    taken = [json.loads(path.read_text()) for path in paths if path.exists()]
    return float(np.median(taken)) if taken else None


def run(
    study: pathlib.Path,
    cells: Sequence[Cell],
    command: Callable[[Cell, pathlib.Path], list[str]],
    jobs: int,
) -> list[Failure]:
    """Runs all cells that have no result yet.

    Args:
      study: its folder; made where it is not there.
      cells: of `plan.list_cells`.
      command: (cell, its folder) -> what to run.
      jobs: how many at a time.

    Returns:
      The runs that failed; the others are done, here or by another process.

    Raises:
      KeyboardInterrupt: Ctrl-C; the runs have saved their states, and the same command goes on.
    """
    waiting = deque(cell for cell in cells if not is_done(study, cell))
    with bars.Bar(
        total=len(cells), initial=len(cells) - len(waiting), desc="study", unit="run"
    ) as bar:
        runner = _Runner(study, command, waiting, bar, max(cores.count() // jobs, 1))
        with futures.ThreadPoolExecutor(jobs) as pool:
            try:
                workers = [pool.submit(runner.work) for _ in range(jobs)]
                for worker in futures.as_completed(workers):
                    worker.result()
            except BaseException:
                runner.stop()
                raise
    return runner.failures


class _Runner:
    """What the threads of `run` share."""

    def __init__(
        self,
        study: pathlib.Path,
        command: Callable[[Cell, pathlib.Path], list[str]],
        waiting: deque,
        bar: bars.Bar,
        num_threads: int,
    ) -> None:
        self.failures: list[Failure] = []
        # Runs beside each other share the cores and do not fight for them.
        self._threads = {"TF_NUM_INTRAOP_THREADS": str(num_threads)}
        self._study, self._command, self._waiting, self._bar = study, command, waiting, bar
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen] = set()
        self._stopped = False

    def work(self) -> None:
        """Takes cell after cell until none is left."""
        while not self._stopped:
            with self._lock:
                if not self._waiting:
                    return
                cell = self._waiting.popleft()
            if not self._take(cell):
                with self._lock:
                    self._waiting.append(cell)
                time.sleep(_POLL_SECONDS)

    def _take(self, cell: Cell) -> bool:
        """Runs a cell, or finds it done; False if another process is at it."""
        notes = _notes(self._study, cell)
        notes.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(folder_lock.hold(str(notes), cell.name))
            except folder_lock.InUse:
                return False
            if not is_done(self._study, cell):  # Another process may have been faster.
                self._run(cell, notes)
        with self._lock:
            self._bar.update()
        return True

    def _run(self, cell: Cell, notes: pathlib.Path) -> None:
        started, log = time.monotonic(), notes / _LOG
        command = self._command(cell, folder_of(self._study, cell))
        with self._lock, log.open("ab") as file:
            if self._stopped:  # It would not be among those that `stop` asks to end.
                return
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is passed on by `stop`, once.
                env={**self._threads, **os.environ, "PYTHONUNBUFFERED": "1"},
            )
            self._processes.add(process)
        status = process.wait()
        with self._lock:
            self._processes.discard(process)
            if status and not self._stopped:
                self.failures.append(Failure(cell, status, log))
        if not status:
            files.write_atomically(notes / _SECONDS, json.dumps(time.monotonic() - started))

    def stop(self) -> None:
        """Asks all runs to save and end, and waits for them."""
        with self._lock:
            self._stopped = True
            self._waiting.clear()
            running = list(self._processes)
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait()


def _notes(study: pathlib.Path, cell: Cell) -> pathlib.Path:
    """The folder of a cell's lock and log, beside that of its run."""
    return study / "cells" / cell.name
