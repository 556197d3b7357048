"""Query towers of one worker alone, with the weights that all workers have trained."""

import tensorflow as tf

from actcl_tf import config
from actcl_tf.models import two_tower
from actcl_tf.train.model import pretrain_model
from actcl_tf.train.runs import checkpointing


class LocalTowers:
    """Copies of a model's query towers for the chief, which may then use them by itself.

    Each replica has moving statistics of its own: outside of a step, the towers of the model itself
    exchange these with every use, and would wait for workers that do something else.
    """

    def __init__(
        self,
        run: config.PretrainConfig,
        facts: checkpointing.DataFacts,
        model: pretrain_model.PretrainModel,
        is_chief: bool,
    ):
        """Builds the copies; call it outside of the strategy's scope.

        Args:
          run: the configuration.
          facts: of the data.
          model: whose towers are copied.
          is_chief: whether this worker gets copies; the others only take part in reading.
        """
        self._model = model
        self._copies = None
        if is_chief:
            towers = two_tower.build_towers(
                run.model,
                run.data,
                sample_rate=facts.sample_rate,
                num_audio_samples=facts.num_audio_samples,
            )
            self._copies = dict(zip(pretrain_model.MODALITIES, towers))

    def __call__(self) -> dict[str, tf.keras.Model]:
        """The copies with the present weights on the chief; call it on all workers."""
        weights = {m: tower.get_weights() for m, tower in self._model.query_towers.items()}
        if self._copies is None:
            return self._model.query_towers
        for modality, tower in self._copies.items():
            tower.set_weights(weights[modality])
        return self._copies
