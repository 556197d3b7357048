"""Makes a data set of records out of videos, or out of a benchmark as it is downloaded.

  python tools/prepare_data.py --input=FOLDER_OF_ANY_VIDEOS --output=DATA_DIR
  python tools/prepare_data.py --dataset=ucf101 --input=FOLDER --output=DATA_DIR
  python tools/prepare_data.py --runner=dask --input=/nfs/A --output=/nfs/B --dask_scheduler=ADDRESS
  python tools/prepare_data.py --runner=beam --input=gs://A/B --output=gs://C/D -- BEAM_OPTIONS

An interrupted run goes on with the same command. Exit status: 0 done, 1 not one video is usable, 2
a wrong flag or folder, 3 more was left out than --max_failures allows, 130 interrupted.
"""

import os
import pathlib
import signal
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # Errors reach Python anyway.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import field_flags
from absl import flags

from actcl_tf import config, tensorflow_log
from actcl_tf.config import dataset_choice
from actcl_tf.console import commands
from actcl_tf.data.prepare import errors, prepare_settings

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "dataset", "folder", f"What --input holds: {dataset_choice.describe()}. A wrong layout is told."
)
flags.DEFINE_string(
    "input",
    None,
    "Folder of the data set. Of --dataset=folder, subfolders name the classes, and those called "
    "train, test or val (or training, eval, dev and the like, in any case) the splits. With --csv: "
    "where relative video paths start from.",
)
flags.DEFINE_string("csv", None, "CSV file: video_path[,start,end][,label][,split][,caption].")
flags.DEFINE_string("output", None, "Folder that the data set is written to.")
flags.DEFINE_string("fold", None, "Official split of ucf101, hmdb51, esc50: 1 (default)... or all.")
flags.DEFINE_bool("whole_videos", None, "Files named by a YouTube id alone are not cut yet.")
flags.DEFINE_bool("unlabelled", False, "Leave all labels out.")
flags.DEFINE_float("test_fraction", None, "Share drawn for testing, where no split is named (0.1).")
for _section in (prepare_settings.PrepareSettings, prepare_settings.Execution):
    field_flags.define(_section)


def _refuse_words(arguments: list[str]) -> None:
    """Refuses what is neither a flag nor an option of Beam, and says what may have been meant."""
    words = arguments if FLAGS.runner != "beam" else []
    if not words or words[0].startswith("-"):
        return
    named = "".join(word for word in words if word.startswith("-"))  # Not read: they follow a word.
    free = [n for n in ("input", "output") if not FLAGS[n].present and f"--{n}=" not in named]
    plain = [word for word in words if not word.startswith("-")]
    meant = [f"--{name}={word}" for name, word in zip(free, plain, strict=False)]
    hint = f"did you mean {' '.join(meant)}?" if meant else "flags look like --name=value"
    raise config.ConfigError(f"unexpected argument {words[0]}; {hint}")


def _prepare(pipeline_args: list[str]) -> None:
    _refuse_words(pipeline_args)
    settings = field_flags.read(
        prepare_settings.PrepareSettings
    )  # Wrong values come out before any work.
    execution = field_flags.read(prepare_settings.Execution, pipeline_args=tuple(pipeline_args))
    if not FLAGS.output or not (FLAGS.input or FLAGS.csv):
        missing = "input= (or --csv=)" if FLAGS.output else "output="
        raise config.ConfigError(f"--{missing}: must name a folder")
    options = {name: FLAGS[name].value for name in ("fold", "whole_videos", "test_fraction")}
    name, path = FLAGS.dataset, FLAGS.input
    if FLAGS.csv:
        name, path, options["folder"] = "csv", FLAGS.csv, FLAGS.input
    if name in ("csv", "folder"):
        options["seed"] = settings.seed
    dataset_choice.check(name, options)
    tensorflow_log.import_tensorflow()

    from actcl_tf.data import catalogs
    from actcl_tf.data.prepare import prepare, report

    catalog = catalogs.read(name, path, **options)
    if FLAGS.unlabelled:
        catalog = catalog.without_labels()
    summary = prepare.prepare(catalog, FLAGS.output, settings, execution)
    print(report.summary_text(summary))


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main(argv: list[str]) -> int:
    """Prepares the data set; returns the exit status."""
    # Ends the workers as Ctrl-C does.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        _prepare(argv[1:])
    except errors.NothingUsableError as error:
        from actcl_tf.data.prepare import report

        print(report.failure_lines(error.failures), file=sys.stderr)
        print(f"error: {commands.as_called(error)}", file=sys.stderr)
        return 3 if isinstance(error, errors.TooManyFailuresError) else 1
    except (config.UserError, OSError) as error:
        print(f"error: {commands.as_called(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted; the same command goes on where this one stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    field_flags.run(main)
