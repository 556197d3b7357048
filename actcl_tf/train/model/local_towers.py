"""Query towers of one worker alone, with the weights that all workers have trained."""

import tensorflow as tf

from actcl_tf.train.model import pretrain_model


class LocalTowers:
    """Copies of a model's query towers for the chief, which may then use them by itself.

    Each replica has moving statistics of its own: outside of a step, the towers of the model itself
    exchange these with every use, and would wait for workers that do something else.
    """

    def __init__(
        self,
        model: pretrain_model.PretrainModel,
        copies: dict[str, tf.keras.Model] | None,
    ):
        """Takes the copies, whose weights do not matter yet.

        Args:
          model: whose towers are copied.
          copies: the chief's, built outside of the strategy's scope; None on the other workers,
            which only take part in reading.
        """
        self._model = model
        self._copies = copies

    def __call__(self) -> dict[str, tf.keras.Model]:
        """The copies with the present weights on the chief; call it on all workers."""
        weights = {m: tower.get_weights() for m, tower in self._model.query_towers.items()}
        if self._copies is None:
            return self._model.query_towers
        for modality, tower in self._copies.items():
            tower.set_weights(weights[modality])
        return self._copies
