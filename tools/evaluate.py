"""Measures encoders by the protocols of the literature: tables, pictures and error bars.

  python tools/evaluate.py --checkpoint=runs/pretrain --data_dir=data/mine --protocol=linear

Writes OUTPUT/result.json and OUTPUT/report.html, and says how to put several results side by side.
Settings of the model and of its input are those of the checkpoint unless named here.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's chatter; errors are raised.

import evaluation_flags
import field_flags

from actcl_tf import config
from actcl_tf.console import commands
from actcl_tf.train.runs import errors


def _evaluate() -> None:
    plan = evaluation_flags.read_plan()

    from actcl_tf.evaluate import evaluation
    from actcl_tf.evaluate.results import result_page, results, score_tables

    result, neighbours = evaluation.run(plan)
    plan.output.mkdir(parents=True, exist_ok=True)
    results.write(plan.output, result)
    page = result_page.write(plan.output, result, neighbours)
    print(f"\n{score_tables.text(result)}\n")
    print(f"The same numbers: {plan.output / results.FILE_NAME}")
    print(f"Look at the whole report in a browser: {page}")
    command = commands.tool("compare_runs.py", str(plan.output), "OTHER_DIR")
    print(f"Next to other results: {command}")


def main(argv: list[str]) -> int:
    """Measures and prints a table; returns the exit status."""
    try:
        field_flags.require_no_arguments(argv)
        _evaluate()
    except (config.UserError, OSError) as error:
        print(f"error: {commands.as_called(error)}", file=sys.stderr)
        return 2
    except errors.Interrupted as stop:
        print(f"\nStopped: {stop}. Go on with:\n  {commands.this()}", file=sys.stderr)
        return 128 + stop.signal_number
    except KeyboardInterrupt:
        print("interrupted; the same command uses what features are there", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    field_flags.run(main)
