"""Keras callbacks: progress, scalars, checkpoints and signals, evaluation, pool redraw."""

import json
import os
import pathlib
import signal
import time
from collections.abc import Iterable
from typing import Any, Callable, Optional

import numpy as np
import tensorflow as tf

from actcl_tf.storage import files
from actcl_tf.train.callbacks import step_callback
from actcl_tf.train.model import diagnosis, packed_logs, pretrain_model
from actcl_tf.train.model import scalar_names as names
from actcl_tf.train.placement import workers as workers_lib
from actcl_tf.train.runs import checkpointing
from actcl_tf.train.runs.errors import Interrupted

Evaluate = Callable[[tf.keras.Model, tf.keras.Model], dict[str, float]]


def logdir(run_dir: str) -> pathlib.Path:
    """The folder of a run that TensorBoard's files are in."""
    return pathlib.Path(run_dir) / "tensorboard"


class ScalarLog(step_callback.StepCallback):
    """Writes the step's scalars to TensorBoard and to RUN/scalars.jsonl every few steps."""

    def __init__(
        self,
        run_dir: str,
        every: int,
        batch_size: int,
        constants: Optional[dict[str, float]] = None,
        diagnostics_every: int = 0,
        count: Callable[[], dict[str, float]] = dict,
    ):
        """Opens the files.

        Args:
          run_dir: folder of the run.
          every: steps between records.
          batch_size: clips a step, for the rate.
          constants: shown with the other scalars.
          diagnostics_every: steps between figures of the dictionaries; 0 for none.
          count: asked for further scalars at each record.
        """
        super().__init__()
        self._every = every
        self._batch_size = batch_size
        self._constants = dict(constants or {})
        self._diagnostics_every = diagnostics_every
        self._count = count
        self._lines = pathlib.Path(run_dir) / "scalars.jsonl"
        self.writer = tf.summary.create_file_writer(str(logdir(run_dir)))
        self._recorded_step = 0
        self._since_record: list[dict] = []  # The logs of the steps since the last record.
        self._since: Optional[float] = None

    def on_train_begin(self, logs: Optional[dict] = None) -> None:
        """Drops what a killed run wrote after its last checkpoint."""
        super().on_train_begin(logs)
        self._recorded_step = self.step
        self._keep_lines(lambda record: record["step"] <= self.step)
        self._since = time.perf_counter()

    def _keep_lines(self, wanted: Callable[[dict], bool]) -> None:
        """Drops the lines that are not wanted, and one that was cut off."""
        if not self._lines.exists():
            return
        lines = self._lines.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if line.endswith("}") and wanted(json.loads(line))]
        if kept != lines:
            files.write_atomically(self._lines, "".join(f"{line}\n" for line in kept))

    def on_step(self, logs: Optional[dict]) -> None:
        """Records the step if its turn has come."""
        step = self.step
        self._since_record.append(logs)
        if self._diagnostics_every and step % self._diagnostics_every == 0:
            scalars = packed_logs.read(self.model, logs)
            figures = {n: value for n, value in scalars.items() if diagnosis.is_diagnostic(n)}
            self.write(step, {n: value for n, value in figures.items() if not np.isnan(value)})
        if step % self._every:
            return
        now = time.perf_counter()
        steps_a_second = (step - self._recorded_step) / (now - self._since)
        records = [packed_logs.read(self.model, each) for each in self._since_record]
        scalars = {
            name: value
            for name, value in records[-1].items()
            if name != "data_wait" and not diagnosis.is_diagnostic(name)
        }
        scalars[names.STEPS_PER_SECOND] = steps_a_second
        scalars[names.CLIPS_PER_SECOND] = steps_a_second * self._batch_size
        if "data_wait" in records[-1]:
            waits = [record["data_wait"] for record in records]
            scalars[names.DATA_WAIT] = float(np.mean(waits))
        scalars.update(memory())
        scalars.update(self._constants)
        scalars.update(self._count())
        rate = self.model.optimizer.learning_rate
        rate = rate(step - 1) if callable(rate) else rate
        scalars[names.LEARNING_RATE] = float(tf.convert_to_tensor(rate))
        self._recorded_step, self._since_record, self._since = step, [], now
        self.write(step, scalars)

    def write(self, step: int, scalars: dict[str, float]) -> None:
        """Writes scalars of a step to both places."""
        with self.writer.as_default(step=step):
            for name, value in scalars.items():
                tf.summary.scalar(name, value)
        written = files.naming(self._lines, "written")
        with written, self._lines.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **scalars}) + "\n")

    def write_anew(self, step: int, scalars: dict[str, float]) -> None:
        """As `write`, of what an earlier process may have written of this step already."""
        same = {"step", *scalars}
        self._keep_lines(lambda record: record["step"] != step or record.keys() != same)
        self.write(step, scalars)

    def on_train_end(self, logs: Optional[dict] = None) -> None:
        """Makes sure that everything is on disk."""
        self.writer.flush()

    def pause(self, seconds: float) -> None:
        """Leaves time spent on something else, such as evaluation, out of the rates."""
        if self._since is not None:
            self._since += seconds


def memory() -> dict[str, float]:
    """Memory of this process that is in RAM, in 10^9 bytes; nothing where the system is silent."""
    try:
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return {}
    return {names.RESIDENT: pages * os.sysconf("SC_PAGE_SIZE") / 1e9}


class SaveCheckpoints(step_callback.StepCallback):
    """Saves every few steps and at the end, and on SIGTERM or SIGINT before stopping.

    A signal to one of several workers makes all of them save, after the same step, and stop.
    """

    def __init__(
        self,
        checkpoints: checkpointing.Checkpoints,
        every: int,
        workers: Optional[workers_lib.Workers] = None,
    ):
        """Takes the manager that saves.

        Args:
          checkpoints: where to save to.
          every: steps between checkpoints.
          workers: the processes that train together; None for this one alone.
        """
        super().__init__()
        self._checkpoints = checkpoints
        self._every = every
        self._workers = workers or workers_lib.Workers()
        self._saved_step = -1
        self._signal: Optional[int] = None
        self._previous: dict[int, Any] = {}

    def on_train_begin(self, logs: Optional[dict] = None) -> None:
        """Takes over the signals; only the main thread can."""
        super().on_train_begin(logs)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._previous[number] = signal.signal(number, self._remember)

    def _remember(self, number: int, frame: Any) -> None:
        self._signal = number

    def on_step(self, logs: Optional[dict]) -> None:
        """Saves if due; ends the run if a signal came during the step."""
        if self._workers.any(self._signal is not None):
            self._save()
            self.restore_signals()
            raise Interrupted(self._signal or signal.SIGTERM)
        if self.step % self._every == 0:
            self._save()

    def on_train_end(self, logs: Optional[dict] = None) -> None:
        """Saves the end and gives the signals back."""
        self._save()
        self.restore_signals()

    def _save(self) -> None:
        if self.step != self._saved_step:
            self._checkpoints.save()
            self._saved_step = self.step

    def restore_signals(self) -> None:
        """Puts back the signal handlers that were there before training."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}


class Evaluation(step_callback.StepCallback):
    """Evaluates the query towers every few steps and keeps the best checkpoint."""

    def __init__(
        self,
        evaluate: Evaluate,
        every: int,
        log: ScalarLog,
        checkpoints: checkpointing.Checkpoints,
        publish: Optional[Callable[[int], None]] = None,
        workers: Optional[workers_lib.Workers] = None,
        towers: Optional[Callable[[], dict[str, tf.keras.Model]]] = None,
    ):
        """Takes what to call and where to write.

        Args:
          evaluate: (video tower, audio tower) -> name to number.
          every: steps between evaluations; 0 for none during training.
          log: scalars go here, under "eval/".
          checkpoints: the best checkpoint is kept here.
          publish: called with the step after each evaluation, to show more than numbers.
          workers: the processes that train together; None for this one alone.
          towers: gives the query towers to evaluate, called on all workers; None: the model's own.
        """
        super().__init__()
        self._evaluate = evaluate
        self._every = every
        self._log = log
        self._checkpoints = checkpoints
        self._publish = publish
        self._workers = workers or workers_lib.Workers()
        self._towers = towers
        self._evaluated: tuple[int, dict[str, float]] = (-1, {})

    def on_step(self, logs: Optional[dict]) -> None:
        """Evaluates if its turn has come."""
        if self._every and self.step % self._every == 0:
            self.run(self.model)

    def run(self, model: pretrain_model.PretrainModel) -> dict[str, float]:
        """Evaluates a model now, logs the numbers and saves the checkpoint if it is the best.

        Of several workers only the chief evaluates, and the others get no scores.
        """
        started = time.perf_counter()
        step = int(model.step.numpy())
        if step == self._evaluated[0]:
            return self._evaluated[1]
        towers = model.query_towers if self._towers is None else self._towers()
        scores, best = {}, False
        if self._workers.is_chief:
            scores = self._evaluate(towers["video"], towers["audio"])
            self._log.write_anew(step, {names.evaluation(k): v for k, v in scores.items()})
            best = self._checkpoints.is_best(selection_score(scores))
        if self._workers.any(best):
            self._checkpoints.save_best(selection_score(scores) if scores else 0.0)
        if self._publish is not None and self._workers.is_chief:
            self._publish(step)
        self._log.pause(time.perf_counter() - started)
        self._evaluated = (step, scores)
        return scores


def selection_score(scores: dict[str, float]) -> float:
    """What the best checkpoint is chosen by: mean reciprocal rank of cross-modal retrieval."""
    ranks = [value for name, value in scores.items() if name.endswith("mean_reciprocal_rank")]
    if not ranks:
        raise ValueError(f"no mean_reciprocal_rank among the scores: {sorted(scores)}")
    return float(np.mean(ranks))


class RedrawPool(tf.keras.callbacks.Callback):
    """--pool=epoch: at the start of every epoch N random clips are encoded into the pools."""

    def __init__(
        self,
        clips_of_epoch: Callable[[int], Iterable[dict[str, tf.Tensor]]],
        strategy: tf.distribute.Strategy,
    ):
        """Takes where the clips come from.

        Args:
          clips_of_epoch: epoch -> batches of random training clips, distributed.
          strategy: what the model was built under.
        """
        super().__init__()
        self._supports_tf_logs = True
        self._clips_of_epoch = clips_of_epoch
        self._strategy = strategy
        self._fill = None

    def on_epoch_begin(self, epoch: int, logs: Optional[dict] = None) -> None:
        """Redraws the pools, unless they are this epoch's: restored in the middle of it."""
        if int(self.model.pool_epoch.numpy()) == epoch:
            return
        if self._fill is None:

            @tf.function(reduce_retracing=True)
            def fill(batch: dict[str, tf.Tensor]) -> None:
                self._strategy.run(self.model.fill_pools_step, args=(batch,))

            self._fill = fill
        with self._strategy.scope():
            for target in self.model.dictionaries.values():
                self._strategy.run(target.pool.clear)
        for batch in self._clips_of_epoch(epoch):
            self._fill(batch)
        self.model.pool_epoch.assign(epoch)
