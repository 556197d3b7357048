"""All data sets by name, for tools."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from actcl_tf import config
from actcl_tf.data.catalogs import audioset, esc50, hmdb51, kinetics, own, ucf101, vggsound
from actcl_tf.data.catalogs.catalog import Catalog

_OWN_LAYOUT = """\
  FOLDER/
    train/dog/1.mp4 ...   (folders of splits, train, test, val, and of classes, both optional)"""
_CSV_LAYOUT = """\
  FILE.csv    video_path,start,end,label[,split][,caption]   (seconds; all but the path optional)"""


class DataSet(NamedTuple):
    """A layout that is understood.

    Attributes:
      read: folder (of csv: file) and options -> Catalog.
      about: what it is, in a line.
      layout: what is expected on disk, drawn.
    """

    read: Callable[..., Catalog]
    about: str
    layout: str


DATASETS = {
    "folder": DataSet(own.from_folder, "any folder of videos", _OWN_LAYOUT),
    "csv": DataSet(own.from_csv, "spans of videos listed in a CSV file", _CSV_LAYOUT),
    "ucf101": DataSet(ucf101.from_ucf101, "UCF101, three splits, pictures", ucf101.LAYOUT),
    "hmdb51": DataSet(hmdb51.from_hmdb51, "HMDB51, three splits, pictures", hmdb51.LAYOUT),
    "esc50": DataSet(esc50.from_esc50, "ESC-50 or ESC-10, five folds, sounds", esc50.LAYOUT),
    "kinetics": DataSet(kinetics.from_kinetics, "Kinetics-400, -600 or -700", kinetics.LAYOUT),
    "kinetics_sounds": DataSet(
        kinetics.from_kinetics_sounds, "31 classes of Kinetics-400", kinetics.LAYOUT
    ),
    "audioset": DataSet(audioset.from_audioset, "AudioSet, several labels", audioset.LAYOUT),
    "vggsound": DataSet(vggsound.from_vggsound, "VGGSound", vggsound.LAYOUT),
}


def describe() -> str:
    """All data sets, with what each is, in a line for people."""
    return "; ".join(f"{name} ({known.about})" for name, known in DATASETS.items())


def read(name: str, path: str, **options: Any) -> Catalog:
    """Reads a data set.

    Args:
      name: of `DATASETS`.
      path: of its folder (of csv: of the file).
      **options: of its function; those that are None are left out.

    Raises:
      ConfigError: there is no such data set, or it has no such option, or the value is wrong.
      DataError: lists or media are missing, or a list is wrong.
    """
    if name not in DATASETS:
        raise config.ConfigError(f"--dataset={name}: must be one of {', '.join(DATASETS)}")
    given = {key: value for key, value in options.items() if value is not None}
    known = inspect.signature(DATASETS[name].read).parameters
    for key, value in given.items():
        if key not in known:
            raise config.ConfigError(f"--{key}={value}: means nothing for --dataset={name}")
    return DATASETS[name].read(path, **given)
