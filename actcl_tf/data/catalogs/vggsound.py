"""VGGSound (Chen et al. 2020): 10-second clips of 309 classes, heard and seen."""

from actcl_tf.data.catalogs import finding, youtube
from actcl_tf.data.catalogs.catalog import TEST, TRAIN, Catalog
from actcl_tf.storage.errors import DataError

LAYOUT = """\
  FOLDER/
    vggsound.csv                 ---g-f_I2yQ,1,people marching,test   (no header)
    video/---g-f_I2yQ_000001.mp4 ...   (in any folder, any ending; also named
        ---g-f_I2yQ_000001_000011.mp4, ---g-f_I2yQ_1.mp4, ...)"""
_SECONDS = 10.0
_SPLITS = {"train": TRAIN, "test": TEST}


def from_vggsound(folder: str, *, whole_videos: bool = False) -> Catalog:
    """Reads VGGSound by its official list; a clip that is listed twice counts as first listed.

    Args:
      folder: that holds `vggsound.csv` and the clips.
      whole_videos: whether files called by the YouTube id alone are whole videos, to be cut at the
        list's times; otherwise they are taken as cut.

    Raises:
      DataError: list or clips are missing, or the list is wrong.
    """
    path = finding.find_one(folder, ["vggsound.csv", "data/vggsound.csv", "metadata/vggsound.csv"])
    if path is None:
        raise finding.layout_error(folder, LAYOUT, "vggsound.csv is not there")
    rows: dict[str, finding.Row] = {}
    for where, line in finding.read_rows(path):
        try:
            video_id, first, label, part = line
            start, split = youtube.seconds(first), _SPLITS[part]
        except (ValueError, KeyError):
            raise DataError(
                f"{where}: expected id,start,label,train or test, got {','.join(line)}"
            ) from None
        clip = youtube.ClipFiles(video_id, start, start + _SECONDS, whole_videos)
        rows.setdefault(clip.name, finding.Row(clip.name, clip, (label,), split))
    classes = tuple(sorted({row.labels[0] for row in rows.values()}))
    return finding.build_catalog(rows.values(), classes, folder, LAYOUT)
