"""Trains a video and an audio encoder by active contrastive learning, without labels.

With no data at hand, this makes a small data set of sounding objects and trains on it:

  python tools/train.py --flagfile=configs/pretrain.cfg

On your own videos, prepared with tools/prepare_data.py:

  python tools/train.py --flagfile=configs/pretrain.cfg --data_dir=DIR --run_dir=runs/mine

The same command goes on where a run was stopped.
"""

from __future__ import annotations

import os
import pathlib
import sys
from typing import TYPE_CHECKING

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's chatter; errors are raised.

import field_flags
import run_flags

from actcl_tf import config, tensorflow_log
from actcl_tf.console import commands
from actcl_tf.train.runs import errors

if TYPE_CHECKING:
    from actcl_tf.train import training_run


def _train(configuration: config.PretrainConfig) -> None:
    tensorflow_log.import_tensorflow()

    from actcl_tf.evaluate.monitor import during_training
    from actcl_tf.train import training_run

    run = training_run.TrainingRun(configuration)
    evaluation = during_training.build(configuration, run.facts)
    result = run.train(evaluate=evaluation.evaluate, publish=evaluation.publish)
    if result.is_chief:
        _report(run, result)


def _report(run: training_run.TrainingRun, result: training_run.RunResult) -> None:
    """Prints what was made, where it is and what to do next; writes result.json and figures."""
    from actcl_tf.data.input import skip_ledger
    from actcl_tf.evaluate.monitor import run_result
    from actcl_tf.evaluate.results import report, results
    from actcl_tf.reporting import curves

    run_dir = pathlib.Path(result.run_dir)
    print(f"\nTrained {result.step} steps; checkpoints, logs and results are in {run_dir}.")
    if result.skipped is not None and result.skipped.times:
        print(
            f"Left out: {result.skipped.num_records} bad record(s), {result.skipped.times} times "
            f"in all; {run_dir / skip_ledger.FILE_NAME} names them."
        )
    if result.trained:
        scores = {"initialised": result.initial, "trained": result.trained}
        results.write(run_dir, run_result.build_result(run.configuration, run.facts, scores))
        report.write_figure(run_dir / "result.png", **scores)
        print(report.summary_table(**scores))
        print(f"The same numbers: {run_dir / 'result.json'} and {run_dir / 'result.png'}")
    drawn = curves.draw(run_dir / "curves.png", curves.read(run_dir / "scalars.jsonl"))
    if drawn is not None:
        print(f"Loss, scores and dictionaries over the steps: {drawn}")
    board = [commands.python(), "-m", "tensorboard.main", f"--logdir={run_dir}"]
    print(f"Look at the course of training: {commands.join(board)}")
    arguments = (f"--checkpoint={run_dir}", f"--output={run_dir}/saved_model")
    print(f"Next: {commands.tool('export.py', *arguments)}")


def main(argv: list[str]) -> int:
    """Trains; returns the exit status."""
    try:
        field_flags.require_no_arguments(argv)
        _train(run_flags.read_configuration(writes=True))
    except (config.UserError, OSError) as error:
        print(f"error: {commands.as_called(error)}", file=sys.stderr)
        return 2
    except errors.Interrupted as stop:
        print(f"\nStopped: {stop}. Go on with:\n  {commands.this()}", file=sys.stderr)
        return 128 + stop.signal_number
    except errors.WorkerLost as error:
        print(f"error: {commands.as_called(error)}", file=sys.stderr, flush=True)
        sys.stdout.flush()
        os._exit(1)  # Leaving in order would wait for the worker that is gone.
    return 0


if __name__ == "__main__":
    field_flags.run(main)
