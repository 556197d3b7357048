"""Forked programs are like those that a user starts."""

import os
import signal
import subprocess
import sys

import pytest

from tests import programs

SHOW = """
import os, sys
print(sys.argv, os.getcwd(), os.environ.get("MINE"), "tensorflow" in sys.modules, __name__)
print(sys.stdin.read(), "to errors", file=sys.stderr)
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "show.py"
    path.write_text(SHOW)
    return path


def test_arguments_folder_environment_and_status(script, tmp_path):
    env = {**os.environ, "MINE": "yes"}
    for words, name in (
        ([script], script),
        (["-c", SHOW], "-c"),
        (["-m", "show"], script),
    ):
        done = programs.run(*words, "3", cwd=tmp_path, env=env)
        assert done.stdout == f"['{name}', '3'] {tmp_path} yes True __main__\n"
        assert done.stderr.strip() == "to errors"
        assert done.returncode == 3
    assert "MINE" not in os.environ


def test_an_error_is_shown_and_counts():
    done = programs.run("-c", "raise SystemExit('no')")
    assert (done.returncode, done.stderr) == (1, "no\n")
    done = programs.run("-c", "1 / 0")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


def test_it_has_an_id_reads_line_by_line_and_ends_by_a_signal():
    program = programs.start("-c", "import time; print('up', flush=True); time.sleep(600)")
    assert program.stdout.readline() == "up\n"
    assert program.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        program.wait(0.01)
    os.kill(program.pid, signal.SIGTERM)
    assert program.communicate(timeout=600) == ["", ""]
    assert program.returncode == -signal.SIGTERM


def test_what_waits_for_the_end_of_the_process_runs():
    done = programs.run("-c", "import atexit; atexit.register(print, 'last')")
    assert done.stdout == "last\n"


def _state():
    from tensorflow.python.eager import context

    threads = len(os.listdir(f"/proc/{os.getppid()}/task"))
    return threads, context.context()._initialized, os.getppid()


def test_nothing_was_computed_before_the_fork():
    threads, is_initialised, parent = programs.call(_state)
    assert not is_initialised
    assert parent != os.getpid()
    # Beside the main one: those of NumPy's linear algebra, which takes care of forks itself.
    assert threads <= 1 + (os.cpu_count() or 1)


def test_a_call_that_ends_without_an_answer_is_told():
    with pytest.raises(AssertionError, match="without an answer: 7"):
        programs.call(sys.exit, 7)


def test_a_shell_runs_it_as_python(script, tmp_path):
    with programs.python_for_scripts(tmp_path / "python"):
        commands = f"echo in | MINE=yes ./python {script} 0 > out; ./python {script} 4 < /dev/null"
        done = subprocess.run(["bash", "-c", commands], cwd=tmp_path, stderr=subprocess.PIPE)
    assert done.returncode == 4
    assert f"{tmp_path} yes True __main__" in (tmp_path / "out").read_text()
    assert done.stderr.decode().split() == ["in", "to", "errors", "to", "errors"]
