"""The scalars of training, in TensorBoard and in RUN/scalars.jsonl."""

import json
import os
import pathlib
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from actcl_tf.storage import files
from actcl_tf.train.callbacks import step_callback
from actcl_tf.train.model import diagnosis, packed_logs
from actcl_tf.train.model import scalar_names as names


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
        constants: dict[str, float] | None = None,
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
        self._since: float | None = None

    def on_train_begin(self, logs: dict | None = None) -> None:
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

    def on_step(self, logs: dict | None) -> None:
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
        scalars.update(_memory())
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

    def close(self) -> None:
        """Makes sure that everything is on disk."""
        self.writer.flush()

    def pause(self, seconds: float) -> None:
        """Leaves time spent on something else, such as evaluation, out of the rates."""
        if self._since is not None:
            self._since += seconds


def _memory() -> dict[str, float]:
    """Memory of this process that is in RAM, in 10^9 bytes; nothing where the system is silent."""
    try:
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return {}
    return {names.RESIDENT: pages * os.sysconf("SC_PAGE_SIZE") / 1e9}
