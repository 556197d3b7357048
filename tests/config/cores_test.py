"""Cores: those that this process may use, not those of the machine."""

import os
import subprocess
import sys

from actcl_tf.config import cores


def test_all_that_the_process_may_use():
    assert 1 <= cores.count() <= (os.cpu_count() or 1)


def test_a_process_bound_to_one_core_has_one():
    program = (
        "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]);"
        "from actcl_tf.config import cores; print(cores.count())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "1", done.stderr
