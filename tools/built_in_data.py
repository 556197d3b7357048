"""The built-in data set: its flags, and where it is."""

import os
import pathlib

from absl import flags

from actcl_tf import config

_CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "actcl_tf"
_SIZE, _FRAME_RATE = 64, 12.5  # Pixels a side, and frames a second; both cost training time.
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
_ZIPF = flags.DEFINE_float(
    "zipf", 0.0, "Exponent of the built-in data set's class frequencies; 0: all alike.", 0.0
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


def records() -> pathlib.Path:
    """Folder of the prepared data set; made on the first call, found on later ones."""
    from actcl_tf.data.prepare import prepare
    from actcl_tf.data.records import manifest
    from actcl_tf.data.synthetic import synthetic

    sizes = (_SYNTHETIC_TRAIN.value, _SYNTHETIC_TEST.value)
    version = f"sounding_objects_v{synthetic.FORMAT_VERSION}"
    name = f"{version}_{sizes[0]}_{sizes[1]}_zipf{_ZIPF.value:g}"
    folder = cache_dir() / name
    made, prepared = folder / "videos", folder / "records"
    if not all((prepared / split / manifest.MANIFEST).exists() for split in ("train", "test")):
        print(f"Making the built-in data set in {folder}, once.")
        synthetic.write_dataset(
            made,
            num_train=sizes[0],
            num_test=sizes[1],
            zipf=_ZIPF.value,
            size=_SIZE,
            frame_rate=_FRAME_RATE,
        )
        prepare.prepare_folder(str(made), str(prepared), frame_rate=_FRAME_RATE, short_side=_SIZE)
    return prepared
