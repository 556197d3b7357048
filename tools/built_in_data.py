"""The built-in data set: its flags, and where it is."""

import os
import pathlib

from absl import flags

from actcl_tf import config, tensorflow_log

_CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "actcl_tf"
_FRAME_RATE = 12.5  # Frames a second; they cost training time, as pixels do.
CACHE_DIR = flags.DEFINE_string(
    "cache_dir",
    str(_CACHE),
    "Where what is made once is kept: the built-in data set, what --input=media finds in videos, "
    "and the features that evaluations make.",
)
_SYNTHETIC_TRAIN = flags.DEFINE_integer(
    "synthetic_train", 2400, "Training clips of the built-in data set.", lower_bound=1
)
_SYNTHETIC_TEST = flags.DEFINE_integer(
    "synthetic_test", 200, "Test clips of the built-in data set.", lower_bound=1
)
_SYNTHETIC_SIZE = flags.DEFINE_integer(
    "synthetic_size", 64, "Height and width of the built-in data set's frames, in pixels.", 32
)
_SYNTHETIC_SECONDS = flags.DEFINE_float(
    "synthetic_seconds", 3.0, "Length of the built-in data set's clips.", 1.5
)
_ZIPF = flags.DEFINE_float(
    "zipf", 0.0, "Exponent of the built-in data set's class frequencies; 0: all alike.", 0.0
)
_BUILDS = flags.DEFINE_integer(
    "builds", 1, "Builds of object in the built-in data set: 16 categories for each.", 1, 16
)
_TAKES = flags.DEFINE_integer(
    "takes",
    1,
    "Training clips of one object in the built-in data set, alike as clips of one long video are.",
    1,
)
_SHARED_CAUSES = flags.DEFINE_string(
    "shared_causes",
    "all",
    "What audio and video of the built-in data set have in common: category, category+pitch (or "
    "+beats, +size, or several), or all.",
)


def cache_dir() -> pathlib.Path:
    """The folder of --cache_dir.

    Raises:
      config.ConfigError: it is in the home folder, and there is none.
    """
    try:
        return pathlib.Path(CACHE_DIR.value).expanduser()
    except RuntimeError as error:  # No HOME, and nothing in the list of users, as in containers.
        raise config.ConfigError(
            f"--cache_dir={CACHE_DIR.value}: this user has no home folder; name another folder, or "
            "set HOME"
        ) from error


def videos() -> pathlib.Path:
    """Folder of the data set's held-out videos, made where it is not there."""
    return records().parent / "videos" / "test"


def quantities() -> pathlib.Path:
    """Table of what each clip shows, made where it is not there."""
    from actcl_tf.data.synthetic import synthetic

    return records().parent / "videos" / synthetic.QUANTITIES_FILE


def records() -> pathlib.Path:
    """Folder of the prepared data set; made on the first call, found on later ones."""
    tensorflow_log.import_tensorflow()

    from actcl_tf.data.prepare import prepare
    from actcl_tf.data.records import manifest
    from actcl_tf.data.synthetic import plan, synthetic

    settings = {
        "num_train": _SYNTHETIC_TRAIN.value,
        "num_test": _SYNTHETIC_TEST.value,
        "zipf": _ZIPF.value,
        "builds": _BUILDS.value,
        "takes": _TAKES.value,
        "shared_causes": _SHARED_CAUSES.value,
        "size": _SYNTHETIC_SIZE.value,
        "seconds": _SYNTHETIC_SECONDS.value,
        "frame_rate": _FRAME_RATE,
    }
    plan.SyntheticSettings(**settings)  # Wrong values are found before a folder is made.
    folder = cache_dir() / _folder_name(synthetic.FORMAT_VERSION)
    made, prepared = folder / "videos", folder / "records"
    if not all((prepared / split / manifest.MANIFEST).exists() for split in ("train", "test")):
        print(f"Making the built-in data set in {folder}, once.")
        synthetic.write_dataset(made, **settings)
        prepare.prepare_folder(
            str(made), str(prepared), frame_rate=_FRAME_RATE, short_side=settings["size"]
        )
    return prepared


def _folder_name(version: int) -> str:
    """Name that tells data sets of different settings apart; what is as usual is left out."""
    sizes = f"{_SYNTHETIC_TRAIN.value}_{_SYNTHETIC_TEST.value}"
    name = f"sounding_objects_v{version}_{sizes}_zipf{_ZIPF.value:g}"
    for flag in (_BUILDS, _TAKES, _SHARED_CAUSES, _SYNTHETIC_SIZE, _SYNTHETIC_SECONDS):
        if flag.value != flag.default:
            name += f"_{flag.name.replace('synthetic_', '')}={flag.value}"
    return name
