"""A training step ready to be timed: model, full pools and batches, of data or of noise."""

import dataclasses
import time

import numpy as np
import tensorflow as tf

from actcl_tf import config
from actcl_tf.benchmark import default_data
from actcl_tf.benchmark.step.step_settings import PRECISIONS
from actcl_tf.data.input.transforms import batch_augmentation
from actcl_tf.train import model_building, run_checks, training_data
from actcl_tf.train.model import pretrain_model
from actcl_tf.train.runs import run_folder

_BATCHES = 4  # Different ones, which the steps take in turns.
# Clip ids of the made-up keys in the pools, which no clip has.
_FIRST_ID = 2**48

Batch = dict[str, tf.Tensor]


def find_facts(run: config.PretrainConfig) -> run_folder.DataFacts:
    """What the model depends on: of the data of a run, or as if prepared by default for noise.

    Raises:
      config.ConfigError: the configuration contradicts the data.
      records.DataError: the data cannot be used.
    """
    if run.data.data_dir:
        return run_checks.check(run)
    return default_data.facts(run)


def make_batches(run: config.PretrainConfig, facts: run_folder.DataFacts) -> list[Batch]:
    """Batches held in memory: the first of the run's data, or noise of their shapes."""
    if run.data.data_dir:
        return list(training_data.TrainingBatches(run).from_step(0).take(_BATCHES))
    rng = np.random.default_rng(run.train.seed)
    return [_noise(run, facts, rng, index) for index in range(_BATCHES)]


def _noise(
    run: config.PretrainConfig,
    facts: run_folder.DataFacts,
    rng: np.random.Generator,
    index: int,
) -> Batch:
    size, data = run.train.batch_size, run.data
    frames = (size, data.num_frames, data.image_size, data.image_size, 3)
    ids = tf.range(index * size, (index + 1) * size, dtype=tf.int64)
    batch = {
        "clip_id": ids,
        "label": -tf.ones_like(ids),
        "seed": tf.constant(rng.integers(0, 2**31, [size, 2]), tf.int32),
    }
    for prefix in ("", "key_")[: run.contrast.num_views]:
        audio = rng.normal(0.0, 0.1, [size, facts.num_audio_samples])
        batch[f"{prefix}video"] = tf.constant(rng.integers(0, 256, frames, np.uint8))
        batch[f"{prefix}audio"] = tf.constant(audio.clip(-1.0, 1.0), tf.float32)
        if data.augment_on == "device":
            seeds = rng.integers(0, 2**31, [size, 2, 2])
            batch[prefix + batch_augmentation.SEEDS] = tf.constant(seeds, tf.int32)
    return batch


def build_model(
    run: config.PretrainConfig,
    facts: run_folder.DataFacts,
    precision: str,
    negatives: str,
) -> pretrain_model.PretrainModel:
    """The model of a run in another precision and with other negatives; its pools are full.

    Args:
      run: the configuration.
      facts: from `find_facts`.
      precision: a key of `step_settings.PRECISIONS`.
      negatives: how they are chosen.
    """
    contrast = dataclasses.replace(run.contrast, negatives=negatives)
    tf.keras.utils.set_random_seed(run.train.seed)
    changed = dataclasses.replace(run, contrast=contrast)
    model = model_building.build_model(changed, facts, PRECISIONS[precision])
    _fill(model, run.train.seed)
    return model


def _fill(model: pretrain_model.PretrainModel, seed: int) -> None:
    """Fills the pools with random keys: to encode clips for that would take thousands of steps."""
    generator = tf.random.Generator.from_seed(seed)
    for target in model.dictionaries.values():
        if (pool := target.pool) is None:
            continue
        rows = {}
        for name, column in pool.columns.items():
            if column.dtype.is_floating:
                rows[name] = generator.normal(column.shape)
            else:
                rows[name] = -tf.ones(column.shape, column.dtype)
        rows["keys"] = tf.math.l2_normalize(rows["keys"], axis=-1)
        rows["features"] = tf.nn.relu(rows["features"])
        pool.enqueue(tf.range(_FIRST_ID, _FIRST_ID + pool.size, dtype=tf.int64), rows)


def seconds_a_batch(run: config.PretrainConfig, count: int) -> float:
    """Seconds that the input of a run takes for a batch when nothing runs beside it.

    Args:
      run: the configuration; its data must be there.
      count: batches that are timed, after as many as are made ahead.
    """
    batches = iter(training_data.TrainingBatches(run).from_step(0))
    for _ in range(_BATCHES):
        next(batches)
    started = time.perf_counter()
    for _ in range(count):
        next(batches)
    return (time.perf_counter() - started) / count
