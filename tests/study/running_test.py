import json
import signal
import subprocess
import sys
import threading
import time

import pytest

from actcl_tf.storage import folder_lock
from actcl_tf.study import plan, running

STRATEGIES = [plan.read_strategy(name) for name in ("random", "active")]
CELLS = plan.list_cells([], STRATEGIES, range(2))

# Stands for a training run: writes a result, unless told to fail.
PROGRAM = """
import json, pathlib, sys
folder, fails = pathlib.Path(sys.argv[1]), sys.argv[2] == "True"
folder.mkdir(parents=True, exist_ok=True)
with (folder / "starts").open("a") as file:
    file.write("start\\n")
print("hello from", folder.name)
if fails:
    sys.exit(3)
(folder / "result.json").write_text(json.dumps({}))
"""


def _command(fails=()):
    def command(cell, folder):
        return [sys.executable, "-c", PROGRAM, str(folder), str(cell in fails)]

    return command


def test_all_cells_are_run_once_and_a_failed_one_is_tried_again(tmp_path):
    failures = running.run(tmp_path, CELLS, _command(fails=CELLS[1:2]), jobs=2)
    assert [(each.cell, each.status) for each in failures] == [(CELLS[1], 3)]
    assert "hello from active_seed=0" in failures[0].log.read_text()
    assert [running.is_done(tmp_path, cell) for cell in CELLS] == [True, False, True, True]
    assert running.seconds_a_cell(tmp_path, CELLS) > 0
    assert running.run(tmp_path, CELLS, _command(), jobs=1) == []
    starts = [
        (running.folder_of(tmp_path, cell) / "starts").read_text().count("start") for cell in CELLS
    ]
    assert starts == [1, 2, 1, 1]


def test_before_the_first_run_no_time_is_known(tmp_path):
    assert running.seconds_a_cell(tmp_path, CELLS) is None


def test_a_cell_that_another_process_runs_is_left_to_it(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "_POLL_SECONDS", 0.05)
    taken = tmp_path / "cells" / CELLS[0].name
    taken.mkdir(parents=True)
    folder = running.folder_of(tmp_path, CELLS[0])
    with folder_lock.hold(str(taken), "other"):
        thread = threading.Thread(target=running.run, args=(tmp_path, CELLS, _command(), 1))
        thread.start()
        while not all(running.is_done(tmp_path, cell) for cell in CELLS[1:]):
            time.sleep(0.02)
        assert thread.is_alive() and not folder.exists()
        folder.mkdir()
        (folder / "result.json").write_text(json.dumps({}))  # The other one has done it.
    thread.join(timeout=600)
    assert not thread.is_alive() and not (folder / "starts").exists()


def test_an_interrupt_is_passed_on_and_waited_for(tmp_path):
    program = """
import pathlib, signal, sys
from actcl_tf.study import plan, running
signal.signal(signal.SIGINT, signal.default_int_handler)  # Ignored where tests run unattended.
RUN = '''
import pathlib, signal, sys, time
folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True)
def save(*_):
    (folder / "saved").touch()
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
(folder / "ready").touch()
time.sleep(600)
'''
cells = plan.list_cells([], [plan.read_strategy("random")], range(3))
try:
    study = pathlib.Path(sys.argv[1])
    running.run(study, cells, lambda cell, folder: [sys.executable, "-c", RUN, folder], 1)
except KeyboardInterrupt:
    print("interrupted")
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    ready = tmp_path / "runs" / "random_seed=0" / "ready"
    while not ready.exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=600)
    assert said == "interrupted\n"
    assert ready.with_name("saved").exists()
    assert not (tmp_path / "runs" / "random_seed=1").exists()


def test_an_interrupt_comes_before_the_run_that_is_just_being_started(tmp_path):
    program = """
import os, pathlib, signal, sys, time
from actcl_tf.study import plan, running
signal.signal(signal.SIGINT, signal.default_int_handler)
def command(cell, folder):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(1)
    return [sys.executable, "-c", "import pathlib, sys, time; print('begun'); time.sleep(100)"]
cells = plan.list_cells([], [plan.read_strategy("random")], range(1))
try:
    running.run(pathlib.Path(sys.argv[1]), cells, command, 1)
except KeyboardInterrupt:
    print("interrupted")
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], stdout=-1, text=True, timeout=60, check=True
    )
    assert done.stdout == "interrupted\n"
    assert (tmp_path / "cells" / "random_seed=0" / "log.txt").read_bytes() == b""


@pytest.mark.parametrize("jobs", [1, 4])
def test_nothing_to_do(tmp_path, jobs):
    running.run(tmp_path, CELLS, _command(), jobs)
    assert running.run(tmp_path, CELLS, _command(fails=CELLS), jobs) == []
