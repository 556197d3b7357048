"""The training step taken apart: the parts of `PretrainModel.train_step`, compiled and timed alone.

One step in parts does what the whole does, in its order. Forward and backward of the query encoders
are two functions, as a tape makes them of a compiled one: the first gives what the second needs.
"""

import collections
import time
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from actcl_tf.contrast import negative_sampling
from actcl_tf.train.model import encoding, pretrain_model

DATA = "data"
ENCODERS = ("query forward", "key forward", "backward")
SAMPLING, OPTIMISER, MOMENTUM, QUEUES = "sampling", "optimiser", "momentum", "queues"
PARTS = (DATA, *ENCODERS[:2], SAMPLING, ENCODERS[2], OPTIMISER, MOMENTUM, QUEUES)

Batch = dict[str, tf.Tensor]


def compiled(function: Callable) -> Callable:
    """A function as one graph, as the training step is compiled."""
    return tf.function(function, autograph=False, reduce_retracing=True)


class StepInParts:
    """Steps of a model on one device, part by part."""

    def __init__(self, model: pretrain_model.PretrainModel) -> None:
        self._model = model
        self._seconds: dict[str, float] = {}
        self._augment = compiled(lambda batch: model.augment(batch))
        self._encode_queries = compiled(lambda batch: model(batch, training=True))
        self._encode_keys = compiled(model.encode_keys)
        self._sample = compiled(self._sample_negatives)
        self._enqueue = compiled(self._enqueue_picks)
        self._loss_gradient = compiled(self._gradient_of_loss)
        self._optimise = compiled(model.update_query_encoders)
        self._follow = compiled(model.update_key_encoders)
        self._remember = compiled(self._remember_keys)

    def step(self, batch: Batch) -> dict[str, float]:
        """One training step.

        Args:
          batch: as `train_step` takes it.

        Returns:
          Seconds of each of `PARTS`. Of the data, it is the augmentation on the device; of the
          loss, which is none of the parts, nothing is told.
        """
        self._seconds = collections.defaultdict(float)
        model = self._model
        batch = self._time(DATA, self._augment, batch)
        keys, _ = self._time("key forward", self._encode_keys, batch)
        with tf.GradientTape() as tape:
            queries = self._time("query forward", self._encode_queries, batch)
        if any(target.pool is not None for target in model.dictionaries.values()):
            picks = self._time(SAMPLING, self._sample, queries)
            # Sampling enqueued its picks: that alone takes so long, and is not sampling.
            self._time(QUEUES, self._enqueue, picks)
            self._seconds[SAMPLING] -= self._seconds[QUEUES]
        own = encoding.Encoded(batch["clip_id"], batch["label"], keys, queries)
        gradient = self._loss_gradient(own)
        variables = model.query_variables
        gradients = self._time(
            "backward", lambda: tape.gradient(queries, variables, output_gradients=gradient)
        )
        self._time(OPTIMISER, self._optimise, gradients)
        self._time(MOMENTUM, self._follow)
        self._time(QUEUES, self._remember, own)
        model.step.assign_add(1)
        return {part: self._seconds[part] for part in PARTS}

    def _time(self, part: str, function: Callable, *arguments: Any) -> Any:
        tf.test.experimental.sync_devices()
        started = time.perf_counter()
        found = function(*arguments)
        tf.test.experimental.sync_devices()
        self._seconds[part] += time.perf_counter() - started
        return found

    def graphs(self, batch: Batch) -> dict[str, tf.Graph]:
        """The graph of each encoder part; that of "backward" holds the queries' forward pass too.

        Args:
          batch: whose shapes are static.
        """
        batch = self._augment(batch)

        def backward(batch: Batch) -> list[tf.Tensor]:
            with tf.GradientTape() as tape:
                queries = self._model(batch, training=True)
            return tape.gradient(queries, self._model.query_variables)

        functions = (self._encode_queries, self._encode_keys, compiled(backward))
        return {
            part: function.get_concrete_function(batch).graph
            for part, function in zip(ENCODERS, functions, strict=True)
        }

    def _sample_negatives(self, queries: Batch) -> dict[str, negative_sampling.Picks]:
        # The picks alone: who held what the pools hold would make the next write copy it.
        sampling = self._model.sample_negatives(queries)
        return {modality: each.sampled.picks for modality, each in sampling.items()}

    def _enqueue_picks(self, picks: dict[str, negative_sampling.Picks]) -> None:
        """The work of enqueuing picks; they are in the dictionaries, and count as none here."""
        for modality, picked in picks.items():
            target = self._model.dictionaries[modality]
            columns = {name: target.pool.columns[name] for name in target.queue.columns}
            ids, *rows = (
                tf.gather(column, picked.indices) for column in (target.pool.ids, *columns.values())
            )
            target.queue.enqueue(
                ids, dict(zip(columns, rows, strict=True)), tf.zeros_like(picked.count)
            )

    def _gradient_of_loss(self, own: encoding.Encoded) -> Batch:
        return self._model.contrastive_losses(own, own)[1]

    def _remember_keys(self, own: encoding.Encoded) -> None:
        self._model.remember(own, own)
