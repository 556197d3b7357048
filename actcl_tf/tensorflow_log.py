"""What TensorFlow and XLA announce of themselves, kept off the terminal."""

import contextlib
import importlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator

# What is said before anybody could set up the log, at any level that the environment asks for: that
# nobody did, which kernels there are, that no GPU was found, that something was compiled.
_ANNOUNCEMENT = re.compile(rb"WARNING: All log messages before absl::InitializeLog|I0000 ")


@contextlib.contextmanager
def without_announcements() -> Iterator[None]:
    """Keeps announcements off the error stream; what else is written there comes at the end."""
    with contextlib.ExitStack() as stack:
        try:
            terminal = os.dup(2)
            stack.callback(os.close, terminal)
            said = stack.enter_context(tempfile.TemporaryFile())
        except OSError:  # There is no error stream, or nowhere to keep what is said.
            yield
            return
        _flush()
        os.dup2(said.fileno(), 2)
        try:
            yield
        finally:
            _flush()
            os.dup2(terminal, 2)
            said.seek(0)
            os.write(2, b"".join(line for line in said if not _ANNOUNCEMENT.match(line)))


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()


def import_tensorflow() -> None:
    """Imports TensorFlow for a program with a terminal: releases from 2.16 on announce that."""
    if "tensorflow" not in sys.modules:
        with without_announcements():
            importlib.import_module("tensorflow")


def wake_compiler() -> None:
    """Compiles next to nothing, so that XLA says nothing across a progress bar later on."""
    import tensorflow as tf

    with without_announcements():
        tf.function(lambda x: x + 1, jit_compile=True)(tf.zeros([]))
