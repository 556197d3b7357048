"""Times the training step, whole and in parts, in several precisions and with several negatives.

All ways take turns within each round, on batches made beforehand and with full pools: one whole
step, then one step part by part. What the whole takes beyond its parts is "everything else": the
loss, the scalars and whatever the pieces do not show; it is less than nothing where the whole runs
parts side by side that here run one after the other, as it may with query and key encoders.

Each round multiplies two large matrices as well: that is the yardstick of the encoders' arithmetic,
and tells the rounds in which other programs had a part of the device, which count in no figure.

The input pipeline is timed by itself, before the steps, where there is data. Peak memory is that of
a process of its own that takes three whole steps.
"""

import concurrent.futures
import multiprocessing
import time
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from actcl_tf import config
from actcl_tf.benchmark import arithmetic, host
from actcl_tf.benchmark.step import setup, step_parts
from actcl_tf.benchmark.step.step_settings import Settings
from actcl_tf.console import bars
from actcl_tf.train.model import scalar_names
from actcl_tf.train.runs import run_folder

_WARM_UP = 2  # Steps of each kind before the clock starts.


class Way(NamedTuple):
    """What was measured of one way to train.

    Attributes:
      precision: of `step_settings.PRECISIONS`.
      negatives: how they are chosen.
      whole: [rounds] seconds of a step.
      parts: part -> [rounds] seconds, of `step_parts.PARTS`; of the data, the augmentation on the
        device alone.
      multiply_adds: part -> of a step; of `step_parts.ENCODERS`.
      peak_bytes: resident memory at its peak; None where that was not measured.
    """

    precision: str
    negatives: str
    whole: np.ndarray
    parts: dict[str, np.ndarray]
    multiply_adds: dict[str, int]
    peak_bytes: int | None


class Result(NamedTuple):
    """What was measured.

    Attributes:
      ways: in the order of precisions, and of negatives within each.
      products: precision -> [rounds] multiply-adds a second of the product of two large matrices.
      input_seconds: that the input pipeline takes for a batch; None without data.
      batch_size: clips a step.
    """

    ways: list[Way]
    products: dict[str, np.ndarray]
    input_seconds: float | None
    batch_size: int


class _Stepper:
    """One way to train, ready to step."""

    def __init__(
        self,
        run: config.PretrainConfig,
        facts: run_folder.DataFacts,
        precision: str,
        negatives: str,
    ) -> None:
        model = setup.build_model(run, facts, precision, negatives)
        self._whole = step_parts.compiled(model.train_step)
        self.parts = step_parts.StepInParts(model)

    def whole(self, batch: setup.Batch) -> float:
        """Seconds of a whole step."""
        started = time.perf_counter()
        self._whole(batch)[scalar_names.LOSS].numpy()
        tf.test.experimental.sync_devices()
        return time.perf_counter() - started


def measure(run: config.PretrainConfig, settings: Settings) -> Result:
    """Times training steps.

    Args:
      run: the configuration, but for its precision and how its negatives are chosen; without a
        `data_dir`, the clips are noise.
      settings: what is compared, and how often.

    Raises:
      config.ConfigError: a wrong value.
      records.DataError: the data is missing or damaged.
    """
    if run.train.accumulate_steps > 1:
        raise config.ConfigError(
            f"--accumulate_steps={run.train.accumulate_steps}: steps are taken apart that encode "
            "their clips at once; leave it at 1"
        )
    names = [(p, negatives) for p in settings.precisions for negatives in settings.compare]
    facts, input_seconds = setup.find_facts(run), None
    if run.data.data_dir:
        input_seconds = setup.seconds_a_batch(run, settings.timed_steps)
    peaks = [
        _peak(run, *name) if settings.peak_memory else None for name in bars.Bar(names, "memory")
    ]
    batches = setup.make_batches(run, facts)
    # All are built before any runs: seeding one makes TensorFlow compile the others again.
    steppers = [_Stepper(run, facts, *name) for name in names]
    for stepper in bars.Bar(steppers, "compiling", unit="way"):
        for batch in batches[:_WARM_UP]:
            stepper.whole(batch)
            stepper.parts.step(batch)
    rounds = settings.timed_steps
    meters = {p: arithmetic.multiplier(tf.as_dtype(p)) for p in settings.precisions}
    products = {precision: np.zeros([rounds]) for precision in meters}
    whole = np.zeros([len(names), rounds])
    parts = [{part: np.zeros([rounds]) for part in step_parts.PARTS} for _ in names]
    for row in bars.Bar(range(rounds), "timing", unit="round"):
        batch = batches[row % len(batches)]
        for precision, multiply in meters.items():
            products[precision][row] = multiply()
        for index, stepper in enumerate(steppers):
            whole[index, row] = stepper.whole(batch)
            for part, seconds in stepper.parts.step(batch).items():
                parts[index][part][row] = seconds
    ways = [
        Way(*name, whole[i], parts[i], _multiply_adds(steppers[i].parts, batches[0]), peaks[i])
        for i, name in enumerate(names)
    ]
    return Result(ways, products, input_seconds, run.train.batch_size)


def _multiply_adds(parts: step_parts.StepInParts, batch: setup.Batch) -> dict[str, int]:
    counts = {part: arithmetic.multiply_adds(g) for part, g in parts.graphs(batch).items()}
    counts["backward"] -= counts["query forward"]  # Which its graph holds as well.
    return counts


def _peak(run: config.PretrainConfig, precision: str, negatives: str) -> int | None:
    """Peak memory of a fresh process that trains."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as fresh:
        return fresh.submit(_train_and_look, run, precision, negatives).result()


def _train_and_look(run: config.PretrainConfig, precision: str, negatives: str) -> int | None:
    facts = setup.find_facts(run)
    (batch, *_) = setup.make_batches(run, facts)
    step = step_parts.compiled(setup.build_model(run, facts, precision, negatives).train_step)
    for _ in range(_WARM_UP + 1):
        step(batch)[scalar_names.LOSS].numpy()
    return host.peak_bytes()
