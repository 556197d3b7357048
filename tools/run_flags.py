"""The flags of a run, one for each field of the configuration, and the data that they ask for."""

import dataclasses
import os
import pathlib

import field_flags
from absl import flags

from actcl_tf import config
from actcl_tf.data import (
    catalogs,
    files,
    media_index,
    prepare,
    prepare_report,
    records,
    shard_writing,
    synthetic,
)

for _section in config.SECTIONS.values():
    field_flags.define(_section)

_NOT_OF_MEDIA = ("seed", "streams", "filters")
field_flags.define(shard_writing.Settings, prefix="--input=media: ", without=_NOT_OF_MEDIA)
_DATASET = flags.DEFINE_string(
    "dataset", "folder", f"--input=media: what --data_dir holds: {catalogs.describe()}."
)
_TEST_FRACTION = flags.DEFINE_float(
    "test_fraction", None, "--input=media: share drawn for testing, where no split is named (0.1)."
)

_CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "actcl_tf"
_CACHE_DIR = flags.DEFINE_string(
    "cache_dir",
    str(_CACHE),
    "Where the built-in data set is made, once, and what --input=media finds in videos is kept.",
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
    """The flags as a configuration, with prepared data or an index of videos in `data_dir`.

    The built-in data set is made where no data is named, and the index of --input=media.

    Raises:
      config.ConfigError: a wrong value, or values that contradict each other.
      records.DataError: --input=media names no usable videos.
    """
    fields = [f for section in config.SECTIONS.values() for f in dataclasses.fields(section)]
    values = {field.name: flags.FLAGS[field.name].value for field in fields}
    checked = config.from_flat(values)  # Wrong values are found before any data is made.
    if checked.data.input == "media":
        values["data_dir"] = _index(checked.data)
    else:
        _refuse_media_flags()
        values["data_dir"] = checked.data.data_dir or str(_built_in_data())
    return config.from_flat(values)


def _index(data: config.DataConfig) -> str:
    """Folder of the index of the videos in --data_dir, made where it is not there."""
    if not data.data_dir:
        raise config.ConfigError("--data_dir=: must name the videos of --input=media")
    settings = field_flags.read(shard_writing.Settings, without=_NOT_OF_MEDIA, is_index=True)
    print(f"Finding the clips in {data.data_dir}; each video is read through once.")
    summary = media_index.build_index(
        data.data_dir,
        files.join(os.path.expanduser(_CACHE_DIR.value), "media_index"),
        settings,
        dataset=_DATASET.value,
        test_fraction=_TEST_FRACTION.value,
        execution=prepare.Execution(
            num_workers=data.decode_workers, clip_timeout=data.clip_timeout
        ),
    )
    print(prepare_report.contents_text(summary))
    print(f"The index is in {summary.output_dir}; the same command finds it made.")
    return summary.output_dir


def _refuse_media_flags() -> None:
    """Refuses flags that say how videos are read where none are."""
    fields = dataclasses.fields(shard_writing.Settings)
    names = [f.name for f in fields if "help" in f.metadata and f.name not in _NOT_OF_MEDIA]
    for name in ("dataset", "test_fraction", *names):
        if flags.FLAGS[name].present:
            raise config.ConfigError(f"--{name}: has a meaning with --input=media only")


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
