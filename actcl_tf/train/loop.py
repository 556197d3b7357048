"""A pretraining run from configuration to result: build, restore, fit, evaluate."""

import dataclasses
import functools
import json
import pathlib
from typing import Any, Callable, NamedTuple, Optional

import tensorflow as tf

from actcl_tf import config
from actcl_tf.data import bad_records, batch_augmentation, files
from actcl_tf.models import layers, torchvision_weights, two_tower
from actcl_tf.train import (
    callbacks,
    checkpointing,
    compiler,
    custom_layout,
    failures,
    fitting,
    hyperparameters,
    local_towers,
    optimizers,
    pictures,
    pretrain_model,
    profiling,
    progress,
    replica_check,
    run_checks,
    scalar_names,
    training_data,
    workers,
)
from actcl_tf.train import strategy as strategies


class RunResult(NamedTuple):
    """What a run came to.

    Attributes:
      run_dir: its folder.
      step: steps done.
      initial: scores of the encoders as initialised; empty without an evaluation.
      trained: scores of the encoders at the end; empty without an evaluation.
      is_chief: whether this process is the one of several that wrote the run's folder.
      skipped: what --on_bad_record=skip left out of training; None with --on_bad_record=fail.
    """

    run_dir: str
    step: int
    initial: dict[str, float]
    trained: dict[str, float]
    is_chief: bool = True
    skipped: Optional[bad_records.Skipping] = None


def build_model(
    run: config.PretrainConfig,
    facts: checkpointing.DataFacts,
    precision: str,
    imported: Optional[torchvision_weights.Converted] = None,
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
    if imported is not None:  # Before the key towers take over the queries' weights.
        towers[0]["video"].backbone.set_weights(imported.weights)
    if run.train.sync_batch_norm:
        for tower in (tower for each in towers for tower in each.values()):
            layers.synchronise_batch_norm(tower)
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
        num_parts=run.train.accumulate_steps,
        shuffles_keys=run.train.shuffle_batch_norm,
        augment=batch_augmentation.build_augmentation(run.data),
        seed=run.train.seed,
    )
    optimizer = optimizers.build_optimizer(run.train, precision)
    if not isinstance(optimizer, tf.keras.optimizers.legacy.Optimizer):
        optimizer.build(model.query_variables)  # So that a checkpoint restores it at once.
    model.compile(optimizer=optimizer, steps_per_execution=run.train.steps_per_execution)
    return model


def run(
    configuration: config.PretrainConfig,
    *,
    evaluate: Optional[callbacks.Evaluate] = None,
    publish: Optional[Callable[[int], None]] = None,
    say: Callable[[str], None] = print,
    stop_at: Optional[int] = None,
    placement: Optional[strategies.Placement] = None,
) -> RunResult:
    """Trains to the last step, going on from the last checkpoint where there is one.

    Args:
      configuration: what to train, on what, how and where to.
      evaluate: (video tower, audio tower) -> name to number; None for no evaluation.
      publish: called with the step after each evaluation.
      say: takes lines for the console.
      stop_at: end after this many steps, as an interruption would, without the last evaluation.
      placement: what to train on; None: made as the configuration says.

    Returns:
      The scores of the encoders as initialised and as trained.

    Raises:
      records.DataError, config.ConfigError, checkpointing.CheckpointError: something is wrong
        that the user can mend; nothing was done.
      failures.NonFiniteError: NaN or infinity turned up; the last good checkpoint stays.
      failures.NoRoomError: the disk is full; the last checkpoint stays.
      errors.WorkerLost: another worker died or went silent; the last checkpoint stays.
      errors.Interrupted: SIGTERM or SIGINT came and the state was saved.
    """
    facts = run_checks.check(configuration)
    placement = placement or strategies.build_placement(configuration.train)
    together = placement.workers
    if together.count == 1:
        compiler.wake_quietly()
    run_dir = configuration.train.run_dir
    with failures.naming_full_disks(run_dir):
        try:
            with together.folder(run_dir) as folder:
                tell = say if together.is_chief else lambda _: None
                result = _run(
                    configuration, facts, placement, folder, evaluate, publish, tell, stop_at
                )
                together.wait()  # None leaves while another still needs it.
        except tf.errors.OpError as error:
            told = together.explain(error, 0) or training_data.explain(configuration, error, 0)
            if told is None:
                raise
            raise told from error
    return result


def _run(
    configuration: config.PretrainConfig,
    facts: checkpointing.DataFacts,
    placement: strategies.Placement,
    folder: str,
    evaluate: Optional[callbacks.Evaluate],
    publish: Optional[Callable[[int], None]],
    say: Callable[[str], None],
    stop_at: Optional[int],
) -> RunResult:
    """`run` on one worker, which writes to `folder`."""
    train = configuration.train
    strategy, together = placement.strategy, placement.workers
    run_checks.check_placement(configuration, placement)
    # Finds what is wrong with the data.
    probed = training_data.build_skipping(configuration)
    training_data.make_train_dataset(configuration, start_step=0, skipping=probed)
    # Before there is a run folder, so that a wrong file leaves none behind. A run that goes on has
    # its weights in its checkpoint and needs the file no more.
    imported = None
    if train.init_from and not checkpointing.has_checkpoint(train.run_dir):
        encoder = configuration.model.video_encoder
        imported = torchvision_weights.read(train.init_from, encoder)
    resuming = _open_run(configuration, facts, together)
    # From here on; the run keeps what was asked for, and may go on elsewhere.
    place = strategies.resolve_augmentation(configuration.data, strategy)
    data = dataclasses.replace(configuration.data, augment_on=place)
    configuration = dataclasses.replace(configuration, data=data)
    skipping = training_data.build_skipping(configuration, folder)
    precision = strategies.resolve_precision(train.precision)
    say(f"Training on {placement.why}, in {precision}.")
    tf.keras.utils.set_random_seed(train.seed)
    if train.deterministic:
        tf.config.experimental.enable_op_determinism()
    with strategy.scope():
        model = build_model(configuration, facts, precision, imported)
        pools = model.pool_parts()
    checkpoints = checkpointing.Checkpoints(
        model,
        train.run_dir,
        train.keep if together.is_chief else 1,
        model.query_towers,
        pools,
        write_dir=folder,
    )
    restored = checkpoints.restore()
    step = int(model.step.numpy())
    if not together.agree(step):
        raise checkpointing.CheckpointError(
            f"--run_dir={train.run_dir}: worker {together.place} found step {step} there, and "
            "another worker another step; all of them must see the same folder"
        )
    if restored:
        say(f"Going on at step {step} of {train.steps} from {restored}.")
    elif resuming:
        say(f"{train.run_dir} holds no checkpoint yet; starting at step 0.")
    if imported is not None and not restored:
        say(f"The video encoder starts from {train.init_from}: {imported}.")

    log = callbacks.ScalarLog(
        folder,
        train.log_every,
        train.batch_size,
        {scalar_names.TEMPERATURE: configuration.contrast.temperature},
        train.diagnostics_every,
        lambda: {} if skipping is None else {scalar_names.SKIPPED_CLIPS: float(skipping.times)},
    )
    evaluation, initial, towers = None, {}, None
    if together.count > 1:
        towers = local_towers.LocalTowers(configuration, facts, model, together.is_chief)
    if evaluate is not None:
        evaluation = callbacks.Evaluation(
            evaluate, train.eval_every, log, checkpoints, publish, together, towers
        )
        initial = _initial_scores(evaluation, model, pathlib.Path(folder), together, say)
    if not step:
        custom_layout.write(log.writer)
        hyperparameters.write_start(log.writer, configuration, initial)
    last = train.steps if stop_at is None else min(stop_at, train.steps)
    if step < last:
        _fit(
            configuration,
            model,
            placement,
            log,
            evaluation,
            checkpoints,
            facts,
            last,
            folder,
            skipping,
        )
        if last == train.steps:
            hyperparameters.write_end(log.writer)
    trained = {}
    if evaluation is not None and last == train.steps:
        say("Evaluating the trained encoders.")
        trained = evaluation.run(model)
    log.writer.flush()
    step = int(model.step.numpy())
    return RunResult(train.run_dir, step, initial, trained, together.is_chief, skipping)


def _open_run(
    configuration: config.PretrainConfig,
    facts: checkpointing.DataFacts,
    together: workers.Workers,
) -> bool:
    """Starts or reopens the run folder: the chief first, then the others find it there."""
    resuming = checkpointing.open_run(configuration, facts) if together.is_chief else False
    together.lock(configuration.train.run_dir)
    if together.is_chief:
        for name in ("checkpoints", "best"):
            checkpointing.remove_unfinished(pathlib.Path(configuration.train.run_dir, name))
    together.wait()
    if not together.is_chief:
        folder = configuration.train.run_dir
        if not (pathlib.Path(folder) / "run.json").exists():
            raise checkpointing.CheckpointError(
                f"--run_dir={folder}: worker {together.place} does not find what worker 0 wrote "
                "there; name a folder on a disk that all workers share"
            )
        checkpointing.open_run(configuration, facts)
    return resuming


def _initial_scores(
    evaluation: callbacks.Evaluation,
    model: pretrain_model.PretrainModel,
    folder: pathlib.Path,
    together: workers.Workers,
    say: Callable[[str], None],
) -> dict[str, float]:
    """Scores of the encoders as initialised; a resumed run reads what was measured then."""
    path = folder / "initial_scores.json"
    if together.any(path.exists()):
        return json.loads(path.read_text(encoding="utf-8")) if together.is_chief else {}
    if int(model.step.numpy()):
        return {}
    say("Evaluating the encoders as initialised.")
    scores = evaluation.run(model)
    files.write_atomically(path, json.dumps(scores, indent=2) + "\n")
    return scores


def _fit(
    configuration: config.PretrainConfig,
    model: pretrain_model.PretrainModel,
    placement: strategies.Placement,
    log: callbacks.ScalarLog,
    evaluation: Optional[callbacks.Evaluation],
    checkpoints: checkpointing.Checkpoints,
    facts: checkpointing.DataFacts,
    last: int,
    folder: str,
    skipping: Optional[bad_records.Skipping],
) -> None:
    """Runs `fit` up to step `last`, in the parts that a resumed epoch makes necessary."""
    train, strategy, together = configuration.train, placement.strategy, placement.workers
    profile = None
    if train.profile_range is not None:
        profile = profiling.ProfileSteps(callbacks.logdir(folder), *train.profile_range)

    def batches(start_step: int) -> Any:
        if together.count == 1:
            return training_data.make_train_dataset(configuration, start_step, skipping=skipping)
        return strategy.distribute_datasets_from_function(
            functools.partial(training_data.make_train_dataset, configuration, start_step)
        )

    def explain(error: tf.errors.OpError, step: int) -> Optional[Exception]:
        return together.explain(error, step) or training_data.explain(configuration, error, step)

    def extras() -> list[tf.keras.callbacks.Callback]:
        found = [] if evaluation is None else [evaluation]
        if configuration.contrast.uses_pool and configuration.contrast.pool == "epoch":
            clips_of_epoch = functools.partial(
                training_data.clips_of_pool, configuration, strategy, together.count
            )
            found.insert(0, callbacks.RedrawPool(clips_of_epoch, strategy))
        if train.check_sync_every and strategy.num_replicas_in_sync > 1:
            found.append(replica_check.CheckReplicas(strategy, train.check_sync_every))
        if profile is not None:
            found.insert(0, profile)
        if together.count > 1:  # Pictures need the values of all replicas' statistics.
            return found
        # Not of a service, whose clips are counted.
        own = dataclasses.replace(configuration.data, data_service="")
        sampled = dataclasses.replace(configuration, data=own)
        unnamed = training_data.build_skipping(configuration)
        first = training_data.make_train_dataset(sampled, start_step=0, skipping=unnamed).take(1)
        sample = model.augment(next(iter(first)))
        return [*found, pictures.Pictures(log.writer, train.summary_every, sample)]

    try:
        fitting.fit(
            model,
            batches,
            last=last,
            steps_per_epoch=training_data.steps_per_epoch(facts, train),
            progress=progress.Progress(
                train.steps,
                train.log_every,
                train.batch_size,
                hidden=not together.is_chief,
                shorter=_shorter(configuration),
            ),
            log=log,
            saver=callbacks.SaveCheckpoints(checkpoints, train.save_every, together),
            steps_per_execution=train.steps_per_execution,
            extras=extras,
            explain=explain,
        )
    finally:
        if profile is not None:
            profile.close()


def _shorter(configuration: config.PretrainConfig) -> str:
    """What makes a run shorter, beside the values it has."""
    data, model = configuration.data, configuration.model
    return (
        f"a smaller --video_width (now {model.video_width:g}; half of it is about a quarter of the "
        f"arithmetic), fewer pixels (--image_size={data.image_size}), frames "
        f"(--num_frames={data.num_frames}) or --steps, or a GPU"
    )
