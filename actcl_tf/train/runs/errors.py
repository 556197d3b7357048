"""What stops a run or the use of one, and a tool tells apart; nothing here needs TensorFlow."""

import signal

from actcl_tf.storage.errors import UserError


class CheckpointError(UserError, ValueError):
    """A run folder or checkpoint that cannot be used; the message says why and what to do."""


class Interrupted(Exception):
    """A signal asked the run to end; the state was saved.

    Attributes:
      signal_number: which signal it was.
    """

    def __init__(self, signal_number: int):
        super().__init__(f"ended by {signal.Signals(signal_number).name}; the state is saved")
        self.signal_number = signal_number


class WorkerLost(RuntimeError):
    """Another worker died or went silent; the message says what to do."""


class ReplicasDifferError(UserError, RuntimeError):
    """Replicas hold other values than each other; the message names them and the step."""
