"""Puts the results of several evaluations side by side and says what differs beyond error bars.

  python tools/compare_runs.py DIR [DIR...] [--output=COMPARISON]
  python tools/compare_runs.py --results=DIR,DIR --output=COMPARISON

DIR is an --output of tools/evaluate.py, or a --run_dir of tools/train.py. With --output the table
is also written as Markdown, CSV and a page, with a figure.
"""

import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's chatter; errors are raised.

# Run from anywhere, installed or not.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import field_flags
from absl import flags

from actcl_tf import config, tensorflow_log
from actcl_tf.console import commands

_RESULTS = flags.DEFINE_list("results", [], "Folders of results; or name them without a flag.")
_OUTPUT = flags.DEFINE_string("output", "", "Folder to write to; empty: the table is only printed.")
_SCORE = flags.DEFINE_string(
    "score", "", "Score to rank by, such as mean_class_accuracy; empty: the first of each row."
)


def _compare(folders: list[str]) -> None:
    if not folders:
        raise config.ConfigError("--results=: must name one folder or several of tools/evaluate.py")
    tensorflow_log.import_tensorflow()

    from actcl_tf.evaluate.results import comparison

    groups = comparison.compare(comparison.read(folders), _SCORE.value)
    print(comparison.text(groups))
    if _OUTPUT.value:
        paths = comparison.write(pathlib.Path(_OUTPUT.value), groups)
        print(f"\nThe same as files: {', '.join(map(str, paths))}")
        print(f"Look at it in a browser: {paths[2]}")


def main(argv: list[str]) -> int:
    """Compares and prints; returns the exit status."""
    try:
        _compare([*_RESULTS.value, *argv[1:]])
    except (config.UserError, OSError) as error:
        print(f"error: {commands.as_called(error)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    field_flags.run(main)
