"""What the callbacks of a training have in common: they know the step without asking the device."""

import tensorflow as tf


class StepCallback(tf.keras.callbacks.Callback):
    """A Keras callback of a model with a variable `step`, which is read once, at the beginning.

    Reading it at every step would wait for the device each time.

    Attributes:
      step: steps done.
    """

    def __init__(self):
        """Knows no step yet."""
        super().__init__()
        self._supports_tf_logs = True  # Tensors are only read when something is to be done.
        self.step = 0
        self._first_batch = 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Reads the step that training starts from."""
        self.step = int(self.model.step.numpy())

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Notes where an execution begins, which may be of several steps."""
        self._first_batch = batch

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Counts the steps of the execution and calls `on_step`."""
        self.step += batch - self._first_batch + 1
        self.on_step(logs)

    def on_step(self, logs: dict | None) -> None:
        """Called after the steps of each execution, with the scalars of the last of them."""

    def close(self) -> None:
        """Called whatever ends a training, an error or a signal too."""
