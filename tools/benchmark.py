"""Measures the training step, several ways side by side in one run.

  python tools/benchmark.py --flagfile=configs/pretrain.cfg --compare=active,random

Each way of choosing negatives gets its own model; their steps take turns, so that a machine whose
speed drifts treats them alike. Batches are the same and are made beforehand, so what is timed is
the step alone.
"""

import dataclasses
import json
import os
import pathlib
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import run_flags
import tensorflow as tf
from absl import app, flags
from tqdm import tqdm

from actcl_tf import config
from actcl_tf.data import records
from actcl_tf.train import loop, strategy

_COMPARE = flags.DEFINE_list(
    "compare", ["active", "random"], "Values of --negatives to time; ratios are to the last."
)
_TIMED_STEPS = flags.DEFINE_integer("timed_steps", 30, "Timed steps of each.", lower_bound=1)
_OUTPUT = flags.DEFINE_string("output", "", "JSON file to write the figures to as well.")


def _stepper(configuration: config.PretrainConfig, batches: list) -> callable:
    """A function that runs one training step and waits for its end; the pools are full."""
    model = loop.build_model(
        configuration,
        loop.check(configuration),
        strategy.resolve_precision(configuration.train.precision),
    )
    step = tf.function(model.train_step, reduce_retracing=True)

    def run(index: int) -> None:
        step(batches[index % len(batches)])["loss"].numpy()

    fill = configuration.contrast.pool_size // configuration.train.batch_size + 1
    for index in tqdm(range(min(fill, len(batches))), desc=configuration.contrast.negatives):
        run(index)
    return run


def main(argv: list[str]) -> int:
    """Times and prints a table; returns the exit status."""
    del argv
    try:
        base = run_flags.read_configuration()
        chosen = [
            dataclasses.replace(base, contrast=dataclasses.replace(base.contrast, negatives=name))
            for name in _COMPARE.value
        ]
        epoch = loop.check(base).num_clips // base.train.batch_size
        batches = list(loop.make_train_dataset(base, start_step=0).take(epoch))
    except (config.ConfigError, records.DataError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    steppers = [_stepper(configuration, batches) for configuration in chosen]
    seconds = np.zeros([_TIMED_STEPS.value, len(steppers)])
    for row in tqdm(range(_TIMED_STEPS.value), desc="timing", unit="round"):
        for column, run in enumerate(steppers):
            started = time.perf_counter()
            run(row)
            seconds[row, column] = time.perf_counter() - started
    ratios = seconds / seconds[:, -1:]
    print(f"{'negatives':12}{'s/step':>10}{'clips/s':>10}   ratio to {_COMPARE.value[-1]}")
    figures = {}
    for column, name in enumerate(_COMPARE.value):
        median = float(np.median(seconds[:, column]))
        low, ratio, high = (float(x) for x in np.percentile(ratios[:, column], [25, 50, 75]))
        rate = base.train.batch_size / median
        print(f"{name:12}{median:10.4f}{rate:10.1f}   {ratio:.3f} [{low:.3f}, {high:.3f}]")
        figures[name] = {"seconds": median, "ratio": ratio, "quartiles": [low, high]}
    print(f"Medians of {len(seconds)} paired steps; in brackets, quartiles of the paired ratio.")
    if _OUTPUT.value:
        text = json.dumps({"figures": figures, "config": base.to_dict()}, indent=2) + "\n"
        records.write_atomically(pathlib.Path(_OUTPUT.value), text)
        print(f"The same numbers: {_OUTPUT.value}")
    return 0


if __name__ == "__main__":
    app.run(main)
