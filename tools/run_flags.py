"""The flags of a run, one for each field of the configuration, and the data that they ask for."""

import dataclasses
import os
import pathlib
from typing import Any

import built_in_data
import field_flags
from absl import flags

from actcl_tf import config, tensorflow_log
from actcl_tf.config import dataset_choice
from actcl_tf.data.prepare import prepare_settings
from actcl_tf.train.placement import cluster

for _section in config.SECTIONS.values():
    field_flags.define(_section)

_NOT_OF_MEDIA = ("seed", "streams", "filters")
field_flags.define(
    prepare_settings.PrepareSettings, prefix="--input=media: ", without=_NOT_OF_MEDIA
)
_DATASET = flags.DEFINE_string(
    "dataset", "folder", f"--input=media: what --data_dir holds: {dataset_choice.describe()}."
)
_TEST_FRACTION = flags.DEFINE_float(
    "test_fraction", None, "--input=media: share drawn for testing, where no split is named (0.1)."
)


def read_configuration(*, writes: bool = False) -> config.PretrainConfig:
    """The flags as a configuration, with prepared data or an index of videos in `data_dir`.

    The built-in data set is made where no data is named, and the index of --input=media.

    Args:
      writes: whether --run_dir will be written, so that it is refused here where it cannot be.

    Raises:
      config.ConfigError: a wrong value, or values that contradict each other.
      records.DataError: --input=media names no usable videos.
    """
    values = _values()
    checked = config.from_flat(values)  # Wrong values are found before any data is made.
    if writes and cluster.find_for(checked.train) is None:
        _require_writable(checked.train.run_dir)
    if checked.data.input == "media":
        values["data_dir"] = _index(checked.data)
    else:
        _refuse_media_flags()
        if not checked.data.data_dir and cluster.find_for(checked.train) is not None:
            raise config.ConfigError(
                "--data_dir=: must name prepared data where several workers train; the built-in "
                "data set is made by one process alone"
            )
        if not checked.data.data_dir:
            values["data_dir"] = str(built_in_data.records())
            values["quantities"] = checked.train.quantities or str(built_in_data.quantities())
    return config.from_flat(values)


def read_without_data() -> config.PretrainConfig:
    """The flags as a configuration, for what needs no data.

    Raises:
      config.ConfigError: a wrong value, or values that contradict each other.
    """
    return config.from_flat(_values())


def _require_writable(run_dir: str) -> None:
    """Refuses a run folder that this user cannot make or write to."""
    folder = pathlib.Path(run_dir).absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not os.access(folder, os.W_OK):
        raise config.ConfigError(
            f"--run_dir={run_dir}: this user cannot write to {folder}; name a folder elsewhere"
        )


def _values() -> dict[str, Any]:
    fields = [f for section in config.SECTIONS.values() for f in dataclasses.fields(section)]
    return {field.name: flags.FLAGS[field.name].value for field in fields}


def _index(data: config.DataConfig) -> str:
    """Folder of the index of the videos in --data_dir, made where it is not there."""
    if not data.data_dir:
        raise config.ConfigError("--data_dir=: must name the videos of --input=media")
    settings = field_flags.read(
        prepare_settings.PrepareSettings, without=_NOT_OF_MEDIA, is_index=True
    )
    options = {"test_fraction": _TEST_FRACTION.value}
    dataset_choice.check(_DATASET.value, options)
    tensorflow_log.import_tensorflow()

    from actcl_tf.data.prepare import media_index, report
    from actcl_tf.storage import files

    print(f"Finding the clips in {data.data_dir}; each video is read through once.")
    summary = media_index.build_index(
        data.data_dir,
        files.join(built_in_data.cache_dir(), "media_index"),
        settings,
        dataset=_DATASET.value,
        **options,
        execution=prepare_settings.Execution(
            num_workers=data.num_workers, clip_timeout=data.clip_timeout
        ),
    )
    print(report.contents_text(summary))
    print(f"The index is in {summary.output_dir}; the same command finds it made.")
    return summary.output_dir


def _refuse_media_flags() -> None:
    """Refuses flags that say how videos are read where none are."""
    fields = dataclasses.fields(prepare_settings.PrepareSettings)
    names = [f.name for f in fields if "help" in f.metadata and f.name not in _NOT_OF_MEDIA]
    for name in ("dataset", "test_fraction", *names):
        if flags.FLAGS[name].present:
            raise config.ConfigError(f"--{name}: has a meaning with --input=media only")
