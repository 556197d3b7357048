"""Whether all replicas still hold the same dictionaries, pools and weights.

Replicas exchange what they enqueue and sum their gradients, so what they hold is the same bit for
bit as long as nothing goes wrong: a fault of a device or a link, or programs that differ.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from actcl_tf.train.callbacks import step_callback
from actcl_tf.train.model import encoding, pretrain_model
from actcl_tf.train.runs import errors


class CheckReplicas(step_callback.StepCallback):
    """Compares the replicas by digests, now and then."""

    def __init__(self, strategy: tf.distribute.Strategy, every: int):
        """Checks nothing yet.

        Args:
          strategy: that the model is trained with.
          every: steps between checks; the first one comes with the first step.
        """
        super().__init__()
        self._strategy = strategy
        self._every = every
        self._digest: Any = None

    def on_step(self, logs: dict | None) -> None:
        """Raises failures.ReplicasDifferError where it is time and something differs."""
        if self._digest is None:
            self._digest = _compile(self._strategy, self.model)
        elif self.step % self._every:
            return
        digests = self._digest().numpy()
        differ = [
            name for name, row in zip(values(self.model), digests.T, strict=True) if np.ptp(row)
        ]
        if differ:
            raise errors.ReplicasDifferError(
                f"replicas differ in {', '.join(differ[:3])}"
                f"{f' and {len(differ) - 3} more' if len(differ) > 3 else ''} after step "
                f"{self.step}: a device or a connection is at fault, or workers "
                "run different programs; the run was stopped, and goes on from its last checkpoint"
            )


def values(model: pretrain_model.PretrainModel) -> dict[str, tf.Variable]:
    """What is the same on all replicas: name -> variable of this replica.

    Pools in parts are another on each, and are left out.
    """
    found = {"step": model.step}
    for modality, target in model.dictionaries.items():
        for kind, queue in (("dictionary", target.queue), ("pool", target.pool)):
            if queue is not None and not (kind == "pool" and model.shards_pools):
                columns = {"ids": queue.ids, "pointer": queue.pointer, **queue.columns}
                found.update({f"{modality} {kind} {name}": v for name, v in columns.items()})
    for kind, towers in (("query", model.query_towers), ("key", model.key_towers)):
        for modality in encoding.MODALITIES:
            for index, variable in enumerate(towers[modality].trainable_variables):
                found[f"{modality} {kind} tower's weight {index}, {variable.name}"] = variable
    return found


@tf.function(jit_compile=True, autograph=False)
def digest(value: tf.Tensor) -> tf.Tensor:
    """A number that tells values apart: int64 scalar, of a tensor of 4 or 8 bytes an element.

    Each 4 bytes count by an odd multiple of their own, so that any change of one element changes
    the sum; compiled, it is one pass and takes no memory.
    """
    words = tf.cast(tf.reshape(tf.bitcast(value, tf.int32), [-1]), tf.int64)
    weights = 2 * tf.range(tf.size(words, tf.int64), dtype=tf.int64) + 1
    return tf.reduce_sum(words * weights)


def _compile(strategy: tf.distribute.Strategy, model: pretrain_model.PretrainModel) -> Any:
    """A function that gives the digests of all replicas: [R, number of values] int64."""

    def of_replica() -> tf.Tensor:
        return tf.stack([digest(v.read_value()) for v in values(model).values()])[tf.newaxis]

    @tf.function(autograph=False)
    def of_all() -> tf.Tensor:
        return strategy.gather(strategy.run(of_replica), axis=0)

    return of_all
