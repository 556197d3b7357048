"""Writes the encoders of a run as SavedModels that need TensorFlow alone.

  python tools/export.py --checkpoint=RUN_DIR --output=DIR

DIR/video, DIR/audio and DIR/pair are folders that TensorFlow Serving takes as well. With --tflite
there are TFLite models besides, for phones:

  python tools/export.py --checkpoint=RUN_DIR --output=DIR --tflite=float32,float16,int8
"""

import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's chatter; errors are raised.

# Run from anywhere, installed or not.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import field_flags
from absl import flags, logging

from actcl_tf import config, tensorflow_log
from actcl_tf.console import commands
from actcl_tf.export import forms

_CHECKPOINT = flags.DEFINE_string("checkpoint", None, "Folder of the run.", required=True)
_WHICH = flags.DEFINE_string(
    "which",
    "auto",
    "Checkpoint of the run: latest, best (of its evaluations), auto (best if there is one, else "
    "latest), or the path of a checkpoint without .index.",
)
_OUTPUT = flags.DEFINE_string("output", None, "Folder to write to.", required=True)
_VERSION = flags.DEFINE_integer(
    "version", 1, "Number of this version; the folder may hold others. Applications take the last."
)
_PRECISION = flags.DEFINE_enum(
    "precision",
    "float32",
    forms.PRECISIONS,
    "What the SavedModels compute in; mixed_bfloat16 is faster on hardware that knows it.",
)
_TFLITE = flags.DEFINE_list(
    "tflite", [], f"TFLite models to write as well: {', '.join(forms.TFLITE)}."
)
_DATA_DIR = flags.DEFINE_string(
    "data_dir", "", "--tflite=int8: prepared data to calibrate on; empty: that of the run."
)
_CALIBRATION_CLIPS = flags.DEFINE_integer(
    "calibration_clips", 100, "--tflite=int8: clips to calibrate on."
)


def _export() -> str:
    """Loads the encoders and writes them; says how to use them."""
    forms.check(_TFLITE.value, _CALIBRATION_CLIPS.value)
    tensorflow_log.import_tensorflow()

    import tensorflow as tf

    from actcl_tf.export import exporting

    logging.set_verbosity(logging.ERROR)  # Or each variable of each graph is named.
    tf.get_logger().setLevel("ERROR")
    exported = exporting.export_run(
        _CHECKPOINT.value,
        _OUTPUT.value,
        which=_WHICH.value,
        version=_VERSION.value,
        precision=_PRECISION.value,
        tflite=_TFLITE.value,
        data_dir=_DATA_DIR.value,
        calibration_clips=_CALIBRATION_CLIPS.value,
    )
    return exporting.summary_text(exported)


def main(argv: list[str]) -> int:
    """Exports and shows how to use what was written; returns the exit status."""
    try:
        field_flags.require_no_arguments(argv)
        print(_export())
    except config.UserError as error:
        print(f"error: {commands.as_called(error)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    field_flags.run(main)
