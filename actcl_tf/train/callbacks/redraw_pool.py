"""Pools that are redrawn at the start of every epoch."""

from collections.abc import Callable, Iterable

import tensorflow as tf


class RedrawPool(tf.keras.callbacks.Callback):
    """--pool=epoch: at the start of every epoch N random clips are encoded into the pools."""

    def __init__(
        self,
        clips_of_epoch: Callable[[int], Iterable[dict[str, tf.Tensor]]],
        strategy: tf.distribute.Strategy,
    ):
        """Takes where the clips come from.

        Args:
          clips_of_epoch: epoch -> batches of random training clips, distributed.
          strategy: what the model was built under.
        """
        super().__init__()
        self._supports_tf_logs = True
        self._clips_of_epoch = clips_of_epoch
        self._strategy = strategy
        self._fill = None

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Redraws the pools, unless they are this epoch's: restored in the middle of it."""
        if int(self.model.pool_epoch.numpy()) == epoch:
            return
        if self._fill is None:

            @tf.function(reduce_retracing=True)
            def fill(batch: dict[str, tf.Tensor]) -> None:
                self._strategy.run(self.model.fill_pools_step, args=(batch,))

            self._fill = fill
        with self._strategy.scope():
            for target in self.model.dictionaries.values():
                self._strategy.run(target.pool.clear)
        for batch in self._clips_of_epoch(epoch):
            self._fill(batch)
        self.model.pool_epoch.assign(epoch)
