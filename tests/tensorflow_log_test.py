"""What TensorFlow and XLA announce of themselves, in processes where they do."""

import os
import subprocess
import sys

import pytest

from actcl_tf import tensorflow_log

COMPILE = """
import os
from actcl_tf import tensorflow_log

if "quietly" in os.sys.argv:
    tensorflow_log.import_tensorflow()
import tensorflow as tf

@tf.function(jit_compile=True)
def double(x):
    return 2 * x

if "quietly" in os.sys.argv:
    tensorflow_log.wake_compiler()
print(double(tf.constant(3.0)).numpy())
os.write(2, b"an error\\n")
"""


def test_announcements_are_kept_back_and_nothing_else(capfd):
    with tensorflow_log.without_announcements():
        os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are here\n")
        os.write(2, b"I0000 00:00:1.2  1 port.cc:153] oneDNN custom operations are on.\n")
        os.write(2, b"E0000 00:00:1.2  1 somewhere.cc:52] failed\n")
        os.write(2, b"a warning of a name: I0000 \n")
    assert capfd.readouterr().err == (
        "E0000 00:00:1.2  1 somewhere.cc:52] failed\na warning of a name: I0000 \n"
    )


def test_what_was_said_before_an_exception_is_passed_on(capfd):
    with pytest.raises(KeyboardInterrupt), tensorflow_log.without_announcements():
        os.write(2, b"out of memory\n")
        raise KeyboardInterrupt
    os.write(2, b"and after\n")
    assert capfd.readouterr().err == "out of memory\nand after\n"


def test_without_an_error_stream_nothing_is_kept_back():
    program = (
        "from actcl_tf import tensorflow_log as log\nwith log.without_announcements(): print(1)"
    )
    command = f"exec 2>&-; exec {sys.executable} -c '{program}'"
    assert subprocess.run(command, shell=True, stdout=-1, check=True).stdout == b"1\n"


def test_tensorflow_announces_itself_only_where_it_was_not_asked_to_be_quiet():
    surroundings = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", COMPILE, how], stdout=-1, stderr=-1, text=True, env=surroundings
        )
        for how in ("quietly", "aloud")
    ]
    (quiet, said), (loud, more) = (process.communicate(timeout=600) for process in running)
    assert quiet == loud == "6.0\n"
    assert "InitializeLog" in more
    assert "InitializeLog" not in said and "I0000" not in said
    assert said.endswith("an error\n")
