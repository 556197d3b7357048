"""What each worker process of a Dask cluster of this machine does first."""

import logging
import signal

import distributed


def dask_setup(worker: distributed.Worker) -> None:
    """Leaves it to the program that started the cluster when to end, and what to say."""
    del worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.disable(logging.CRITICAL)
