import errno
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys

import pytest

from actcl_tf.train.runs import errors, run_lock

# Holds the lock, with a child that outlives it, until it is killed.
HOLDER = """
import subprocess, sys, time
from actcl_tf.train.runs import run_lock
with run_lock.hold(sys.argv[1]):
    child = subprocess.Popen(["sleep", "600"], close_fds=False, stdout=subprocess.DEVNULL)
    print(child.pid, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True
    )
    child = int(process.stdout.readline())
    yield process
    process.kill()
    process.wait()
    os.kill(child, signal.SIGKILL)


def _hold_for_a_moment(folder):
    with run_lock.hold(str(folder)):
        pass


def test_the_second_is_refused_until_the_first_is_dead(holder, tmp_path):
    said = f"--run_dir={tmp_path}: process {holder.pid} on {socket.gethostname()} trains there now"
    for _ in range(2):
        with pytest.raises(errors.CheckpointError, match=re.escape(said)):
            _hold_for_a_moment(tmp_path)
    holder.kill()
    holder.wait()
    with run_lock.hold(str(tmp_path)):
        assert (tmp_path / "lock").read_text().startswith(f"process {os.getpid()} on ")


def test_it_is_given_back_also_after_an_error(tmp_path):
    for _ in range(2):
        with pytest.raises(KeyError), run_lock.hold(str(tmp_path)):
            raise KeyError
    command = [sys.executable, "-c", "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'a'), 6)"]
    subprocess.run([*command, tmp_path / "lock"], check=True)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(errors.CheckpointError, match="none: cannot be written"):
        _hold_for_a_moment(tmp_path / "none")


def test_a_file_system_without_locks(tmp_path, monkeypatch, capfd):
    def refuse(*_):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "lockf", refuse)
    said = re.escape(f"--run_dir={tmp_path}: process {os.getpid()} on ")
    refused = pytest.raises(errors.CheckpointError, match=f"{said}.* trains there now")
    for _ in range(2):
        with run_lock.hold(str(tmp_path)), refused:
            _hold_for_a_moment(tmp_path)
    assert f"--run_dir={tmp_path}: its file system has no locks" in capfd.readouterr().err
