"""Builds the model of a run, compiled and with all its variables, from its configuration."""

import tensorflow as tf

from actcl_tf import config
from actcl_tf.data.input.transforms import batch_augmentation
from actcl_tf.models import layers, torchvision_weights
from actcl_tf.train.model import gradient_update, optimizers, pretrain_model
from actcl_tf.train.runs import loading, run_folder


def build_model(
    run: config.PretrainConfig,
    facts: run_folder.DataFacts,
    precision: str,
    imported: torchvision_weights.Converted | None = None,
) -> pretrain_model.PretrainModel:
    """Builds and compiles the model; call it inside the strategy's scope.

    Args:
      run: the configuration.
      facts: of the data.
      precision: Keras mixed-precision policy.
      imported: what the video encoders, query and key, start from; None: random weights.

    Returns:
      A compiled PretrainModel with all its variables made.
    """
    tf.keras.mixed_precision.set_global_policy(precision)
    # Distances between neighbouring gradients drown in the ten bits that GPUs may use for float32.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    query_towers, key_towers = (loading.build_towers(run, facts) for _ in ("query", "key"))
    if imported is not None:  # Before the key towers take over the queries' weights.
        query_towers["video"].backbone.set_weights(imported.weights)
    if run.train.sync_batch_norm:
        for tower in (*query_towers.values(), *key_towers.values()):
            layers.synchronise_batch_norm(tower)
    model = pretrain_model.PretrainModel(
        query_towers,
        key_towers,
        run.contrast,
        run.train,
        augment=batch_augmentation.build_augmentation(run.data),
    )
    optimizer = optimizers.build_optimizer(run.train, precision)
    gradient_update.make_slots(optimizer, model.query_variables)
    model.compile(optimizer=optimizer, steps_per_execution=run.train.steps_per_execution)
    return model
