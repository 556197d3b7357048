"""Reports what the sampler of a run puts into its dictionaries, in numbers and pictures.

  python tools/inspect_dictionary.py --checkpoint=RUN_DIR

Writes RUN_DIR/dictionary/report.html, which needs nothing beside it, and the same pictures and
numbers as files of their own.
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

_CHECKPOINT = flags.DEFINE_string("checkpoint", None, "Folder of the run.", required=True)
_WHICH = flags.DEFINE_string(
    "which",
    "latest",
    "Checkpoint of the run: latest, best (of its evaluations), or the path of a checkpoint without "
    ".index.",
)
_OUTPUT = flags.DEFINE_string("output", "", "Folder to write to; empty: RUN/dictionary.")
_DATA_DIR = flags.DEFINE_string(
    "data_dir", "", "The run's prepared data; empty: where it was in training."
)
_DRAWS = flags.DEFINE_integer("draws", 50, "How often to sample from the pools.", lower_bound=1)


def _inspect() -> None:
    tensorflow_log.import_tensorflow()

    from actcl_tf.inspection import findings, inspector

    run_dir = _CHECKPOINT.value
    output = _OUTPUT.value or str(pathlib.Path(run_dir) / "dictionary")
    found = inspector.inspect(
        run_dir,
        output,
        data_dir=_DATA_DIR.value,
        which=_WHICH.value,
        draws=_DRAWS.value,
    )
    print(f"\n{findings.console_table(found)}")
    pictures = [path.name for path in found.files if path.suffix == ".png"]
    print(f"{len(pictures)} pictures in {output}: {', '.join(pictures)}")
    print(f"The same numbers: {found.files[1]}")
    print(f"Look at the whole report in a browser: {found.files[0]}")
    arguments = (f"--checkpoint={run_dir}", f"--output={run_dir}/saved_model")
    print(f"Next: {commands.tool('export.py', *arguments)}")


def main(argv: list[str]) -> int:
    """Inspects and prints what was found; returns the exit status."""
    try:
        field_flags.require_no_arguments(argv)
        _inspect()
    except (config.UserError, OSError) as error:
        print(f"error: {commands.as_called(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command starts again", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    field_flags.run(main)
