"""A pretraining run from configuration to result: build, restore, fit, evaluate."""

import dataclasses
import functools
import hashlib
import json
import pathlib
from typing import Any, Callable, NamedTuple, Optional

import tensorflow as tf

from actcl_tf import config
from actcl_tf.data import batch_augmentation, files, pipeline, records
from actcl_tf.models import two_tower
from actcl_tf.train import (
    callbacks,
    checkpointing,
    failures,
    fitting,
    optimizers,
    pictures,
    pretrain_model,
)
from actcl_tf.train import strategy as strategies


class RunResult(NamedTuple):
    """What a run came to.

    Attributes:
      run_dir: its folder.
      step: steps done.
      initial: scores of the encoders as initialised; empty without an evaluation.
      trained: scores of the encoders at the end; empty without an evaluation.
    """

    run_dir: str
    step: int
    initial: dict[str, float]
    trained: dict[str, float]


def check(run: config.PretrainConfig) -> checkpointing.DataFacts:
    """Checks a configuration against the data and the devices, before any work.

    Args:
      run: the configuration.

    Returns:
      The facts of the data that the model depends on.

    Raises:
      records.DataError: the data cannot be used.
      config.ConfigError: the configuration contradicts the data or the devices.
    """
    folder = files.join(run.data.data_dir, run.data.train_split)
    manifest = records.read_manifest(folder)
    contrast, batch = run.contrast, run.train.batch_size
    if batch > manifest.num_clips:
        raise config.ConfigError(
            f"--batch_size={batch}: the split '{run.data.train_split}' has only "
            f"{manifest.num_clips} clips"
        )
    needed = contrast.dictionary_size + batch
    if contrast.uses_pool and needed > manifest.num_clips:
        raise config.ConfigError(
            f"--dictionary_size={contrast.dictionary_size}: with --negatives="
            f"{contrast.negatives} the pool holds each of the {manifest.num_clips} training clips "
            f"once and can fill a dictionary of at most {manifest.num_clips - batch} keys"
        )
    return checkpointing.DataFacts(
        frame_rate=float(manifest.frame_rate),
        sample_rate=int(manifest.sample_rate),
        num_audio_samples=pipeline.num_audio_samples(
            run.data.num_frames,
            run.data.frame_stride,
            manifest.frame_rate,
            manifest.sample_rate,
        ),
        num_clips=manifest.num_clips,
        digest=_digest(files.join(folder, records.MANIFEST)),
        classes=tuple(manifest.classes),
    )


def _digest(manifest: str) -> str:
    """A fingerprint of what a split holds."""
    text = files.read_text(manifest).encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).hexdigest()[:16]


def build_model(
    run: config.PretrainConfig, facts: checkpointing.DataFacts, precision: str
) -> pretrain_model.PretrainModel:
    """Builds and compiles the model; call it inside the strategy's scope.

    Args:
      run: the configuration.
      facts: of the data.
      precision: Keras mixed-precision policy.

    Returns:
      A compiled PretrainModel with all its variables made.
    """
    tf.keras.mixed_precision.set_global_policy(precision)
    # Distances between neighbouring gradients drown in the ten bits that GPUs may use for float32.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    towers = [
        dict(
            zip(
                pretrain_model.MODALITIES,
                two_tower.build_towers(
                    run.model,
                    run.data,
                    sample_rate=facts.sample_rate,
                    num_audio_samples=facts.num_audio_samples,
                ),
            )
        )
        for _ in ("query", "key")
    ]
    kernels = {m: tower.head.last_layer_affine()[0] for m, tower in towers[0].items()}
    model = pretrain_model.PretrainModel(
        *towers,
        run.contrast,
        batch_size=run.train.batch_size,
        num_features={m: int(kernel.shape[0]) for m, kernel in kernels.items()},
        embedding_size=run.model.embedding_size,
        total_steps=run.train.steps,
        clip_norm=run.train.clip_norm,
        diagnostics_every=run.train.diagnostics_every,
        augment=batch_augmentation.build_augmentation(run.data),
        seed=run.train.seed,
    )
    optimizer = optimizers.build_optimizer(run.train, precision)
    if not isinstance(optimizer, tf.keras.optimizers.legacy.Optimizer):
        optimizer.build(model.query_variables)  # So that a checkpoint restores it at once.
    model.compile(optimizer=optimizer)
    return model


def run(
    configuration: config.PretrainConfig,
    *,
    evaluate: Optional[callbacks.Evaluate] = None,
    say: Callable[[str], None] = print,
    stop_at: Optional[int] = None,
) -> RunResult:
    """Trains to the last step, going on from the last checkpoint where there is one.

    Args:
      configuration: what to train, on what, how and where to.
      evaluate: (video tower, audio tower) -> name to number; None for no evaluation.
      say: takes lines for the console.
      stop_at: end after this many steps, as an interruption would, without the last evaluation.

    Returns:
      The scores of the encoders as initialised and as trained.

    Raises:
      records.DataError, config.ConfigError, checkpointing.CheckpointError: something is wrong
        that the user can mend; nothing was done.
      failures.NonFiniteError: NaN or infinity turned up; the last good checkpoint stays.
      callbacks.Interrupted: SIGTERM or SIGINT came and the state was saved.
    """
    train = configuration.train
    facts = check(configuration)
    strategy, why = strategies.build_strategy(train.strategy)
    replicas = strategy.num_replicas_in_sync
    if train.batch_size % replicas:
        raise config.ConfigError(
            f"--batch_size={train.batch_size}: must be divisible by the {replicas} replicas of "
            f"--strategy={train.strategy}"
        )
    make_train_dataset(configuration, start_step=0)  # Finds what is wrong with the data.
    resuming = checkpointing.open_run(configuration, facts)
    precision = strategies.resolve_precision(train.precision)
    say(f"Training on {why}, in {precision}.")
    tf.keras.utils.set_random_seed(train.seed)
    if train.deterministic:
        tf.config.experimental.enable_op_determinism()
    with strategy.scope():
        model = build_model(configuration, facts, precision)
    checkpoints = checkpointing.Checkpoints(model, train.run_dir, train.keep, model.query_towers)
    restored = checkpoints.restore()
    step = int(model.step.numpy())
    if restored:
        say(f"Going on at step {step} of {train.steps} from {restored}.")
    elif resuming:
        say(f"{train.run_dir} holds no checkpoint yet; starting at step 0.")

    log = callbacks.ScalarLog(
        train.run_dir,
        train.log_every,
        train.batch_size,
        {"temperature": configuration.contrast.temperature},
        train.diagnostics_every,
    )
    evaluation, initial = None, {}
    if evaluate is not None:
        evaluation = callbacks.Evaluation(evaluate, train.eval_every, log, checkpoints)
        initial = _initial_scores(evaluation, model, pathlib.Path(train.run_dir), say)
    last = train.steps if stop_at is None else min(stop_at, train.steps)
    if step < last:
        _fit(configuration, model, strategy, log, evaluation, checkpoints, facts, last)
    trained = {}
    if evaluation is not None and last == train.steps:
        say("Evaluating the trained encoders.")
        trained = evaluation.run(model)
    log.writer.flush()
    return RunResult(train.run_dir, int(model.step.numpy()), initial, trained)


def make_train_dataset(configuration: config.PretrainConfig, start_step: int) -> tf.data.Dataset:
    """The endless batches of a run from a step on.

    Each comes with the seconds spent waiting for it, `data_wait` [B] float32, except in
    deterministic runs, in which TensorFlow allows no clock.
    """
    dataset = pipeline.build_train_dataset(
        configuration.data,
        batch_size=configuration.train.batch_size,
        seed=configuration.train.seed,
        start_step=start_step,
        views=configuration.contrast.num_views,
    )
    if configuration.train.deterministic:
        return dataset
    # A clock is read when a batch is asked for, and again when it is there.
    asked = tf.data.Dataset.counter().map(lambda _: tf.timestamp())

    def add_wait(asked_at: tf.Tensor, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        with tf.control_dependencies(list(batch.values())):
            wait = tf.cast(tf.timestamp() - asked_at, tf.float32)
        # One number a clip, so that the batch splits over replicas.
        return {**batch, "data_wait": tf.fill(tf.shape(batch["clip_id"]), wait)}

    return tf.data.Dataset.zip((asked, dataset)).map(add_wait)


def _initial_scores(
    evaluation: callbacks.Evaluation,
    model: pretrain_model.PretrainModel,
    run_dir: pathlib.Path,
    say: Callable[[str], None],
) -> dict[str, float]:
    """Scores of the encoders as initialised; a resumed run reads what was measured then."""
    path = run_dir / "initial_scores.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    if int(model.step.numpy()):
        return {}
    say("Evaluating the encoders as initialised.")
    scores = evaluation.run(model)
    files.write_atomically(path, json.dumps(scores, indent=2) + "\n")
    return scores


def _fit(
    configuration: config.PretrainConfig,
    model: pretrain_model.PretrainModel,
    strategy: tf.distribute.Strategy,
    log: callbacks.ScalarLog,
    evaluation: Optional[callbacks.Evaluation],
    checkpoints: checkpointing.Checkpoints,
    facts: checkpointing.DataFacts,
    last: int,
) -> None:
    """Runs `fit` up to step `last`, in the parts that a resumed epoch makes necessary."""
    train = configuration.train

    def extras() -> list[tf.keras.callbacks.Callback]:
        # Not of a service, whose clips are counted.
        own = dataclasses.replace(configuration.data, data_service="")
        sampled = dataclasses.replace(configuration, data=own)
        sample = model.augment(next(iter(make_train_dataset(sampled, start_step=0).take(1))))
        found = [pictures.Pictures(log.writer, train.summary_every, sample)]
        if evaluation is not None:
            found.append(evaluation)
        if configuration.contrast.uses_pool and configuration.contrast.pool == "epoch":
            found.insert(0, _redraw_pool(configuration, strategy))
        return found

    fitting.fit(
        model,
        functools.partial(make_train_dataset, configuration),
        last=last,
        steps_per_epoch=max(facts.num_clips // train.batch_size, 1),
        progress=callbacks.Progress(train.steps, train.log_every, train.batch_size),
        log=log,
        saver=callbacks.SaveCheckpoints(checkpoints, train.save_every),
        extras=extras,
        explain=lambda error, step: failures.explain(
            error, configuration.data, configuration.data.train_split, step
        ),
    )


def _redraw_pool(
    configuration: config.PretrainConfig, strategy: tf.distribute.Strategy
) -> callbacks.RedrawPool:
    """The callback of --pool=epoch."""

    def clips_of_epoch(epoch: int) -> Any:
        dataset = pipeline.build_random_dataset(
            configuration.data,
            num_clips=configuration.contrast.pool_size,
            batch_size=configuration.train.batch_size,
            seed=configuration.train.seed,
            epoch=epoch,
        )
        return strategy.experimental_distribute_dataset(dataset)

    return callbacks.RedrawPool(clips_of_epoch, strategy)
