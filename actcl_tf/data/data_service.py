"""Clips made on other machines: training input through a tf.data service.

A dispatcher hands the shards of an epoch out to workers (`tools/data_service.py` runs both), which
make clips of them; trainers that take part in the same job share the clips. Each epoch is a job of
its own, so that each clip comes once an epoch; in which order depends on who is fastest.
"""

import itertools
import socket
import uuid
from collections.abc import Iterator
from typing import Callable

import tensorflow as tf

from actcl_tf import config

_CONNECT_SECONDS = 10.0
_CHUNK = 16  # Clips that pass through Python at once.


def check_reachable(service: str) -> None:
    """Finds out soon what TensorFlow would wait an hour for.

    Args:
      service: address of the dispatcher, grpc://host:port.

    Raises:
      ConfigError: nobody listens there.
    """
    host, port = service.split("://")[1].rsplit(":", 1)
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except OSError as error:
        raise config.ConfigError(
            f"--data_service={service}: no dispatcher listens there ({error}); start one with "
            "tools/data_service.py --role=dispatcher"
        ) from error


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
      ConfigError: no dispatcher listens at the address.
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
                    job_name=f"{job}-{epoch}",
                )
            )
            yield from served.batch(_CHUNK)

    chunks = tf.data.Dataset.from_generator(
        generate,
        output_signature=tf.nest.map_structure(
            lambda part: tf.TensorSpec([None, *part.shape], part.dtype), spec
        ),
    )
    dataset = chunks.unbatch()
    return dataset.skip(skip) if skip else dataset
