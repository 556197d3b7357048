"""The lock of a folder, with the system's locks and without."""

import errno
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from actcl_tf.data.prepare import plan
from actcl_tf.storage import folder_lock
from actcl_tf.storage.errors import DataError

# Holds a folder until it is killed or told to end; "none": on a file system without locks.
HOLDER = """
import errno, fcntl, os, sys
if sys.argv[2] != "system":
    def refuse(*_):
        raise OSError(getattr(errno, sys.argv[2]), os.strerror(getattr(errno, sys.argv[2])))
    fcntl.lockf = fcntl.flock = refuse
from actcl_tf.storage import folder_lock
try:
    with folder_lock.hold(sys.argv[1], "--it"):
        print("held", flush=True)
        sys.stdin.read()
except folder_lock.InUse as error:
    print(error, flush=True)
"""
_NO_LOCKS = ["ENOSYS", "EOPNOTSUPP", "ENOLCK"]


@pytest.fixture
def start(tmp_path):
    """Starts a holder; gives the process and the first line it prints."""
    started = []

    def run(locks):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, tmp_path, locks],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process, process.stdout.readline().strip()

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def without_locks(monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "lockf", refuse)


def _end(process):
    _, told = process.communicate("")
    return told


@pytest.mark.parametrize("locks", ["system", *_NO_LOCKS])
def test_the_second_is_refused_until_the_first_ends_or_is_killed(start, tmp_path, locks):
    first, said = start(locks)
    assert said == "held"
    _, said = start(locks)
    assert said.startswith(f"process {first.pid} on {socket.gethostname()}")
    told = _end(first)
    expected = "" if locks == "system" else "--it: its file system has no locks ("
    assert told.startswith(expected) and bool(told) == bool(expected)
    assert not list(tmp_path.glob(f"{folder_lock.HEARTBEAT}*"))
    second, said = start(locks)
    assert said == "held"
    second.send_signal(signal.SIGKILL)
    second.wait()
    third, said = start(locks)
    assert said == "held"
    _end(third)
    assert not list(tmp_path.glob(f"{folder_lock.HEARTBEAT}*"))


def _write_heartbeat(folder, age):
    path = folder / folder_lock.HEARTBEAT
    path.write_text(json.dumps({"host": "far", "process": 1, "token": "x"}))
    then = time.time() - age
    os.utime(path, (then, then))
    return path


def test_a_holder_on_another_machine_is_alive_while_its_file_is_renewed(tmp_path, without_locks):
    _write_heartbeat(tmp_path, folder_lock.STALE_SECONDS / 2)
    refused = pytest.raises(folder_lock.InUse, match=r"process 1 on far \(if .* from 90 seconds")
    with refused, folder_lock.hold(str(tmp_path), "--it"):
        pass
    path = _write_heartbeat(tmp_path, 2 * folder_lock.STALE_SECONDS)
    with folder_lock.hold(str(tmp_path), "--it"):
        assert json.loads(path.read_text())["process"] == os.getpid()
    assert os.listdir(tmp_path) == [folder_lock.LOCK]


def test_the_file_is_renewed_while_the_folder_is_held(tmp_path, without_locks, monkeypatch):
    monkeypatch.setattr(folder_lock, "_BEAT_SECONDS", 0.01)
    with folder_lock.hold(str(tmp_path), "--it"):
        path = tmp_path / folder_lock.HEARTBEAT
        os.utime(path, (1, 1))
        deadline = time.monotonic() + 60
        while path.stat().st_mtime == 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert path.stat().st_mtime > 1


def test_a_file_that_was_damaged_counts_by_its_time(tmp_path, without_locks):
    path = _write_heartbeat(tmp_path, 2 * folder_lock.STALE_SECONDS)
    path.write_text("[]")
    os.utime(path, (1, 1))
    with folder_lock.hold(str(tmp_path), "--it"):
        pass


def test_what_is_no_lack_of_locks_is_an_error(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(fcntl, "lockf", fail)
    with pytest.raises(OSError, match="broken"), folder_lock.hold(str(tmp_path), "--it"):
        pass


@pytest.mark.parametrize("locks", ["system", "none"])
def test_a_data_set_is_held(locks, tmp_path, request, capfd):
    if locks == "none":
        request.getfixturevalue("without_locks")
    said = re.escape(f"process {os.getpid()} on ")
    refused = pytest.raises(DataError, match=f"--output={tmp_path}: another run .*{said}")
    for _ in range(2):
        with plan.Lock(str(tmp_path)), refused, plan.Lock(str(tmp_path)):
            pass
    told = capfd.readouterr().err
    assert (f"--output={tmp_path}: its file system has no locks" in told) == (locks == "none")
