"""Measures the peak memory of calls, each in a process of its own."""

import concurrent.futures
import multiprocessing
import multiprocessing.context
import multiprocessing.forkserver
import os
import sys
from collections.abc import Callable
from typing import Any

from actcl_tf.benchmark import host

_ONEDNN = "TF_ENABLE_ONEDNN_OPTS"


def context() -> multiprocessing.context.BaseContext:
    """Where fresh processes come from in which all that TensorFlow takes can be seen.

    They are forked from one that has imported what this one has, TensorFlow above all, but not
    begun to use it: that takes a fraction of the time of starting each from nothing. And they do
    without oneDNN, whose allocator keeps freed memory and serves later calls from it.
    """
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload([name for name in sys.modules if name.startswith("actcl_tf.")])
    before = os.environ.get(_ONEDNN)
    os.environ[_ONEDNN] = "0"
    try:
        multiprocessing.forkserver.ensure_running()  # Takes over the environment of now.
    finally:
        del os.environ[_ONEDNN]
        if before is not None:
            os.environ[_ONEDNN] = before
    return found


def peak(measure: Callable[..., int | None], *arguments: Any) -> int | None:
    """What `measure` gives in a process of its own, which gives freed memory back at once."""
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context()) as fresh:
        return fresh.submit(_run, measure, *arguments).result()


def _run(measure: Callable[..., int | None], *arguments: Any) -> int | None:
    # The compiler announces itself once a process, across the progress bar; errors are raised.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    host.forget_freed_memory()
    return measure(*arguments)
