"""Measures the peak memory of the ways of seeding, each in a process of its own."""

import concurrent.futures
import multiprocessing
import multiprocessing.context
import multiprocessing.forkserver
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from actcl_tf.benchmark import host
from actcl_tf.benchmark.seeding import seeding_settings, seeding_ways

# Peak memory on explicit points does not grow with the picks, and few take scikit-learn less time.
_EXPLICIT_PICKS = 4
_ONEDNN = "TF_ENABLE_ONEDNN_OPTS"


def fresh_context() -> multiprocessing.context.BaseContext:
    """Where fresh processes come from in which all that TensorFlow takes can be seen.

    They are forked from one that has imported what this one has, TensorFlow above all, but not
    begun to use it: that takes a fraction of the time of starting each from nothing. And they do
    without oneDNN, whose allocator keeps freed memory and serves later calls from it.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([name for name in sys.modules if name.startswith("actcl_tf.")])
    before = os.environ.get(_ONEDNN)
    os.environ[_ONEDNN] = "0"
    try:
        multiprocessing.forkserver.ensure_running()  # Takes over the environment of now.
    finally:
        del os.environ[_ONEDNN]
        if before is not None:
            os.environ[_ONEDNN] = before
    return context


def fresh_peak(
    context: multiprocessing.context.BaseContext,
    measure: Callable[..., int | None],
    *arguments: Any,
) -> int | None:
    """What `measure` gives in a process of its own, which gives freed memory back at once."""
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as fresh:
        return fresh.submit(_run, measure, *arguments).result()


def _run(measure: Callable[..., int | None], *arguments: Any) -> int | None:
    # The compiler announces itself once a process, across the progress bar; errors are raised.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    host.forget_freed_memory()
    return measure(*arguments)


def measure(settings: seeding_settings.Settings) -> Iterator[tuple[str, int, int | None]]:
    """Measures each way at each size, in a fresh process for each.

    What is measured is the peak of the resident memory above its level before the call, when the
    factors are in place: of the second call where the first compiles; of the building of explicit
    points as well where a way needs them. It hardly depends on the kind of points, so only the last
    kind is measured.

    Yields:
      (way, N, bytes); None for bytes where the system does not tell.
    """
    context = fresh_context()
    for size in settings.sizes:
        for way in settings.ways_at(size):
            yield way, size, fresh_peak(context, _peak, settings, way, size)


def _peak(settings: seeding_settings.Settings, way: str, num_points: int) -> int | None:
    """Runs in a fresh process."""
    u, h = seeding_ways.factors_of(settings, settings.points[-1], num_points)
    if way in seeding_settings.TENSORFLOW:
        call = seeding_ways.build(way, u, h, settings.picks)
        call(settings.seed)
        return host.peak_extra_bytes(lambda: call(settings.seed + 1))
    picks, trials = settings.picks, 0
    if way in seeding_settings.EXPLICIT:
        trials = seeding_ways.local_trials(picks)
        picks = min(picks, _EXPLICIT_PICKS)
    return host.peak_extra_bytes(
        lambda: seeding_ways.build(way, u, h, picks, trials=trials)(settings.seed)
    )
