"""Clips made on other machines: training input through a tf.data service.

A dispatcher hands the shards of an epoch out to workers (`tools/data_service.py` runs both), which
make clips of them; trainers that take part in the same job share the clips. Each epoch is a job of
its own, so that each clip comes once an epoch; in which order depends on who is fastest.
"""

import itertools
import queue
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from actcl_tf import config
from actcl_tf.storage.errors import DataError

TAG = "--data_service="  # See `tagged_errors`.
_CONNECT_SECONDS = 10.0
_PATIENCE_SECONDS = 120.0
_CHUNK = 16  # Clips that pass through Python at once.


def check_reachable(service: str) -> None:
    """Finds out soon what TensorFlow would wait for, an hour or for ever.

    Args:
      service: address of the dispatcher, grpc://host:port.

    Raises:
      ConfigError: nobody listens there, or no worker has joined.
    """
    host, port = service.split("://")[1].rsplit(":", 1)
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except OSError as error:
        raise config.ConfigError(
            f"--data_service={service}: no dispatcher listens there ({error}); start one with "
            "tools/data_service.py --role=dispatcher --all_interfaces"
        ) from error
    probe = tf.data.Dataset.range(1).apply(
        tf.data.experimental.service.distribute("parallel_epochs", service)
    )
    try:
        next(_in_time(probe, service, _PATIENCE_SECONDS))
    except DataError as error:
        raise config.ConfigError(str(error)) from error


def _in_time(dataset: tf.data.Dataset, service: str, seconds: float) -> Iterator[Any]:
    """The elements of a data set, each of which has so long to come.

    Raises:
      DataError: one did not come in time.
    """
    wanted: queue.SimpleQueue = queue.SimpleQueue()
    given: queue.SimpleQueue = queue.SimpleQueue()

    def give() -> None:
        iterator = None
        while wanted.get():
            try:
                if iterator is None:  # A service may refuse the data set already.
                    iterator = iter(dataset)
                given.put((next(iterator, None), None))
            except tf.errors.OpError as error:
                given.put((None, error))

    # A daemon, since an element that never comes cannot be called off.
    threading.Thread(target=give, daemon=True).start()
    try:
        while True:
            wanted.put(True)
            try:
                element, error = given.get(timeout=seconds)
            except queue.Empty:
                raise DataError(
                    f"--data_service={service}: nothing came for {seconds:g} seconds; are its "
                    "workers running? One that stopped must be started again with the same --host "
                    "and --port, and the same command goes on"
                ) from None
            if error is not None:
                raise error
            if element is None:
                return
            yield element
    finally:
        wanted.put(False)


def endless_epochs(
    one_epoch: Callable[[int], tf.data.Dataset],
    *,
    service: str,
    job: str,
    first_epoch: int,
    skip: int,
) -> tf.data.Dataset:
    """The elements of one epoch after the other, made by the workers of a service.

    Args:
      one_epoch: number of the epoch -> its elements; its source must be files, which are what is
        handed out.
      service: address of the dispatcher, grpc://host:port.
      job: name under which trainers share the elements; empty: they are this trainer's alone.
      first_epoch: number of the epoch to begin with.
      skip: elements of it to leave out.

    Returns:
      Endless data set of the elements, in no particular order.

    Raises:
      ConfigError: no dispatcher listens at the address, or it has no worker.
    """
    check_reachable(service)
    job = job or uuid.uuid4().hex
    spec = one_epoch(first_epoch).element_spec

    def generate() -> Iterator[dict[str, tf.Tensor]]:
        for epoch in itertools.count(first_epoch):
            served = one_epoch(epoch).apply(
                tf.data.experimental.service.distribute(
                    processing_mode=tf.data.experimental.service.ShardingPolicy.DYNAMIC,
                    service=service,
                    # Two steps of one run never share a job: the first has used part of it up.
                    job_name=f"{job}-{first_epoch}-{skip}-{epoch}",
                    compression=None,  # JPEG frames are decoded: it costs more than it saves.
                )
            )
            yield from _in_time(served.batch(_CHUNK), service, _PATIENCE_SECONDS)

    chunks = tf.data.Dataset.from_generator(
        generate,
        output_signature=tf.nest.map_structure(
            lambda part: tf.TensorSpec([None, *part.shape], part.dtype), spec
        ),
    )
    dataset = chunks.unbatch()
    return dataset.skip(skip) if skip else dataset
