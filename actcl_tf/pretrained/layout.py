"""The folder of an export: which files are where, and what is said of the encoders.

DIR/video/VERSION/    SavedModel of the video encoder
DIR/audio/VERSION/    SavedModel of the audio encoder
DIR/pair/VERSION/     SavedModel of both, written last
DIR/tflite/VERSION/   TFLite models, where they were asked for

Each SavedModel holds the description of the encoders as an asset, and each of the three folders is
one that TensorFlow Serving takes.
"""

import pathlib
from typing import Any

from actcl_tf import config
from actcl_tf.storage import strict_json

VIDEO, AUDIO, PAIR, TFLITE = "video", "audio", "pair", "tflite"
METADATA = "metadata.json"
FORMAT = 2  # Raised when an older program could not use an export any more.
# Numbers that this package uses of the description, all above 0.
_USED = {"frame_rate": float, "sample_rate": int, "num_audio_samples": int, "image_size": int}


class PretrainedError(config.UserError, ValueError):
    """A folder that holds no usable export; the message says why and what to do.

    Example:
      >>> try:
      ...     actcl_tf.load("models/none")
      ... except actcl_tf.PretrainedError as error:
      ...     print("models/none" in str(error))
      True
    """


def versions(folder: pathlib.Path) -> list[int]:
    """Versions of an export, in order; none if the folder is not one.

    Args:
      folder: DIR.
    """
    names = [path.parents[1].name for path in folder.glob(f"{PAIR}/*/assets/{METADATA}")]
    return sorted(int(name) for name in names if name.isdecimal())


def is_export(folder: pathlib.Path) -> bool:
    """Whether a folder is an export, of whatever version of this package."""
    return bool(versions(folder)) or (folder / METADATA).exists()


def model_folder(folder: pathlib.Path, part: str, version: int | None = None) -> pathlib.Path:
    """Folder of a SavedModel.

    Args:
      folder: DIR.
      part: VIDEO, AUDIO or PAIR.
      version: which; None: the highest.

    Raises:
      PretrainedError: there is no export, or not of that version.
    """
    there = versions(folder)
    if not there:
        if (folder / METADATA).exists():
            raise PretrainedError(
                f"{folder} was exported by an older version of this package: export the run again"
            )
        raise PretrainedError(
            f"{folder} holds no export: name the --output of tools/export.py (it has folders "
            f"{VIDEO}, {AUDIO} and {PAIR})"
        )
    if version is not None and version not in there:
        shown = ", ".join(map(str, there))
        raise PretrainedError(f"{folder} holds no version {version}; there is {shown}")
    return folder / part / str(there[-1] if version is None else version)


def read_metadata(folder: pathlib.Path, version: int | None = None) -> dict[str, Any]:
    """What is said of the encoders.

    Args:
      folder: DIR.
      version: which; None: the highest.

    Raises:
      PretrainedError: there is no export, it is damaged, or it is of another version of this
        package.
    """
    path = model_folder(folder, PAIR, version) / "assets" / METADATA
    try:
        found = strict_json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise PretrainedError(
                f"{path} is of format {found['format']!r:.40}, and this package reads {FORMAT}: "
                "export the run again, or use the version of this package that wrote it"
            )
        for name, kind in _USED.items():
            if strict_json.build(kind, found[name], name) <= 0:
                raise ValueError(f"{name} must be above 0")
        strict_json.build(dict[str, dict[str, Any]], found["config"], "config")
    except (OSError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, PretrainedError):
            raise
        raise PretrainedError(f"{path} is damaged ({error!r}): export the run again") from error
    return found
