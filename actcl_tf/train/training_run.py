"""A pretraining run from configuration to result: open, restore, fit, evaluate."""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from actcl_tf import config, tensorflow_log
from actcl_tf.data.input import skip_ledger
from actcl_tf.models import torchvision_weights
from actcl_tf.storage import files
from actcl_tf.train import failures, fitting, model_building, run_checks, training_data
from actcl_tf.train.callbacks import (
    custom_layout,
    hyperparameters,
    pictures,
    profiling,
    progress,
    redraw_pool,
    replica_check,
    save_checkpoints,
    scalar_log,
)
from actcl_tf.train.callbacks.evaluation import Evaluate, Evaluation
from actcl_tf.train.model import dictionaries, local_towers, pretrain_model, scalar_names
from actcl_tf.train.placement import gpu
from actcl_tf.train.placement import strategy as strategies
from actcl_tf.train.runs import checkpoints, errors, loading, run_folder

Publish = Callable[[int], None]


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
    skipped: skip_ledger.SkipLedger | None = None


class TrainingRun:
    """One run on one worker: its data, its folder and its model.

    Attributes:
      configuration: what to train, on what, how and where to.
      facts: of the data.
      placement: what it trains on.
      model: the PretrainModel; None until `train` has built it.
    """

    def __init__(
        self,
        configuration: config.PretrainConfig,
        *,
        say: Callable[[str], None] = print,
    ):
        """Checks the configuration against the data and the devices; writes nothing.

        Args:
          configuration: what to train, on what, how and where to.
          say: takes lines for the console.

        Raises:
          records.DataError, config.ConfigError: something is wrong that the user can mend.
        """
        self.configuration = configuration
        self.facts = run_checks.check(configuration)
        self.model: pretrain_model.PretrainModel | None = None
        self.placement = strategies.build_placement(configuration.train)
        self._say = say if self.placement.workers.is_chief else lambda line: None

    def train(
        self,
        *,
        evaluate: Evaluate | None = None,
        publish: Publish | None = None,
        stop_at: int | None = None,
    ) -> RunResult:
        """Trains to the last step, going on from the last checkpoint where there is one.

        Args:
          evaluate: (video tower, audio tower) -> name to number; None for no evaluation.
          publish: called with the step after each evaluation.
          stop_at: end after this many steps, as an interruption would, without the last evaluation.

        Returns:
          The scores of the encoders as initialised and as trained.

        Raises:
          records.DataError, config.ConfigError, errors.CheckpointError: something is wrong
            that the user can mend; nothing was done.
          failures.NonFiniteError: NaN or infinity turned up; the last good checkpoint stays.
          failures.NoRoomError: the disk is full; the last checkpoint stays.
          errors.WorkerLost: another worker died or went silent; the last checkpoint stays.
          errors.Interrupted: SIGTERM or SIGINT came and the state was saved.
        """
        train, together = self.configuration.train, self.placement.workers
        if together.count == 1:
            tensorflow_log.wake_compiler()
        last = train.steps if stop_at is None else min(stop_at, train.steps)
        run_dir, explained = train.run_dir, failures.explaining(self._explain)
        with failures.naming_full_disks(run_dir), together.folder(run_dir) as folder, explained:
            imported, resuming = self._open(folder)
            self._build(imported)
            step = self._restore(imported, resuming)
            self._observe(evaluate, publish)
            initial = self._evaluate_initialised()
            if not step:
                custom_layout.write(self._log.writer)
                hyperparameters.write_start(self._log.writer, self.configuration, initial)
            if step < last:
                self._fit(last)
                if last == train.steps:
                    hyperparameters.write_end(self._log.writer)
            trained = self._evaluate_trained() if last == train.steps else {}
            self._log.close()
            together.wait()  # None leaves while another still needs it.
        return RunResult(
            run_dir,
            step=int(self.model.step.numpy()),
            initial=initial,
            trained=trained,
            is_chief=together.is_chief,
            skipped=self._skipping,
        )

    def _open(self, folder: str) -> tuple[torchvision_weights.Converted | None, bool]:
        """Finds what is wrong with data and weights, then starts or reopens the run's folder.

        Returns:
          What the video encoder starts from, and whether the folder was there.
        """
        asked, strategy = self.configuration, self.placement.strategy
        run_checks.check_placement(asked, self.placement)
        # From here on; the folder keeps what was asked for, and the run may go on elsewhere.
        place = strategies.resolve_augmentation(asked.data, strategy)
        data = dataclasses.replace(asked.data, augment_on=place)
        self.configuration = dataclasses.replace(asked, data=data)
        self._batches = training_data.TrainingBatches(self.configuration)
        imported = None
        # Before there is a folder, so that a wrong file leaves none behind. A run that goes on has
        # its weights in its checkpoint and needs the file no more.
        if asked.train.init_from and not checkpoints.exist_in(asked.train.run_dir):
            encoder = asked.model.video_encoder
            imported = torchvision_weights.read(asked.train.init_from, encoder)
        resuming = self._open_folder(asked)
        self._folder = folder
        self._skipping = training_data.build_skipping(self.configuration, folder)
        return imported, resuming

    def _open_folder(self, asked: config.PretrainConfig) -> bool:
        """The chief starts or reopens the run's folder, then the others find it there."""
        together, run_dir = self.placement.workers, asked.train.run_dir
        resuming = run_folder.open_run(asked, self.facts) if together.is_chief else False
        together.lock(run_dir)
        if together.is_chief:
            for name in ("checkpoints", "best"):
                checkpoints.remove_unfinished(pathlib.Path(run_dir, name))
        together.wait()
        if not together.is_chief:
            if not pathlib.Path(run_dir, "run.json").exists():
                raise errors.CheckpointError(
                    f"--run_dir={run_dir}: worker {together.place} does not find what worker 0 "
                    "wrote there; name a folder on a disk that all workers share"
                )
            run_folder.open_run(asked, self.facts)
        return resuming

    def _build(self, imported: torchvision_weights.Converted | None) -> None:
        """Builds the model and what saves it."""
        train, together = self.configuration.train, self.placement.workers
        precision = strategies.resolve_precision(train.precision)
        self._say(f"Training on {self.placement.why}, in {precision}.")
        problem = gpu.find_problem()
        for warning in [*filter(None, [problem]), *run_checks.warnings(self.configuration)]:
            self._say(f"warning: {warning}")
        tf.keras.utils.set_random_seed(train.seed)
        if train.deterministic:
            tf.config.experimental.enable_op_determinism()
        with self.placement.strategy.scope():
            self.model = model_building.build_model(
                self.configuration, self.facts, precision, imported
            )
            pools = dictionaries.pool_parts(self.model)
        self._checkpoints = checkpoints.Manager(
            self.model,
            train.run_dir,
            train.keep if together.is_chief else 1,
            self.model.query_towers,
            pools,
            write_dir=self._folder,
        )

    def _restore(self, imported: torchvision_weights.Converted | None, resuming: bool) -> int:
        """Restores the last checkpoint if there is one; returns the step to go on from."""
        train, together = self.configuration.train, self.placement.workers
        restored = self._checkpoints.restore()
        step = int(self.model.step.numpy())
        if not together.agree(step):
            raise errors.CheckpointError(
                f"--run_dir={train.run_dir}: worker {together.place} found step {step} there, and "
                "another worker another step; all of them must see the same folder"
            )
        if restored:
            self._say(f"Going on at step {step} of {train.steps} from {restored}.")
        elif resuming:
            self._say(f"{train.run_dir} holds no checkpoint yet; starting at step 0.")
        if imported is not None and not restored:
            self._say(f"The video encoder starts from {train.init_from}: {imported}.")
        return step

    def _observe(self, evaluate: Evaluate | None, publish: Publish | None) -> None:
        """Opens the log and prepares the evaluation, if there is to be one."""
        train, skipping, together = self.configuration.train, self._skipping, self.placement.workers

        def count() -> dict[str, float]:
            return {} if skipping is None else {scalar_names.SKIPPED_CLIPS: float(skipping.times)}

        self._log = scalar_log.ScalarLog(
            self._folder,
            train.log_every,
            train.batch_size,
            constants={scalar_names.TEMPERATURE: self.configuration.contrast.temperature},
            diagnostics_every=train.diagnostics_every,
            count=count,
        )
        self._evaluation, towers = None, None
        if evaluate is None:
            return
        if together.count > 1:
            is_chief = together.is_chief
            copies = loading.build_towers(self.configuration, self.facts) if is_chief else None
            towers = local_towers.LocalTowers(self.model, copies)
        self._evaluation = Evaluation(
            evaluate,
            train.eval_every,
            self._log,
            self._checkpoints,
            publish=publish,
            workers=together,
            towers=towers,
        )

    def _evaluate_initialised(self) -> dict[str, float]:
        """Scores of the encoders as initialised; a resumed run reads what was measured then."""
        if self._evaluation is None or not self.configuration.train.eval_initialised:
            return {}
        together, path = self.placement.workers, pathlib.Path(self._folder, "initial_scores.json")
        if together.any(path.exists()):
            return json.loads(path.read_text(encoding="utf-8")) if together.is_chief else {}
        if int(self.model.step.numpy()):
            return {}
        self._say("Evaluating the encoders as initialised.")
        scores = self._evaluation.run(self.model)
        files.write_atomically(path, json.dumps(scores, indent=2) + "\n")
        return scores

    def _evaluate_trained(self) -> dict[str, float]:
        if self._evaluation is None:
            return {}
        self._say("Evaluating the trained encoders.")
        return self._evaluation.run(self.model)

    def _fit(self, last: int) -> None:
        """Trains by Keras' `fit` up to step `last`."""
        train = self.configuration.train
        fitting.fit(
            self.model,
            self._batches_from,
            self._callbacks(),
            last=last,
            steps_per_epoch=training_data.steps_per_epoch(self.facts, train),
            steps_per_execution=train.steps_per_execution,
        )

    def _batches_from(self, start_step: int) -> Any:
        """The batches that `fit` gets; of several workers, each reads its own part of them."""
        if self.placement.workers.count == 1:
            return self._batches.from_step(start_step, skipping=self._skipping)
        return self.placement.strategy.distribute_datasets_from_function(
            functools.partial(self._batches.from_step, start_step)
        )

    def _callbacks(self) -> list[tf.keras.callbacks.Callback]:
        """What happens between steps, in this order."""
        train, contrast = self.configuration.train, self.configuration.contrast
        strategy, together = self.placement.strategy, self.placement.workers
        bar = progress.Progress(
            train.steps,
            train.log_every,
            train.batch_size,
            hidden=not together.is_chief,
            shorter=_shorter(self.configuration),
        )
        found = [bar, self._log]
        if train.profile_range is not None:
            logdir = scalar_log.logdir(self._folder)
            found.append(profiling.ProfileSteps(logdir, *train.profile_range))
        if contrast.uses_pool and contrast.pool == "epoch":
            clips_of_epoch = functools.partial(self._batches.of_pool, strategy, together.count)
            found.append(redraw_pool.RedrawPool(clips_of_epoch, strategy))
        if self._evaluation is not None:
            found.append(self._evaluation)
        if train.check_sync_every and strategy.num_replicas_in_sync > 1:
            found.append(replica_check.CheckReplicas(strategy, train.check_sync_every))
        # Pictures need the values of all replicas' statistics.
        if train.summary_every and together.count == 1:
            found.append(
                pictures.Pictures(self._log.writer, train.summary_every, self._batches.first)
            )
        saver = save_checkpoints.SaveCheckpoints(self._checkpoints, train.save_every, together)
        return [*found, saver]

    def _explain(self, error: tf.errors.OpError) -> Exception | None:
        """What to raise instead of TensorFlow's error; None for nothing better."""
        step = 0 if self.model is None else int(self.model.step.numpy())
        told = self.placement.workers.explain(error, step)
        return told or training_data.explain(self.configuration, error, step)


def _shorter(configuration: config.PretrainConfig) -> str:
    """What makes a run shorter, beside the values it has."""
    data, model = configuration.data, configuration.model
    return (
        f"a smaller --video_width (now {model.video_width:g}; half of it is about a quarter of the "
        f"arithmetic), fewer pixels (--image_size={data.image_size}), frames "
        f"(--num_frames={data.num_frames}) or --steps, or a GPU"
    )
