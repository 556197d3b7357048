"""The dictionaries and pools of a run as one of its checkpoints holds them."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from actcl_tf import config
from actcl_tf.contrast import gradient_embeddings
from actcl_tf.train.model import encoding
from actcl_tf.train.placement import strategy
from actcl_tf.train.runs import checkpoints, loading


class InspectionError(config.UserError, ValueError):
    """A run in which there is nothing to look at; the message says why."""


class KeyTable(NamedTuple):
    """The slots of a dictionary or pool.

    Attributes:
      ids: [N] int64, clip ids; -1 for empty slots.
      keys: [N, D] float32, unit vectors.
      features: [N, d] float32, what the last layer made the keys of; None for dictionaries.
    """

    ids: np.ndarray
    keys: np.ndarray
    features: np.ndarray | None = None

    def held(self) -> "KeyTable":
        """The same table without its empty slots."""
        filled = self.ids >= 0
        features = None if self.features is None else self.features[filled]
        return KeyTable(self.ids[filled], self.keys[filled], features)


class DictionaryState(NamedTuple):
    """One modality's dictionary.

    Attributes:
      serves: modality of the queries that the keys are negatives of.
      dictionary: K slots.
      pool: N slots that the dictionary is filled from, or None (moco).
      last_layer: the layer that the sampler sees the pool through; None without a pool.
    """

    serves: str
    dictionary: KeyTable
    pool: KeyTable | None
    last_layer: gradient_embeddings.LastLayer | None


class RunState(NamedTuple):
    """What a checkpoint holds.

    Attributes:
      run: query towers, configuration, step and facts of the data.
      checkpoint: path of the checkpoint.
      dictionaries: modality of the keys -> state.
    """

    run: loading.LoadedRun
    checkpoint: str
    dictionaries: dict[str, DictionaryState]

    @property
    def has_pools(self) -> bool:
        """Whether the keys are picked by a sampler."""
        return self.run.config.contrast.uses_pool


def load(run_dir: str, which: str = "latest") -> RunState:
    """Loads dictionaries, pools and towers of a run.

    Sets the global Keras policy to what suits this machine, which may not be the one of the run.

    Args:
      run_dir: folder of the run.
      which: "latest", "best" or the path of a checkpoint.

    Raises:
      errors.CheckpointError: no run, no such checkpoint, or one that does not fit.
      InspectionError: the run keeps no dictionary.
    """
    # Towers take the policy that stands when they are built.
    tf.keras.mixed_precision.set_global_policy(strategy.resolve_precision("auto"))
    run = loading.load_towers(run_dir, which)
    contrast = run.config.contrast
    if not contrast.uses_dictionary:
        raise InspectionError(
            f"{run_dir}: a run with --negatives={contrast.negatives} keeps no dictionary, so there "
            "is nothing to inspect"
        )
    path = checkpoints.find(run_dir, which)
    served = {key: q for q, key in reversed(encoding.DIRECTIONS[contrast.contrast])}
    layers = _last_layers(run, path) if contrast.uses_pool else {}
    dictionaries = {}
    with checkpoints.naming_damage(path):
        reader = tf.train.load_checkpoint(path)
        for modality in encoding.MODALITIES:
            dictionaries[modality] = DictionaryState(
                serves=served[modality],
                dictionary=_read_table(reader, f"{modality}/queue", ("keys",)),
                pool=_read_table(reader, f"{modality}/pool", ("keys", "features"))
                if contrast.uses_pool
                else None,
                last_layer=layers.get(modality),
            )
    return RunState(run, path, dictionaries)


def _read_table(reader: Any, name: str, columns: tuple) -> KeyTable:
    prefix, suffix = f"model/dictionaries/{name}", ".ATTRIBUTES/VARIABLE_VALUE"
    if reader.has_tensor(f"{prefix}/ids/{suffix}"):
        tensors = [f"{prefix}/ids", *(f"{prefix}/columns/{column}" for column in columns)]
        return KeyTable(*(reader.get_tensor(f"{tensor}/{suffix}") for tensor in tensors))
    # A pool in parts, of which each replica had another.
    modality, replica, parts = name.partition("/")[0], 0, []
    while reader.has_tensor(f"pools/{modality}_{replica}/ids/{suffix}"):
        tensors = [f"pools/{modality}_{replica}/{column}/{suffix}" for column in ("ids", *columns)]
        parts.append([reader.get_tensor(tensor) for tensor in tensors])
        replica += 1
    return KeyTable(*map(np.concatenate, zip(*parts, strict=True)))


def _last_layers(run: loading.LoadedRun, path: str) -> dict[str, gradient_embeddings.LastLayer]:
    """Modality -> the layer that the run's sampler sees candidates through."""
    towers = {"video": run.video_tower, "audio": run.audio_tower}
    if run.config.contrast.gradient_encoder == "key":
        towers = loading.build_towers(run.config, run.data_facts)
        # Nested as in a PretrainModel, so that the names in the checkpoint are the same.
        model = tf.train.Checkpoint(key_towers=tf.train.Checkpoint(**towers))
        with checkpoints.naming_damage(path):
            restored = tf.train.Checkpoint(model=model).restore(path)
            restored.assert_existing_objects_matched().expect_partial()
    return {
        modality: gradient_embeddings.LastLayer(*map(tf.identity, tower.head.last_layer_affine()))
        for modality, tower in towers.items()
    }
