"""XLA's announcement of itself, kept off the terminal."""

import os
import re
import sys
import tempfile

import tensorflow as tf

# What the compiler says once a process, before anybody could set up its log: that nobody did, and
# that it has compiled something.
_ANNOUNCEMENT = re.compile(rb"WARNING: All log messages before absl::InitializeLog|I0000 ")


def wake_quietly() -> None:
    """Compiles next to nothing, so that later compilations say nothing across a progress bar.

    What else is written to the error stream meanwhile is passed on.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            tf.function(lambda x: x + 1, jit_compile=True)(tf.zeros([]))
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            said.seek(0)
            others = [line for line in said if not _ANNOUNCEMENT.match(line)]
            os.write(2, b"".join(others))
