"""Tells what is in prepared data, shows some clips of it, and says what is wrong with it.

  python tools/inspect_records.py DATA_DIR
  python tools/inspect_records.py DATA_DIR --verify
  python tools/inspect_records.py DATA_DIR --write_manifest --frame_rate=10 --sample_rate=48000

DATA_DIR holds a data set, or one split of it. --write_manifest is for records that were made
elsewhere: it writes the manifests that training and evaluation need. Exit status: 0 all is well, 1
faults were found in the records, 2 a wrong flag or folder, 130 interrupted.
"""

import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # Errors reach Python anyway.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import field_flags
from absl import flags

from actcl_tf import config, tensorflow_log
from actcl_tf.console import commands

_DATA_DIR = flags.DEFINE_string("data_dir", "", "Folder of the data; or name it without a flag.")
_VERIFY = flags.DEFINE_bool(
    "verify", False, "Look at every frame too, and at nothing else: no sheet is drawn."
)
_WRITE_MANIFEST = flags.DEFINE_bool(
    "write_manifest", False, "Write manifest.json for the splits that have none."
)
_UNLABELLED = flags.DEFINE_bool(
    "unlabelled", False, "With --write_manifest: leave all labels of the records out."
)
_FRAME_RATE = flags.DEFINE_float(
    "frame_rate", 0, "Frames a second, where the records do not say; 0: they do.", lower_bound=0
)
_SAMPLE_RATE = flags.DEFINE_float(
    "sample_rate", 0, "Samples a second, where the records do not say; 0: they do.", lower_bound=0
)
_SHEET = flags.DEFINE_string("sheet", "", "PNG file to draw; empty: DATA_DIR/contact_sheet.png.")
_NO_SHEET = flags.DEFINE_bool("nosheet", False, "Draw no sheet.")
_CLIPS = flags.DEFINE_integer("clips", 8, "Clips on the sheet.", lower_bound=1, upper_bound=100)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the draw of these clips.")


def _inspect(arguments: list[str]) -> int:
    folders = [*arguments, *filter(None, [_DATA_DIR.value])]
    if len(folders) != 1:
        raise config.ConfigError(f"--data_dir={' '.join(folders)}: must name one folder")
    if _UNLABELLED.value and not _WRITE_MANIFEST.value:
        raise config.ConfigError("--unlabelled: must come with --write_manifest")
    tensorflow_log.import_tensorflow()

    from actcl_tf.inspection import records_inspector

    draws = not (_NO_SHEET.value or _VERIFY.value)
    inspection = records_inspector.Inspection(
        folders[0],
        every_frame=_VERIFY.value or _WRITE_MANIFEST.value,
        num_drawn=_CLIPS.value if draws else 0,
        seed=_SEED.value,
        frame_rate=_FRAME_RATE.value,
        sample_rate=_SAMPLE_RATE.value,
    )
    faults = inspection.faults()
    if _WRITE_MANIFEST.value and not faults:
        print("\n".join(inspection.write_manifests(unlabelled=_UNLABELLED.value)), end="\n\n")
    print(inspection.describe(), flush=True)
    if faults:
        print("\n".join(["", *faults]), file=sys.stderr)
        print(f"error: {len(faults)} faults, each named above", file=sys.stderr)
    elif _VERIFY.value:
        print(f"\nVerified: all {inspection.num_clips} clips are whole.")
    if draws and inspection.drawn:
        sheet = inspection.write_sheet(_SHEET.value or None)
        print(f"\n{len(inspection.drawn)} clips to look at: {sheet}")
    return 1 if faults else 0


def main(argv: list[str]) -> int:
    """Inspects the data; returns the exit status."""
    try:
        return _inspect(argv[1:])
    except (config.UserError, OSError) as error:
        print(f"error: {commands.as_called(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    field_flags.run(main)
