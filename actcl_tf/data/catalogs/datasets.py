"""All data sets by name, for tools: how each of `dataset_choice.KNOWN` is read."""

from collections.abc import Callable
from typing import Any, NamedTuple

from actcl_tf.config import dataset_choice
from actcl_tf.data.catalogs import audioset, esc50, hmdb51, kinetics, ucf101, user_videos, vggsound
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
      layout: what is expected on disk, drawn.
    """

    read: Callable[..., Catalog]
    layout: str


DATASETS = {
    "folder": DataSet(user_videos.from_folder, _OWN_LAYOUT),
    "csv": DataSet(user_videos.from_csv, _CSV_LAYOUT),
    "ucf101": DataSet(ucf101.from_ucf101, ucf101.LAYOUT),
    "hmdb51": DataSet(hmdb51.from_hmdb51, hmdb51.LAYOUT),
    "esc50": DataSet(esc50.from_esc50, esc50.LAYOUT),
    "kinetics": DataSet(kinetics.from_kinetics, kinetics.LAYOUT),
    "kinetics_sounds": DataSet(kinetics.from_kinetics_sounds, kinetics.LAYOUT),
    "audioset": DataSet(audioset.from_audioset, audioset.LAYOUT),
    "vggsound": DataSet(vggsound.from_vggsound, vggsound.LAYOUT),
}


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
    given = dataset_choice.check(name, options)
    return DATASETS[name].read(path, **given)
