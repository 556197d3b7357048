"""What the processes of a run, one on each machine, say to each other outside of the steps."""

import contextlib
import tempfile
from collections.abc import Iterator

import tensorflow as tf

from actcl_tf.train.placement import cluster as clusters
from actcl_tf.train.runs import run_lock
from actcl_tf.train.runs.errors import WorkerLost


class Workers:
    """The processes that train together; a run on one machine has only one.

    All of them must call what speaks to the others, in the same order.

    Attributes:
      place: number of this process, from 0.
      count: how many there are.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy | None = None,
        cluster: clusters.Cluster | None = None,
    ):
        """Takes the place of this process.

        Args:
          strategy: a MultiWorkerMirroredStrategy; None for a single process.
          cluster: that it spans; None for a single process.
        """
        self.place = 0 if cluster is None else cluster.place
        self.count = 1 if cluster is None else len(cluster.addresses)
        self._strategy = strategy
        self._held = contextlib.ExitStack()

        @tf.function
        def total(values: tf.Tensor) -> tf.Tensor:
            return strategy.reduce("SUM", values, axis=None)

        self._total = total

    @property
    def is_chief(self) -> bool:
        """Whether this is the process that writes, shows and evaluates."""
        return self.place == 0

    def any(self, mine: bool) -> bool:
        """Whether something holds on any worker; waits for all of them."""
        if self.count == 1:
            return mine
        return self._sum(int(mine)) > 0

    def wait(self) -> None:
        """Waits until all workers are here."""
        self.any(False)

    def agree(self, number: int) -> bool:
        """Whether a whole number is the same on all workers."""
        if self.count == 1:
            return True
        everywhere = number * self._strategy.num_replicas_in_sync
        return not self.any(self._sum(number) != everywhere)

    def _sum(self, number: int) -> int:
        value = tf.constant(number, tf.int64)
        values = self._strategy.experimental_distribute_values_from_function(lambda _: value)
        return int(self._total(values))

    @contextlib.contextmanager
    def folder(self, run_dir: str) -> Iterator[str]:
        """Where this worker writes: the run's folder on the chief, elsewhere one to throw away.

        Values that each replica has its own of are read by all workers together, so all of them
        must save a checkpoint, and only one of them may write it to the run's folder.
        """
        if self.is_chief:
            with self._held:
                yield run_dir
            return
        with tempfile.TemporaryDirectory(prefix="actcl_tf_worker_") as scratch:
            yield scratch

    def lock(self, run_dir: str) -> None:
        """Keeps other runs out of the run's folder until `folder` ends.

        Raises:
          errors.CheckpointError: another process trains there.
        """
        if self.is_chief:
            self._held.enter_context(run_lock.hold(run_dir))

    def explain(self, error: tf.errors.OpError, step: int) -> WorkerLost | None:
        """The error to raise where another worker is gone; None for other errors."""
        if self.count == 1 or not isinstance(error, _GONE):
            return None
        return WorkerLost(
            f"another of the {self.count} workers died or went silent after step {step} (seen by "
            f"worker {self.place}). Start all of them again: the run goes on from its last "
            "checkpoint"
        )


_GONE = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
)
