"""Measures fine-tuned encoders: each fold and each size of training set trains anew."""

import dataclasses
import re
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from actcl_tf import config
from actcl_tf.data.input import labelled_pipeline
from actcl_tf.evaluate.clips import clip_table, splits
from actcl_tf.evaluate.features import encoders, feature_sets, windows
from actcl_tf.evaluate.protocols import classified, finetune, prediction
from actcl_tf.evaluate.protocols.context import Context
from actcl_tf.evaluate.results import results
from actcl_tf.models import two_tower
from actcl_tf.train import failures
from actcl_tf.train.placement import strategy as strategies

FINETUNE = "finetune"


def rows(
    context: Context, sets: Sequence[feature_sets.FeatureSet] = ()
) -> Iterator[results.Measurement]:
    """Trains and measures; one row of the table after the other.

    Args:
      context: of the evaluation.
      sets: no frozen features are used.

    Raises:
      config.ConfigError: there are no encoders that could be trained.
    """
    del sets
    plan = context.plan
    scratch = plan.finetune.from_scratch
    if not scratch and plan.checkpoint is None:
        raise config.ConfigError(
            "--protocol=finetune: needs a --checkpoint, whose weights are trained, or "
            "--from_scratch"
        )
    strategy, _ = strategies.build_strategy(plan.strategy)
    how = {"strategy": strategy, "precision": strategies.resolve_precision(plan.precision)}
    features = "scratch" if scratch else "trained"
    for targets in context.targets:
        folds = splits.labelled(context.folds, targets)
        for subset in splits.subsets(folds, targets, context.filenames, plan.settings):
            # Late fusion takes what was trained for each stream.
            for modality in context.modalities:
                started = time.perf_counter()
                scored = []
                for fold in subset.folds:
                    made = _train(context, modality, targets, subset, fold, **how)
                    scored.append(classified.ScoredFold(fold, *made))
                yield classified.measurement(
                    scored,
                    targets,
                    context.filenames,
                    protocol=FINETUNE,
                    features=features,
                    modality=modality,
                    preprocessing="",
                    subset=subset.name,
                    seed=plan.settings.seed,
                    seconds=time.perf_counter() - started,
                )


def _train(
    context: Context,
    modality: str,
    targets: clip_table.Targets,
    subset: splits.Subset,
    fold: splits.Fold,
    **how: Any,
) -> prediction.Prediction:
    """The predictions for a fold's test clips; how: as in `finetune.fit_predict`."""
    if modality == "late_fusion":
        parts = [_train(context, each, targets, subset, fold, **how) for each in windows.MODALITIES]
        scores = np.mean([part.scores for part in parts], axis=0)
        return prediction.Prediction(scores, parts[0].chosen)
    job = _job(context, modality, targets, subset, fold)
    return finetune.fit_predict(job, **how)


def _job(
    context: Context,
    modality: str,
    targets: clip_table.Targets,
    subset: splits.Subset,
    fold: splits.Fold,
) -> finetune.Job:
    plan, inputs = context.plan, context.inputs
    table, data = inputs.table, inputs.data
    settings, streams = plan.settings, windows.modalities_of(modality)
    multi_label = targets.values.ndim == 2
    values = targets.values[fold.train]
    values = values.astype(np.float32 if multi_label else np.int64)
    train_split, test_split = (table.splits[side[0]] for side in (fold.train, fold.test))

    def make_batches(batch_size: int, start_step: int) -> tf.data.Dataset:
        return labelled_pipeline.build_labelled_dataset(
            data,
            split=train_split,
            clip_ids=table.clip_ids[fold.train],
            targets=values,
            batch_size=batch_size,
            seed=settings.seed,
            start_step=start_step,
            modalities=streams,
            num_samples=inputs.num_samples,
            loop_short=inputs.loop_short,
        )

    def make_tests() -> tf.data.Dataset:
        return inputs.dataset(test_split, streams, clip_ids=table.clip_ids[fold.test])

    parts = (targets.name, modality, subset.name, fold.name)
    name = "_".join(re.sub(r"[^A-Za-z0-9.]+", "_", part) for part in parts if part)
    return finetune.Job(
        folder=plan.output / FINETUNE / name,
        identity=_identity(context, modality, targets, fold),
        settings=plan.finetune,
        num_classes=len(targets.classes),
        multi_label=multi_label,
        num_train=len(fold.train),
        crops=settings.crops,
        make_towers=lambda: {stream: _towers(context)[stream] for stream in streams},
        make_batches=make_batches,
        make_tests=make_tests,
        num_test=len(fold.test),
        explain=lambda error, step: failures.explain(error, data, train_split, step),
    )


def _towers(context: Context) -> dict[str, two_tower.Tower]:
    plan = context.plan
    tf.keras.utils.set_random_seed(plan.settings.seed)
    if plan.finetune.from_scratch:
        pair = encoders.fresh_towers(
            plan.run, context.inputs.sample_rate, context.inputs.num_audio_samples
        )
    else:
        pair = encoders.trained_towers(plan.checkpoint)
    return dict(zip(windows.MODALITIES, pair, strict=True))


def _identity(
    context: Context, modality: str, targets: clip_table.Targets, fold: splits.Fold
) -> dict[str, Any]:
    """All that the outcome of a job depends on."""
    plan, inputs = context.plan, context.inputs
    table = inputs.table
    not_of_clips = ("data_dir", "train_split", "eval_split", "input", "augment_on")
    checkpoint = None
    if not plan.finetune.from_scratch:
        checkpoint = plan.checkpoint.digest
    return {
        "checkpoint": checkpoint,
        "finetune": dataclasses.asdict(plan.finetune),
        "model": dataclasses.asdict(plan.run.model),
        "input": {
            name: value
            for name, value in dataclasses.asdict(inputs.data).items()
            if name not in not_of_clips
        },
        "windows": [plan.settings.clips, plan.settings.crops, inputs.num_samples],
        "short_clips": plan.settings.short_clips,
        "seed": plan.settings.seed,
        "precision": strategies.resolve_precision(plan.precision),
        "modality": modality,
        "label": [targets.name, list(targets.classes)],
        "data": table.digest,
        "train_clips": table.clip_ids[fold.train].tolist(),
        "test_clips": table.clip_ids[fold.test].tolist(),
    }
