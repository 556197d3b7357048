"""Times the training step under several ways of choosing negatives, side by side."""

import dataclasses
import time
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from actcl_tf import config
from actcl_tf.train import loop, scalar_names, strategy


def measure(base: config.PretrainConfig, names: Sequence[str], timed_steps: int) -> np.ndarray:
    """Times training steps on batches made beforehand; the ways take turns within each round.

    Args:
      base: the run, but for how its negatives are chosen.
      names: values of `negatives`.
      timed_steps: rounds, at least 1.

    Returns:
      [timed_steps, len(names)] float64, seconds.

    Raises:
      config.ConfigError: a wrong value.
      records.DataError: the data is missing or damaged.
    """
    chosen = [
        dataclasses.replace(base, contrast=dataclasses.replace(base.contrast, negatives=name))
        for name in names
    ]
    epoch = loop.check(base).num_clips // base.train.batch_size
    batches = list(loop.make_train_dataset(base, start_step=0).take(epoch))
    steppers = [_stepper(configuration, batches) for configuration in chosen]
    seconds = np.zeros([timed_steps, len(steppers)])
    for row in tqdm(range(timed_steps), desc="timing", unit="round"):
        for column, run in enumerate(steppers):
            started = time.perf_counter()
            run(row)
            seconds[row, column] = time.perf_counter() - started
    return seconds


def summarise(seconds: np.ndarray, names: Sequence[str], batch_size: int) -> tuple[dict, str]:
    """What `measure` found, as figures by name and as a table; ratios are to the last name."""
    ratios = seconds / seconds[:, -1:]
    lines = [f"{'negatives':12}{'s/step':>10}{'clips/s':>10}   ratio to {names[-1]}"]
    figures = {}
    for column, name in enumerate(names):
        median = float(np.median(seconds[:, column]))
        low, ratio, high = (float(x) for x in np.percentile(ratios[:, column], [25, 50, 75]))
        rate = batch_size / median
        lines.append(f"{name:12}{median:10.4f}{rate:10.1f}   {ratio:.3f} [{low:.3f}, {high:.3f}]")
        figures[name] = {"seconds": median, "ratio": ratio, "quartiles": [low, high]}
    lines.append(
        f"Medians of {len(seconds)} paired steps; in brackets, quartiles of the paired ratio."
    )
    return figures, "\n".join(lines)


def _stepper(configuration: config.PretrainConfig, batches: list) -> Callable[[int], None]:
    """A function that runs one training step and waits for its end; the pools are full."""
    model = loop.build_model(
        configuration,
        loop.check(configuration),
        strategy.resolve_precision(configuration.train.precision),
    )
    step = tf.function(model.train_step, reduce_retracing=True)

    def run(index: int) -> None:
        step(batches[index % len(batches)])[scalar_names.LOSS].numpy()

    fill = configuration.contrast.pool_size // configuration.train.batch_size + 1
    for index in tqdm(range(min(fill, len(batches))), desc=configuration.contrast.negatives):
        run(index)
    return run
