"""Shards -> batches, in the phases PARSE, SAMPLE, DECODE, AUGMENT, BATCH.

The phases of a training clip are in `training_clips`, those of a measured one in
`evaluation_clips`; here they become streams of batches. Every draw is a function of (seed, epoch,
clip id), and the order of the clips one of (seed, epoch): neither the number of parallel calls nor
the number of hosts nor a restart changes a batch. Only through a tf.data service the order is
nobody's, and what a restart skips with it.
"""

from collections.abc import Collection

import numpy as np
import tensorflow as tf

from actcl_tf.config import DataConfig
from actcl_tf.data.input import (
    clip_sources,
    clip_spec,
    data_service,
    evaluation_clips,
    every_clip,
    skip_ledger,
    slots,
    training_clips,
)
from actcl_tf.data.records import clip_order, records, shards

_POOL_STREAM = 1  # And all that follow: one a filling. Training has `training_clips.TRAIN_STREAM`.
_PREFETCHED_BATCHES = 2


def build_train_dataset(
    config: DataConfig,
    *,
    batch_size: int,
    seed: int,
    start_step: int = 0,
    num_steps: int | None = None,
    num_input_pipelines: int = 1,
    input_pipeline_id: int = 0,
    skipping: skip_ledger.SkipLedger | None = None,
    make_clip: training_clips.TrainingClips | None = None,
) -> tf.data.Dataset:
    """Batches of augmented training clips; batch t is a function of (seed, t) alone.

    Batches are cut from the endless stream of epochs, so a batch may cross an epoch's end. With
    several input pipelines, pipeline i takes the i-th part of each of those batches: one after the
    other they are the very batches of a single pipeline. Each reads all raw records and parses its
    own.

    Args:
      config: data section of the configuration.
      batch_size: clips a batch (B) of this pipeline.
      seed: seed of the run.
      start_step: batches to skip; skipped clips are not parsed.
      num_steps: batches to end after, which no more is made than; None for no end.
      num_input_pipelines: hosts that share the stream.
      input_pipeline_id: which of them this is, from 0.
      skipping: leaves bad records out, with one input pipeline; None: a bad record is an error.
      make_clip: of `training_clips.open_training_clips` with the same `seed`, of one view or two;
        None: made here, of one.

    Returns:
      Dataset of dict: `video` [B, T, H, W, 3] uint8; `audio` [B, S] float32, the same span;
      `clip_id` [B] int64; `label` [B] int64, -1 for none; `seed` [B, 2] int32, stateless seeds for
      further draws; with two views also `key_video` and `key_audio`. With --augment_on=device the
      clips are only cropped, and `batch_augmentation` has the rest to do.

    Raises:
      records.DataError: the split is missing or damaged, or holds a clip shorter than the span.
    """
    global_batch = batch_size * num_input_pipelines
    manifest, paths = open_split(config, config.train_split, skipping)
    if make_clip is None:
        make_clip = training_clips.build_training_clips(config, manifest, seed=seed)
    split = make_clip.slots(manifest, paths)
    source, used = make_clip.source, start_step * global_batch
    if config.data_service:
        clips = _served_clips(config, split, used)
        return finish(
            clips.batch(batch_size, drop_remainder=True).take(
                -1 if num_steps is None else num_steps
            )
        )
    reader = _build_reader(
        skipping, every_clip.part_of_batches(batch_size, num_input_pipelines, input_pipeline_id)
    )
    limit = -1 if num_steps is None else num_steps * global_batch
    start = reader.start_of(used)
    clips = reader.clips(split, source.num_parallel_calls, start=start, limit=limit)
    return finish(clips.batch(batch_size, drop_remainder=True), source.num_threads)


def build_random_dataset(
    config: DataConfig,
    *,
    num_clips: int,
    batch_size: int,
    seed: int,
    epoch: int,
    num_input_pipelines: int = 1,
    input_pipeline_id: int = 0,
    skipping: skip_ledger.SkipLedger | None = None,
    make_clip: training_clips.TrainingClips | None = None,
) -> tf.data.Dataset:
    """Batches of random training clips with training augmentation, to fill a pool afresh.

    No clip comes twice unless `num_clips` is larger than the split. The choice is a function of
    (seed, epoch) and has nothing to do with the order of `build_train_dataset`.

    Args:
      config: data section of the configuration.
      num_clips: clips in all, of all pipelines.
      batch_size: clips a batch (B) of this pipeline; the last batch may be shorter.
      seed: seed of the run.
      epoch: number of the filling.
      num_input_pipelines: hosts that share the batches, as in `build_train_dataset`.
      input_pipeline_id: which of them this is, from 0.
      skipping: as in `build_train_dataset`.
      make_clip: as in `build_train_dataset`, of one view.

    Returns:
      Finite dataset of the same batches as `build_train_dataset` gives for one view.

    Raises:
      records.DataError: the split is missing or damaged, or holds a clip shorter than the span.
    """
    manifest, paths = open_split(config, config.train_split, skipping)
    if make_clip is None:
        make_clip = training_clips.build_training_clips(config, manifest, seed=seed)
    split = make_clip.slots(manifest, paths, _POOL_STREAM + epoch)
    reader = _build_reader(
        skipping, every_clip.part_of_batches(batch_size, num_input_pipelines, input_pipeline_id)
    )
    clips = reader.clips(split, make_clip.source.num_parallel_calls, limit=num_clips)
    return finish(clips.batch(batch_size), make_clip.source.num_threads)


def build_eval_dataset(
    config: DataConfig,
    *,
    split: str,
    batch_size: int,
    num_windows: int,
    crops: int = 1,
    modalities: Collection[str] = clip_spec.MODALITIES,
    num_samples: int | None = None,
    clip_ids: np.ndarray | None = None,
    loop_short: bool | None = None,
    skipping: skip_ledger.SkipLedger | None = None,
) -> tf.data.Dataset:
    """A whole split in stored order, without augmentation.

    Args:
      config: data section of the configuration.
      split: subfolder of `config.data_dir`.
      batch_size: clips a batch (B); the last batch may be shorter.
      num_windows: evenly spread spans of each clip (W), at least 1; a single one is in the middle.
      crops: of each span's video, see `evaluation_clips.EvaluationClips`.
      modalities: what is used of the clips, of `clip_spec.MODALITIES`.
      num_samples: samples of audio where audio is used alone; None for what the frames would cover.
      clip_ids: [n] int64, only these clips of the split; None for all.
      loop_short: whether clips shorter than the span are repeated; see `clip_spec.build_clip_spec`.
      skipping: leaves bad records out, where all clips are asked for; None: they are an error.

    Returns:
      Finite dataset of dict: `video` [B, W * crops, T, H, W, 3] uint8, squares, resized; `audio`
      [B, W, S] float32, the same spans, or spread over the whole audio where it is used alone;
      `clip_id` [B] int64; `label` [B] int64, -1 for none; `filename` [B] string.

    Raises:
      records.DataError: the split is missing or damaged, or holds a clip shorter than the span.
    """
    manifest, paths = open_split(config, split, skipping)
    spec = clip_spec.build_clip_spec(
        config, manifest, modalities=modalities, num_samples=num_samples, loop_short=loop_short
    )
    source = clip_sources.build_source(config, manifest)
    if loop_short:
        source = clip_sources.LoopedClips(manifest, spec)
    make_clip = evaluation_clips.EvaluationClips(
        config=config,
        source=source,
        spec=spec,
        num_windows=num_windows,
        crops=crops,
    )
    split_slots = slots.Slots(clip_order.build_order(manifest, paths), make_clip, manifest.is_index)
    reader = _build_reader(skipping, every_clip.chosen(manifest.num_clips, clip_ids, source))
    clips = reader.clips(split_slots, source.num_parallel_calls, num_epochs=1)
    return finish(clips.batch(batch_size), source.num_threads)


def open_split(
    config: DataConfig, split: str, skipping: skip_ledger.SkipLedger | None = None
) -> tuple[records.Manifest, list[str]]:
    """A split's manifest and shards, which may be damaged where bad records are left out.

    Raises:
      records.DataError: the split is missing or damaged.
    """
    return shards.open_split(
        config.data_dir, split, allow_index=True, check_shards=skipping is None
    )


def _build_reader(
    skipping: skip_ledger.SkipLedger | None, choose: every_clip.Choose | None
) -> skip_ledger.SkipLedger | every_clip.EveryClip:
    """What makes the clips of a split: of all records of `choose`, or of all good records."""
    return every_clip.EveryClip(choose) if skipping is None else skipping


def _served_clips(config: DataConfig, split: slots.Slots, start: int) -> tf.data.Dataset:
    """The clips of epoch after epoch, made by the workers of a tf.data service."""
    first_epoch, used = divmod(start, split.order.num_clips)

    def one_epoch(epoch: int) -> tf.data.Dataset:
        raw = split.order.epoch_records(tf.constant(epoch, tf.int64))
        return raw.map(split.make_clip, tf.data.AUTOTUNE).with_options(_options())

    return data_service.endless_epochs(
        one_epoch,
        service=config.data_service,
        job=config.data_service_job,
        first_epoch=first_epoch,
        skip=used,
    )


def finish(dataset: tf.data.Dataset, num_threads: int = 0) -> tf.data.Dataset:
    """BATCH: what all datasets end with.

    Args:
      dataset: of batches.
      num_threads: threads that making a clip takes, where those are not TensorFlow's own; else 0.
    """
    return dataset.prefetch(_PREFETCHED_BATCHES).with_options(_options(num_threads))


def _options(num_threads: int = 0) -> tf.data.Options:
    """Options of all datasets; with a number of threads, these are the dataset's own."""
    options = tf.data.Options()
    # The pipeline shards by itself, and a clip is too small a piece of work to be cut further.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    options.threading.max_intra_op_parallelism = 1
    if num_threads:
        options.threading.private_threadpool_size = num_threads
    return options
