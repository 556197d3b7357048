"""What a run trains on: its batches from any step on, its pools, and what is wrong with a clip."""

import dataclasses
import functools
import pathlib
from typing import Any

import tensorflow as tf

from actcl_tf import config
from actcl_tf.data.input import (
    bad_clip_search,
    data_service,
    pipeline,
    skip_ledger,
    training_clips,
)
from actcl_tf.train import failures
from actcl_tf.train.runs import errors, run_folder

# Batches that the input may be ahead of the step which its error comes up in.
_BATCHES_AHEAD = 8


class TrainingBatches:
    """The endless batches of a run, from any step on, and the clips of its pools.

    How a clip is made is traced only once.
    """

    def __init__(self, configuration: config.PretrainConfig):
        """Finds what is wrong with the data.

        Args:
          configuration: of the run.

        Raises:
          records.DataError: the split is missing, damaged or does not fit the configuration.
          config.ConfigError: nobody makes clips at the address of --data_service.
        """
        self._configuration, data = configuration, configuration.data
        self._make_clip = training_clips.open_training_clips(
            data,
            seed=configuration.train.seed,
            views=configuration.contrast.num_views,
        )
        _ = self._make_clip.traced  # Here: outside what a strategy puts around its own calls.
        pipeline.open_split(data, data.train_split, build_skipping(configuration))
        if data.data_service:
            data_service.check_reachable(data.data_service)

    @functools.cached_property
    def _make_clip_of_pool(self) -> training_clips.TrainingClips:
        """What makes the clips of pools, of which there is one view."""
        if self._configuration.contrast.num_views == 1:
            return self._make_clip
        return dataclasses.replace(self._make_clip, views=1)

    def first(self) -> dict[str, tf.Tensor]:
        """The first batch, to look at: not of a service, whose clips are counted."""
        own = dataclasses.replace(self._configuration.data, data_service="")
        skipping = build_skipping(self._configuration)
        context = tf.distribute.InputContext()
        return next(iter(self._build(own, 0, context, skipping, num_steps=1)))

    def from_step(
        self,
        start_step: int,
        skipping: skip_ledger.SkipLedger | None = None,
    ) -> tf.data.Dataset:
        """The batches from a step on.

        Each comes with the seconds spent waiting for it, `data_wait` [B] float32, except in
        deterministic runs, in which TensorFlow allows no clock.

        Args:
          start_step: batches that came before.
          skipping: leaves bad records out; None: a bad record is an error.
        """
        context = tf.distribute.InputContext()
        return self._build(self._configuration.data, start_step, context, skipping)

    def of_pool(self, strategy: tf.distribute.Strategy, num_workers: int, epoch: int) -> Any:
        """The random clips that fill the pools of an epoch (--pool=epoch), distributed.

        Args:
          strategy: what the model was built under.
          num_workers: that each read a part of every batch.
          epoch: number of the filling.
        """
        make = functools.partial(
            pipeline.build_random_dataset,
            self._configuration.data,
            num_clips=self._configuration.contrast.pool_size,
            seed=self._configuration.train.seed,
            epoch=epoch,
            skipping=build_skipping(self._configuration),
            make_clip=self._make_clip_of_pool,
        )
        batch_size = self._configuration.train.batch_size
        if num_workers == 1:
            return strategy.experimental_distribute_dataset(make(batch_size=batch_size))

        def own_part(context: tf.distribute.InputContext) -> tf.data.Dataset:
            dataset = make(
                batch_size=batch_size // context.num_input_pipelines,
                num_input_pipelines=context.num_input_pipelines,
                input_pipeline_id=context.input_pipeline_id,
            )
            return dataset.rebatch(batch_size // context.num_replicas_in_sync)

        return strategy.distribute_datasets_from_function(own_part)

    def _build(
        self,
        data: config.DataConfig,
        start_step: int,
        context: tf.distribute.InputContext,
        skipping: skip_ledger.SkipLedger | None,
        num_steps: int | None = None,
    ) -> tf.data.Dataset:
        train = self._configuration.train
        dataset = pipeline.build_train_dataset(
            data,
            batch_size=train.batch_size // context.num_input_pipelines,
            seed=train.seed,
            start_step=start_step,
            num_steps=num_steps,
            num_input_pipelines=context.num_input_pipelines,
            input_pipeline_id=context.input_pipeline_id,
            skipping=skipping,
            make_clip=self._make_clip,
        )
        if context.num_replicas_in_sync > context.num_input_pipelines:
            each = train.batch_size // context.num_replicas_in_sync
            dataset = dataset.rebatch(each, drop_remainder=True)
        if context.num_input_pipelines > 1:  # Or every step would ask all workers for an end.
            dataset = dataset.apply(
                tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
            )
        return dataset if train.deterministic else _timed(dataset)


def _timed(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The batches of a data set with `data_wait`, the seconds spent waiting for each."""
    # A clock is read when a batch is asked for, and again when it is there.
    asked = tf.data.Dataset.counter().map(lambda _: tf.timestamp())

    def add_wait(asked_at: tf.Tensor, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        with tf.control_dependencies(list(batch.values())):
            wait = tf.cast(tf.timestamp() - asked_at, tf.float32)
        # One number a clip, so that the batch splits over replicas.
        return {**batch, "data_wait": tf.fill(tf.shape(batch["clip_id"]), wait)}

    return tf.data.Dataset.zip((asked, dataset)).map(add_wait)


def steps_per_epoch(facts: run_folder.DataFacts, train: config.TrainConfig) -> int:
    """Steps of an epoch, a whole number of executions.

    Args:
      facts: of the data.
      train: the training section.
    """
    executions = facts.num_clips // train.batch_size // train.steps_per_execution
    return max(executions, 1) * train.steps_per_execution


def build_skipping(
    configuration: config.PretrainConfig, folder: str | None = None
) -> skip_ledger.SkipLedger | None:
    """What leaves bad records out; None where they end a run.

    Args:
      configuration: of the run.
      folder: of the run, where the account of what is left out is kept; None to keep and say none.

    Raises:
      errors.CheckpointError: the run has left clips out and now must not.
    """
    ledger = None if folder is None else pathlib.Path(folder) / skip_ledger.FILE_NAME
    if configuration.data.on_bad_record == "skip":
        return skip_ledger.SkipLedger(ledger, tell=ledger is not None)
    if ledger is not None and ledger.exists():
        raise errors.CheckpointError(
            f"--on_bad_record=fail: the run has left out the clips in {ledger}; go on with "
            "--on_bad_record=skip, or name a new --run_dir"
        )
    return None


def explain(
    configuration: config.PretrainConfig, error: tf.errors.OpError, step: int
) -> Exception | None:
    """The error to raise instead of TensorFlow's; it looks for a bad record where that may be why.

    Args:
      configuration: of the run.
      error: what stopped it.
      step: steps done before.

    Returns:
      An error that says what is wrong; None where TensorFlow says all that is known.
    """
    data, train = configuration.data, configuration.train

    def find_in_training() -> str:
        ahead = bad_clip_search.find_bad_clip(
            data,
            seed=train.seed,
            start_clip=step * train.batch_size,
            num_clips=_BATCHES_AHEAD * train.batch_size,
            views=configuration.contrast.num_views,
        )
        # Evaluations read whole splits.
        found = ahead or bad_clip_search.find_bad_clip_of_split(data, data.train_split)
        hint = "Prepare the data again, or leave such clips out with --on_bad_record=skip"
        return found and f"{found}. {hint}"

    def find_bad_clip() -> str:
        found = "" if data.on_bad_record == "skip" else find_in_training()
        if found:
            return found
        found = data.eval_split and bad_clip_search.find_bad_clip_of_split(data, data.eval_split)
        return found and f"{found}. Prepare the data again; held-out clips are not left out"

    return failures.explain(error, data, data.train_split, step, find_bad_clip)
