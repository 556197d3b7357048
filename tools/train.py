"""Trains a video and an audio encoder by active contrastive learning, without labels.

With no data at hand, this makes a small data set of sounding objects and trains on it:

  python tools/train.py --flagfile=configs/pretrain.cfg

On your own videos, prepared with tools/prepare_data.py:

  python tools/train.py --flagfile=configs/pretrain.cfg --data_dir=DIR --run_dir=runs/mine

The same command goes on where a run was stopped.
"""

import os
import pathlib
import shlex
import sys
from typing import Optional

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's chatter; errors are raised.

import field_flags
import run_flags
from absl import app

from actcl_tf import config
from actcl_tf.data import pipeline, records, synthetic
from actcl_tf.evaluate import held_out, probes, report
from actcl_tf.train import callbacks, checkpointing, failures, loop


def _evaluator(
    configuration: config.PretrainConfig, facts: checkpointing.DataFacts
) -> Optional[held_out.Evaluator]:
    """What measures the encoders on held-out clips; None without --eval_split."""
    if not configuration.data.eval_split:
        return None
    datasets = [
        pipeline.build_eval_dataset(
            configuration.data,
            split=split,
            batch_size=min(configuration.train.batch_size, 32),
            num_windows=configuration.train.eval_windows,
        )
        for split in (configuration.data.train_split, configuration.data.eval_split)
    ]
    return held_out.Evaluator(
        *datasets,
        probe_pattern=configuration.train.probe_pattern,
        classes=facts.classes,
        seed=configuration.train.seed,
    )


def _report(configuration: config.PretrainConfig, result: loop.RunResult) -> None:
    """Prints what was made, where it is and what to do next; writes result.json and a figure."""
    run_dir = pathlib.Path(result.run_dir)
    print(f"\nTrained {result.step} steps; checkpoints, logs and results are in {run_dir}.")
    if result.trained:
        facts = {"step": result.step, "config": configuration.to_dict()}
        scores = {"initialised": result.initial, "trained": result.trained}
        report.write_result(run_dir / "result.json", **scores, facts=facts)
        report.write_figure(run_dir / "result.png", **scores)
        print(report.summary_table(**scores))
        print(f"The same numbers: {run_dir / 'result.json'} and {run_dir / 'result.png'}")
    print(f"Look at the course of training: .venv/bin/tensorboard --logdir={run_dir}/tensorboard")
    print(f"Next: python tools/export.py --checkpoint={run_dir} --output={run_dir}/saved_model")


def main(argv: list[str]) -> int:
    """Trains; returns the exit status."""
    try:
        if len(argv) > 1:
            raise config.ConfigError(f"unexpected argument {argv[1]}; flags look like --name=value")
        configuration = run_flags.read_configuration()
        facts = loop.check(configuration)
        result = loop.run(configuration, evaluate=_evaluator(configuration, facts))
    except (
        config.ConfigError,
        records.DataError,
        synthetic.SyntheticError,
        checkpointing.CheckpointError,
        failures.NonFiniteError,
        probes.ProbeError,
        OSError,
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except callbacks.Interrupted as stop:
        command = shlex.join(["python", *sys.argv])
        print(f"\nStopped: {stop}. Go on with:\n  {command}", file=sys.stderr)
        return 128 + stop.signal_number
    _report(configuration, result)
    return 0


if __name__ == "__main__":
    app.run(main, flags_parser=field_flags.parse)
