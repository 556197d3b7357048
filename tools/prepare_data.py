"""Makes a data set of records out of videos.

python tools/prepare_data.py --input=FOLDER_OF_ANY_VIDEOS --output=DATA_DIR
"""

import dataclasses
import os
import pathlib
import signal
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # Errors reach Python anyway.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from absl import app, flags

from actcl_tf.data import catalogs, prepare, prepare_report, shard_writing

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "input",
    None,
    "Folder of videos. Its subfolders name the classes; subfolders train, test, val and validation "
    "at the top name the splits. With --csv: the folder that relative video paths start from.",
)
flags.DEFINE_string("csv", None, "CSV file with columns video_path,start,end,label (seconds).")
flags.DEFINE_string("output", None, "Folder that the data set is written to.")
flags.DEFINE_bool("unlabelled", False, "Ignore the names of subfolders, or the labels of --csv.")
flags.DEFINE_float(
    "test_fraction", 0.1, "Share of the videos drawn for the test split, where none is named."
)
flags.DEFINE_integer("num_workers", None, "Processes; one a core by default.")
flags.DEFINE_bool("strict", False, "Stop with an error if any video is not usable.")
for _field in dataclasses.fields(shard_writing.Settings):
    _define = {float: flags.DEFINE_float, int: flags.DEFINE_integer}[_field.type]
    _define(_field.name, _field.default, _field.metadata["help"])


def _run() -> prepare.Summary:
    if not FLAGS.output:
        raise ValueError("--output=: must name the folder that the data set is written to")
    if not (FLAGS.input or FLAGS.csv):
        raise ValueError("--input=: must name a folder of videos (or --csv a file)")
    catalogs.check_test_fraction(FLAGS.test_fraction)
    settings = {f.name: FLAGS[f.name].value for f in dataclasses.fields(shard_writing.Settings)}
    shard_writing.Settings(**settings)  # Wrong values are found before videos are looked for.
    draw = {name: FLAGS[name].value for name in ("unlabelled", "test_fraction", "seed")}
    if FLAGS.csv:
        clips = catalogs.from_csv(FLAGS.csv, folder=FLAGS.input or "", **draw)
    else:
        clips = catalogs.from_folder(FLAGS.input, **draw)
    return prepare.prepare(
        clips, FLAGS.output, num_workers=FLAGS.num_workers, strict=FLAGS.strict, **settings
    )


def main(argv: list[str]) -> int:
    """Prepares the data set; returns the exit status."""
    # Ends the workers as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        if len(argv) > 1:
            raise ValueError(f"{argv[1]}: not a flag; videos are named by --input=FOLDER")
        summary = _run()
    except prepare.NothingUsableError as error:
        print(prepare_report.failure_lines(error.failures), file=sys.stderr)
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except (ValueError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; the same command goes on where this one stopped.", file=sys.stderr)
        return 130
    print(prepare_report.summary_text(summary))
    return 0


def _parse_flags(argv: list[str]) -> list[str]:
    try:
        return FLAGS(argv)
    except flags.Error as error:
        sys.exit(f"Error: {' '.join(str(error).split())}")


if __name__ == "__main__":
    app.run(main, flags_parser=_parse_flags)
