"""Shards -> batches, in the phases PARSE, SAMPLE, DECODE, AUGMENT, BATCH.

The phases of a training clip are in `training_clips`, those of a measured one in
`evaluation_clips`; here they become streams of batches. Every draw is a function of (seed, epoch,
clip id), and the order of the clips one of (seed, epoch): neither the number of parallel calls nor
the number of hosts nor a restart changes a batch. Only through a tf.data service the order is
nobody's, and what a restart skips with it.
"""

from collections.abc import Collection
from typing import Optional

import numpy as np
import tensorflow as tf

from actcl_tf.config import DataConfig
from actcl_tf.data import (
    bad_records,
    clip_choice,
    clip_sources,
    data_service,
    evaluation_clips,
    records,
    shards,
    spans,
    training_clips,
)

# Streams of random draws that have nothing to do with each other (see `shards.endless_records`).
_TRAIN_STREAM, _POOL_STREAM = 0, 1
_PREFETCHED_BATCHES = 2

Clip = dict[str, tf.Tensor]


def build_train_dataset(
    config: DataConfig,
    *,
    batch_size: int,
    seed: int,
    start_step: int = 0,
    views: int = 1,
    num_input_pipelines: int = 1,
    input_pipeline_id: int = 0,
    num_parallel_calls: Optional[int] = None,
    skipping: Optional[bad_records.Skipping] = None,
    make_clip: Optional[training_clips.TrainingClips] = None,
) -> tf.data.Dataset:
    """Endless batches of augmented training clips; batch t is a function of (seed, t) alone.

    Batches are cut from the endless stream of epochs, so a batch may cross an epoch's end. With
    several input pipelines, pipeline i takes the i-th part of each of those batches: one after the
    other they are the very batches of a single pipeline. Each reads all raw records and parses its
    own.

    Args:
      config: data section of the configuration.
      batch_size: clips a batch (B) of this pipeline.
      seed: seed of the run.
      start_step: batches to skip; skipped clips are not parsed.
      views: 1, or 2 for a second augmentation of the same spans.
      num_input_pipelines: hosts that share the stream.
      input_pipeline_id: which of them this is, from 0.
      num_parallel_calls: clips worked on at a time, None for what suits; changes the speed only.
      skipping: leaves bad records out, with one input pipeline; None: a bad record is an error.
      make_clip: of `open_training_clips` with the same `seed` and `views`, which spares tracing it
        again; None: made here.

    Returns:
      Dataset of dict: `video` [B, T, H, W, 3] uint8; `audio` [B, S] float32, the same span;
      `clip_id` [B] int64; `label` [B] int64, -1 for none; `seed` [B, 2] int32, stateless seeds for
      further draws; with two views also `key_video` and `key_audio`. With --augment_on=device the
      clips are only cropped, and `batch_augmentation` has the rest to do.

    Raises:
      records.DataError: the split is missing or damaged, holds fewer clips than a batch, or holds
        a clip shorter than the span.
    """
    manifest, paths = _open_train_split(config, skipping)
    global_batch = batch_size * num_input_pipelines
    if global_batch > manifest.num_clips:
        raise records.DataError(
            f"--batch_size={global_batch}: must be at most {manifest.num_clips}, the number of "
            f"clips in {config.data_dir}/{config.train_split}"
        )
    if make_clip is None:
        make_clip = build_training_clips(config, manifest, seed=seed, views=views)
    source = make_clip.source
    if config.data_service:
        return finish(
            _served_clips(
                config, manifest, paths, make_clip, seed, start_step * global_batch
            ).batch(batch_size, drop_remainder=True)
        )
    calls = num_parallel_calls or source.num_parallel_calls
    if skipping is not None:
        stream = _stream(config, manifest, paths, make_clip.traced, seed, _TRAIN_STREAM)
        start = skipping.start_of(start_step * global_batch)
        dataset = skipping.clips(stream, calls, start=start)
        return finish(dataset.batch(batch_size, drop_remainder=True), source.num_threads)
    dataset = shards.endless_records(
        paths,
        manifest.num_clips,
        seed=seed,
        stream=_TRAIN_STREAM,
        start=start_step * global_batch,
        shuffle_buffer=config.shuffle_buffer,
    )
    dataset = _part_of_batches(dataset, batch_size, num_input_pipelines, input_pipeline_id)
    dataset = dataset.map(make_clip.traced, calls, deterministic=True)
    return finish(dataset.batch(batch_size, drop_remainder=True), source.num_threads)


def open_training_clips(
    config: DataConfig, *, seed: int, views: int
) -> training_clips.TrainingClips:
    """What makes the training clips of a run, for `build_train_dataset`.

    Raises:
      records.DataError: as `build_train_dataset`, but for the size of a batch.
    """
    manifest, _ = shards.open_split(
        config.data_dir, config.train_split, allow_index=True, check_shards=False
    )
    return build_training_clips(config, manifest, seed=seed, views=views)


def find_bad_clip(
    config: DataConfig, *, seed: int, start_clip: int, num_clips: int, views: int = 1
) -> str:
    """Names the first bad record among clips of `build_train_dataset`.

    Args:
      config: data section of the configuration.
      seed: seed of the run.
      start_clip: clips that came before those to look at.
      num_clips: how many to look at.
      views: as in `build_train_dataset`.

    Returns:
      A line that names the file, the record and what is wrong; "" if all are good.
    """
    manifest, paths = shards.open_split(
        config.data_dir, config.train_split, allow_index=True, check_shards=False
    )
    make_clip = build_training_clips(config, manifest, seed=seed, views=views)
    stream = _stream(config, manifest, paths, make_clip, seed, _TRAIN_STREAM)
    return bad_records.find(stream, start_clip, num_clips)


def find_bad_clip_of_split(config: DataConfig, split: str) -> str:
    """Names the first bad record of a split, as `build_eval_dataset` reads it.

    Args:
      config: data section of the configuration.
      split: subfolder of `config.data_dir`.

    Returns:
      A line that names the file, the record and what is wrong; "" if all are good.
    """
    manifest, paths = shards.open_split(
        config.data_dir, split, allow_index=True, check_shards=False
    )
    make_clip = evaluation_clips.EvaluationClips(
        config=config,
        source=clip_sources.build_source(config, manifest),
        span=spans.build_span(config, manifest),
        num_windows=1,
    )
    stream = _stream(config, manifest, paths, _in_any_epoch(make_clip))
    return bad_records.find(stream, 0, manifest.num_clips)


def _in_any_epoch(make_clip: evaluation_clips.EvaluationClips) -> bad_records.MakeClip:
    def make(epoch: tf.Tensor, record: tf.Tensor) -> Clip:
        del epoch
        return make_clip(record)

    return make


def _open_train_split(
    config: DataConfig, skipping: Optional[bad_records.Skipping]
) -> tuple[records.Manifest, list[str]]:
    """The split's manifest and shards, which may be damaged where bad records are left out."""
    return shards.open_split(
        config.data_dir, config.train_split, allow_index=True, check_shards=skipping is None
    )


def _stream(
    config: DataConfig,
    manifest: records.Manifest,
    paths: list[str],
    make_clip: bad_records.MakeClip,
    seed: int = 0,
    stream: Optional[int] = None,
) -> bad_records.Stream:
    """The records of a split and what becomes of each; in stored order without a stream."""
    return bad_records.Stream(
        paths=paths,
        clips=[shard["clips"] for shard in manifest.shards if shard["clips"]],
        seed=seed,
        stream=stream,
        shuffle_buffer=config.shuffle_buffer,
        make_clip=make_clip,
        is_index=manifest.is_index,
    )


def _part_of_batches(
    dataset: tf.data.Dataset, batch_size: int, num_input_pipelines: int, input_pipeline_id: int
) -> tf.data.Dataset:
    """Of a stream of records, those of one part of each global batch."""
    if num_input_pipelines == 1:
        return dataset

    def is_own(index: tf.Tensor, *_: tf.Tensor) -> tf.Tensor:
        return index % (batch_size * num_input_pipelines) // batch_size == input_pipeline_id

    return dataset.enumerate().filter(is_own).map(lambda _, record: record)


def build_training_clips(
    config: DataConfig,
    manifest: records.Manifest,
    *,
    seed: int,
    stream: int = _TRAIN_STREAM,
    views: int = 1,
) -> training_clips.TrainingClips:
    """What makes training clips of the records of a split.

    Raises:
      records.DataError: the split does not hold what --input says, or a clip shorter than the span.
    """
    return training_clips.TrainingClips(
        config=config,
        source=clip_sources.build_source(config, manifest),
        span=spans.build_span(config, manifest),
        seed=seed,
        stream=stream,
        views=views,
    )


def _served_clips(
    config: DataConfig,
    manifest: records.Manifest,
    paths: list[str],
    make_clip: training_clips.TrainingClips,
    seed: int,
    start: int,
) -> tf.data.Dataset:
    """The clips of epoch after epoch, made by the workers of a tf.data service."""
    first_epoch, used = divmod(start, manifest.num_clips)

    def one_epoch(epoch: int) -> tf.data.Dataset:
        raw = shards.epoch_records(
            paths,
            tf.constant(epoch, tf.int64),
            seed=shards.epoch_seed(seed, _TRAIN_STREAM, epoch),
            shuffle_buffer=min(config.shuffle_buffer, manifest.num_clips),
        )
        return raw.map(make_clip.traced, tf.data.AUTOTUNE).with_options(_options())

    return data_service.endless_epochs(
        one_epoch,
        service=config.data_service,
        job=config.data_service_job,
        first_epoch=first_epoch,
        skip=used,
    )


def build_random_dataset(
    config: DataConfig,
    *,
    num_clips: int,
    batch_size: int,
    seed: int,
    epoch: int,
    num_input_pipelines: int = 1,
    input_pipeline_id: int = 0,
    skipping: Optional[bad_records.Skipping] = None,
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

    Returns:
      Finite dataset of the same batches as `build_train_dataset` gives for one view.

    Raises:
      records.DataError: the split is missing or damaged, or holds a clip shorter than the span.
    """
    manifest, paths = _open_train_split(config, skipping)
    stream = _POOL_STREAM + epoch
    make_clip = build_training_clips(config, manifest, seed=seed, stream=stream)
    source = make_clip.source
    if skipping is not None:
        clips = _stream(config, manifest, paths, make_clip, seed, stream)
        dataset = skipping.clips(clips, source.num_parallel_calls).take(num_clips)
        return finish(dataset.batch(batch_size), source.num_threads)
    dataset = shards.endless_records(
        paths,
        manifest.num_clips,
        seed=seed,
        stream=stream,
        start=0,
        shuffle_buffer=config.shuffle_buffer,
    )
    dataset = dataset.take(num_clips)
    dataset = _part_of_batches(dataset, batch_size, num_input_pipelines, input_pipeline_id)
    dataset = dataset.map(make_clip, source.num_parallel_calls, deterministic=True)
    return finish(dataset.batch(batch_size), source.num_threads)


def build_eval_dataset(
    config: DataConfig,
    *,
    split: str,
    batch_size: int,
    num_windows: int,
    crops: int = 1,
    modalities: Collection[str] = spans.MODALITIES,
    num_samples: Optional[int] = None,
    clip_ids: Optional[np.ndarray] = None,
    loop_short: Optional[bool] = None,
    skipping: Optional[bad_records.Skipping] = None,
) -> tf.data.Dataset:
    """A whole split in stored order, without augmentation.

    Args:
      config: data section of the configuration.
      split: subfolder of `config.data_dir`.
      batch_size: clips a batch (B); the last batch may be shorter.
      num_windows: evenly spread spans of each clip (W), at least 1; a single one is in the middle.
      crops: of each span's picture, see `evaluation_clips.EvaluationClips`.
      modalities: what is used of the clips, of `spans.MODALITIES`.
      num_samples: samples of sound where sound is used alone; None for what the frames would cover.
      clip_ids: [n] int64, only these clips of the split; None for all.
      loop_short: whether clips shorter than the span are repeated; see `spans.build_span`.
      skipping: leaves bad records out, where all clips are asked for; None: they are an error.

    Returns:
      Finite dataset of dict: `video` [B, W * crops, T, H, W, 3] uint8, squares, resized; `audio`
      [B, W, S] float32, the same spans, or spread over the whole sound where it is used alone;
      `clip_id` [B] int64; `label` [B] int64, -1 for none; `filename` [B] string.

    Raises:
      records.DataError: the split is missing or damaged, or holds a clip shorter than the span.
    """
    manifest, paths = shards.open_split(
        config.data_dir, split, allow_index=True, check_shards=skipping is None
    )
    span = spans.build_span(
        config, manifest, modalities=modalities, num_samples=num_samples, loop_short=loop_short
    )
    source = clip_sources.build_source(config, manifest)
    if loop_short:
        source = clip_sources.LoopedClips(manifest, span)
    make_clip = evaluation_clips.EvaluationClips(
        config=config,
        source=source,
        span=span,
        num_windows=num_windows,
        crops=crops,
    )
    if skipping is not None:
        stream = _stream(config, manifest, paths, _in_any_epoch(make_clip))
        dataset = skipping.clips(stream, source.num_parallel_calls, epochs=1)
        return finish(dataset.batch(batch_size), source.num_threads)
    dataset, num = shards.ordered_records(paths), manifest.num_clips
    if clip_ids is not None:
        chosen, num = clip_choice.ClipChoice(clip_ids, source), len(clip_ids)
        dataset = dataset.filter(lambda record: chosen.row_of(record) >= 0)
    dataset = dataset.map(make_clip, source.num_parallel_calls, deterministic=True)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(num))
    return finish(dataset.batch(batch_size), source.num_threads)


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
