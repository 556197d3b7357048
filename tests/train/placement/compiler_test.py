"""What XLA says of itself, in a process where it says it."""

import subprocess
import sys

import pytest

COMPILE = """
import os
import tensorflow as tf
from actcl_tf.train.placement import compiler

@tf.function(jit_compile=True)
def double(x):
    return 2 * x

if "quietly" in os.sys.argv:
    compiler.wake_quietly()
print(double(tf.constant(3.0)).numpy())
os.write(2, b"an error\\n")
"""


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="the XLA of TensorFlow 2.21 is silent")
def test_xla_announces_itself_only_where_it_was_not_woken():
    running = [
        subprocess.Popen([sys.executable, "-c", COMPILE, how], stdout=-1, stderr=-1, text=True)
        for how in ("quietly", "aloud")
    ]
    (quiet, said), (loud, more) = (process.communicate(timeout=600) for process in running)
    assert quiet == loud == "6.0\n"
    assert "InitializeLog" in more
    assert "InitializeLog" not in said and "Compiled cluster" not in said
    assert said.endswith("an error\n")
