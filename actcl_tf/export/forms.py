"""The forms that encoders are exported in; nothing here needs TensorFlow."""

from collections.abc import Sequence

from actcl_tf import config

# What SavedModels compute in.
PRECISIONS = ("float32", "mixed_bfloat16")
# Numbers of TFLite models.
TFLITE = ("float32", "float16", "int8")


def check(tflite: Sequence[str], calibration_clips: int) -> None:
    """Raises ConfigError where --tflite or --calibration_clips is wrong."""
    for kind in tflite:
        if kind not in TFLITE:
            allowed = ", ".join(TFLITE)
            raise config.ConfigError(f"--tflite={kind}: must be of {allowed}")
    if calibration_clips < 1:
        raise config.ConfigError(f"--calibration_clips={calibration_clips}: must be at least 1")
