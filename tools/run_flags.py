"""The flags of a run, one for each field of the configuration, and the built-in data set."""

import dataclasses
import os
import pathlib

import field_flags
from absl import flags

from actcl_tf import config
from actcl_tf.data import prepare, records, synthetic

for _section in config.SECTIONS.values():
    field_flags.define(_section)

_CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "actcl_tf"
_CACHE_DIR = flags.DEFINE_string(
    "cache_dir", str(_CACHE), "Where the built-in data set is made, once."
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


def read_configuration() -> config.PretrainConfig:
    """The flags as a configuration; makes the built-in data set where no data is named.

    Raises:
      config.ConfigError: a wrong value, or values that contradict each other.
    """
    fields = [f for section in config.SECTIONS.values() for f in dataclasses.fields(section)]
    values = {field.name: flags.FLAGS[field.name].value for field in fields}
    if not values["data_dir"]:
        config.from_flat(values)  # Wrong values are found before the data set is made.
        values["data_dir"] = str(_built_in_data())
    return config.from_flat(values)


def built_in_videos() -> pathlib.Path:
    """Folder of the built-in data set's held-out videos, made where it is not there."""
    return _built_in_data().parent / "videos" / "test"


def _built_in_data() -> pathlib.Path:
    """Folder of the prepared built-in data set; made on the first call, found on later ones."""
    sizes = (_SYNTHETIC_TRAIN.value, _SYNTHETIC_TEST.value)
    version = f"sounding_objects_v{synthetic.FORMAT_VERSION}"
    name = f"{version}_{sizes[0]}_{sizes[1]}_zipf{_ZIPF.value:g}"
    folder = pathlib.Path(_CACHE_DIR.value).expanduser() / name
    videos, prepared = folder / "videos", folder / "records"
    if not all((prepared / split / records.MANIFEST).exists() for split in ("train", "test")):
        print(f"Making the built-in data set in {folder}, once.")
        synthetic.write_dataset(videos, num_train=sizes[0], num_test=sizes[1], zipf=_ZIPF.value)
        prepare.prepare_folder(str(videos), str(prepared), frame_rate=12.5, short_side=96)
    return prepared
