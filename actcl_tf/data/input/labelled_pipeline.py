"""Shards -> batches with targets, for training with labels on chosen clips of a split."""

import dataclasses
from collections.abc import Collection

import numpy as np
import tensorflow as tf

from actcl_tf.config import DataConfig
from actcl_tf.data.input import clip_choice, clip_sources, clip_spec, pipeline, training_clips
from actcl_tf.data.records import clip_order, shards

# Of random draws, far from those of `pipeline`, whose pools use 1 and all that follow.
_STREAM = 2**40

Clip = dict[str, tf.Tensor]


def build_labelled_dataset(
    config: DataConfig,
    *,
    split: str,
    clip_ids: np.ndarray,
    targets: np.ndarray,
    batch_size: int,
    seed: int,
    start_step: int = 0,
    modalities: Collection[str] = clip_spec.MODALITIES,
    num_samples: int | None = None,
    loop_short: bool | None = None,
) -> tf.data.Dataset:
    """Endless batches of augmented clips with targets; batch t is a function of (seed, t) alone.

    Args:
      config: data section of the configuration; clips are augmented here, whatever --augment_on is.
      split: subfolder of `config.data_dir`.
      clip_ids: [n] int64, the clips of the split that are trained on, each once an epoch.
      targets: [n] int64 class indices, or [n, C] float32 multi-hot.
      batch_size: clips a batch (B), at most n.
      seed: seed of the run.
      start_step: batches to skip.
      modalities: what is used of the clips, of `clip_spec.MODALITIES`.
      num_samples: samples of audio where audio is used alone; None for what the frames would cover.
      loop_short: whether clips shorter than the span are repeated; see `clip_spec.build_clip_spec`.

    Returns:
      Dataset of dict: `video` [B, T, H, W, 3] uint8 and `audio` [B, S] float32, as far as they are
      used; `target` [B] int64 or [B, C] float32; `clip_id` [B] int64; `seed` [B, 2] int32.

    Raises:
      records.DataError: the split is missing or damaged, or does not hold such clips.
    """
    num = len(clip_ids)
    if not 0 < batch_size <= num:
        raise ValueError(f"batch_size must be from 1 to {num}, the number of clips: {batch_size}")
    manifest, paths = shards.open_split(config.data_dir, split)
    config = dataclasses.replace(config, augment_on="host")
    spec = clip_spec.build_clip_spec(
        config, manifest, modalities=modalities, num_samples=num_samples, loop_short=loop_short
    )
    looped = clip_sources.LoopedClips(manifest, spec) if loop_short else None
    make_clip = training_clips.TrainingClips(
        config=config,
        source=looped or clip_sources.StoredClips(manifest),
        spec=spec,
        seed=seed,
    )
    order = clip_order.build_order(
        manifest, paths, seed=seed, stream=_STREAM, shuffle_buffer=config.shuffle_buffer
    )
    chosen = clip_choice.ClipChoice(clip_ids, make_clip.source)
    values = tf.constant(targets)

    def make(epoch: tf.Tensor, record: tf.Tensor, row: tf.Tensor) -> Clip:
        clip = make_clip(epoch, record, _STREAM)
        del clip["label"]
        return {**clip, "target": tf.gather(values, row)}

    rows = _chosen_records(order, chosen, num, start_step * batch_size)
    dataset = rows.map(make, tf.data.AUTOTUNE, deterministic=True)
    return pipeline.finish(dataset.batch(batch_size, drop_remainder=True))


def _chosen_records(
    order: clip_order.ClipOrder, chosen: clip_choice.ClipChoice, num: int, start: int
) -> tf.data.Dataset:
    """(epoch, record, row among the chosen) without end, from the `start`-th chosen clip on.

    Args:
      order: of all clips of the split.
      chosen: the clips that are wanted.
      num: how many those are, which is how many an epoch has.
      start: how many are skipped.
    """
    first_epoch, used = divmod(start, num)
    rows = order.records(first_epoch * order.num_clips).map(
        lambda epoch, record: (epoch, record, chosen.row_of(record)),
        tf.data.AUTOTUNE,
        deterministic=True,
    )
    return rows.filter(lambda epoch, record, row: row >= 0).skip(used)
