"""Fine-tuning of one fold: trains encoders with a classifier, and scores the test clips."""

import dataclasses
import json
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from actcl_tf import config
from actcl_tf.console import bars
from actcl_tf.evaluate.protocols import prediction
from actcl_tf.models import two_tower
from actcl_tf.storage import files
from actcl_tf.train import failures, fitting
from actcl_tf.train.callbacks import progress, save_checkpoints, scalar_log
from actcl_tf.train.model import classifier_model, optimizers
from actcl_tf.train.runs import checkpoints, errors

_IDENTITY = "finetune.json"
_SCORES = "scores.npy"
_SHORTER = (
    "fewer --epochs, a smaller --train_fraction, fewer pixels (--image_size) or frames "
    "(--num_frames), or a GPU"
)


@dataclasses.dataclass(frozen=True)
class Job:
    """What is trained on one fold.

    Attributes:
      folder: of checkpoints, logs and scores; a job that was stopped goes on there.
      identity: all that the outcome depends on, ready for JSON; a folder of another is refused.
      settings: of fine-tuning.
      num_classes: C.
      multi_label: whether a clip may have several labels.
      num_train: training clips.
      crops: of each test window's video.
      make_towers: gives modality -> Tower with the weights to begin with.
      make_batches: (batch size, start step) -> endless batches, see
        `labelled_pipeline.build_labelled_dataset`.
      make_tests: gives the test clips, see `pipeline.build_eval_dataset`.
      num_test: test clips.
      explain: (TensorFlow's error, steps done) -> what to raise instead, or None.
    """

    folder: pathlib.Path
    identity: dict[str, Any]
    settings: config.FinetuneConfig
    num_classes: int
    multi_label: bool
    num_train: int
    crops: int
    make_towers: Callable[[], dict[str, two_tower.Tower]]
    make_batches: Callable[[int, int], tf.data.Dataset]
    make_tests: Callable[[], tf.data.Dataset]
    num_test: int
    explain: Callable[[tf.errors.OpError, int], Exception | None]

    @property
    def batch_size(self) -> int:
        """Clips a step: as many as there are, if these are fewer."""
        return min(self.settings.batch_size, self.num_train)

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which about each training clip is seen once."""
        return max(1, round(self.num_train / self.batch_size))

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self.settings.epochs * self.steps_per_epoch


def fit_predict(
    job: Job, *, strategy: tf.distribute.Strategy, precision: str
) -> prediction.Prediction:
    """Trains, or goes on training, or finds it done; then scores the test clips.

    Args:
      job: what to train.
      strategy: to train under.
      precision: Keras policy.

    Returns:
      Prediction(scores=[m, C] float64 probabilities averaged over windows, chosen=`steps`).

    Raises:
      errors.CheckpointError: the folder holds another job, or cannot be used.
      config.ConfigError: settings and devices do not go together.
      errors.Interrupted: SIGTERM or SIGINT came and the state was saved.
    """
    _open(job)
    there = job.folder / _SCORES
    if there.exists():
        return prediction.Prediction(np.load(there), {"steps": job.steps})
    if precision == "mixed_float16":
        raise config.ConfigError(
            "--precision=mixed_float16: fine-tuning scales no losses; use mixed_bfloat16 or float32"
        )
    if job.batch_size % strategy.num_replicas_in_sync:
        raise config.ConfigError(
            f"--batch_size={job.batch_size}: must be divisible by the "
            f"{strategy.num_replicas_in_sync} replicas of --strategy"
        )
    tf.keras.mixed_precision.set_global_policy(precision)
    with strategy.scope():
        model = _build(job, precision)
    _fit(job, model)
    scores = _predict(job, model)
    with files.naming(there, "written"):
        temporary = there.with_name(f".{there.name}")
        with temporary.open("wb") as file:
            np.save(file, scores)
        temporary.replace(there)
    return prediction.Prediction(scores, {"steps": job.steps})


def build_optimizers(
    settings: config.FinetuneConfig, steps: int, warmup_steps: int, precision: str
) -> list[tf.keras.optimizers.Optimizer]:
    """One optimizer for each depth of `ClassifierModel.depths`, lowest first.

    The classifier has the whole learning rate, and each stage `layer_decay` times that of the one
    above it; from scratch all have the same.

    Args:
      settings: of fine-tuning.
      steps: of the whole training.
      warmup_steps: of the linear warm-up; a cosine follows.
      precision: Keras policy.
    """
    decay = 1.0 if settings.from_scratch else settings.layer_decay
    found = []
    for below in range(config.NUM_STAGES, -1, -1):
        train = config.TrainConfig(
            steps=steps,
            warmup_steps=warmup_steps,
            learning_rate=settings.learning_rate * decay**below,
            learning_rate_schedule="cosine",
            optimizer=settings.optimizer,
            weight_decay=settings.weight_decay,
        )
        found.append(optimizers.build_optimizer(train, precision))
    return found


def _build(job: Job, precision: str) -> classifier_model.ClassifierModel:
    settings = job.settings
    model = classifier_model.ClassifierModel(
        job.make_towers(),
        job.num_classes,
        multi_label=job.multi_label,
        freeze=settings.freeze,
        dropout=settings.dropout,
        label_smoothing=settings.label_smoothing,
        clip_norm=settings.clip_norm,
    )
    warmup = settings.warmup_epochs * job.steps_per_epoch
    model.compile_depths(build_optimizers(settings, job.steps, warmup, precision))
    return model


def _open(job: Job) -> None:
    """Starts the folder, or makes sure that it holds this job."""
    path = job.folder / _IDENTITY
    wanted = json.loads(json.dumps(job.identity))
    if path.exists():
        try:
            there = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise errors.CheckpointError(
                f"{path} is damaged ({error}): remove {job.folder}"
            ) from error
        differ = [
            f"{name} is {there.get(name)} there, {wanted.get(name)} here"
            for name in sorted(there.keys() | wanted.keys())
            if there.get(name) != wanted.get(name)
        ]
        if differ:
            raise errors.CheckpointError(
                f"{job.folder} holds another fine-tuning: {'; '.join(differ)}. Name a new --output"
            )
        return
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
        files.write_atomically(path, json.dumps(wanted, indent=1, sort_keys=True) + "\n")
    except OSError as error:
        raise errors.CheckpointError(f"--output: {job.folder}: {error}") from error


def _fit(job: Job, model: classifier_model.ClassifierModel) -> None:
    settings = job.settings
    manager = checkpoints.Manager(model, str(job.folder), 1, {})
    manager.restore()
    if int(model.step.numpy()) >= job.steps:
        return

    def make_dataset(start_step: int) -> tf.data.Dataset:
        return job.make_batches(job.batch_size, start_step)

    def explain(error: tf.errors.OpError) -> Exception | None:
        return job.explain(error, int(model.step.numpy()))

    every, size = settings.log_every, job.batch_size
    with failures.naming_full_disks(str(job.folder)), failures.explaining(explain):
        callbacks = [
            progress.Progress(job.steps, every, size, shorter=_SHORTER),
            scalar_log.ScalarLog(str(job.folder), every, size),
            save_checkpoints.SaveCheckpoints(manager, settings.save_every),
        ]
        fitting.fit(
            model, make_dataset, callbacks, last=job.steps, steps_per_epoch=job.steps_per_epoch
        )


def _predict(job: Job, model: classifier_model.ClassifierModel) -> np.ndarray:
    """Scores [m, C] of the test clips, in the order of their records."""
    run, found = None, []
    with bars.Bar(total=job.num_test, desc="scoring", unit="clip") as bar:
        for batch in job.make_tests():
            clips = {modality: batch[modality] for modality in model.towers}
            if run is None:
                # For any number of clips: a last batch is shorter.
                signature = {
                    name: tf.TensorSpec([None, *value.shape[1:]], value.dtype)
                    for name, value in clips.items()
                }
                run = tf.function(
                    lambda clips: model.probabilities(clips, job.crops), input_signature=[signature]
                )
            found.append(run(clips).numpy())
            bar.update(len(found[-1]))
    return np.concatenate(found).astype(np.float64)
