"""Kinetics-400, -600, -700 (Kay et al. 2017, Carreira et al. 2018, 2019) and Kinetics-Sounds."""

import re

from actcl_tf.data.catalogs import finding, walking, youtube
from actcl_tf.data.catalogs.catalog import Catalog
from actcl_tf.storage import files
from actcl_tf.storage.errors import DataError

LAYOUT = """\
  FOLDER/
    train.csv, validate.csv (or val.csv), test.csv
        label,youtube_id,time_start,time_end,split      (also in annotations/, any name in .csv)
    train/abseiling/0347ZoDXyP0_000095_000105.mp4 ...   (in any folder, any ending; also named
        0347ZoDXyP0.mp4, 0347ZoDXyP0_95_105.mp4, 0347ZoDXyP0_000095.mp4, ...)"""
_COLUMNS = ("youtube_id", "time_start", "time_end")  # And, but for test lists, label and split.
_SPLITS = {"train": "train", "val": "val", "validate": "val", "validation": "val", "test": "test"}

# The 31 classes of Kinetics-400 that most work on audio and video calls Kinetics-Sounds, as the
# authors of AdaMML (Panda et al. 2021) list them. Other lists go by that name: the 34 classes of
# Arandjelovic and Zisserman ("Look, Listen and Learn", 2017), some of which the published Kinetics
# does not have; the 32 of CrissCross (Sarkar and Etemad 2022), these and "strumming guitar"; and
# those that translate the 34 to the class names of Kinetics-600 or -700.
KINETICS_SOUNDS = (
    *("blowing nose", "blowing out candles", "bowling", "chopping wood", "dribbling basketball"),
    *("laughing", "mowing lawn", "playing accordion", "playing bagpipes", "playing bass guitar"),
    *("playing clarinet", "playing drums", "playing guitar", "playing harmonica"),
    *("playing keyboard", "playing organ", "playing piano", "playing saxophone"),
    *("playing trombone", "playing trumpet", "playing violin", "playing xylophone"),
    *("ripping paper", "shoveling snow", "shuffling cards", "singing", "stomping grapes"),
    *("tap dancing", "tapping guitar", "tapping pen", "tickling"),
)


def from_kinetics(folder: str, *, whole_videos: bool = False) -> Catalog:
    """Reads Kinetics-400, -600 or -700 by its official lists.

    Every list in the folder counts: leave out those of splits that are not wanted. Lists of the
    test split may come without labels.

    Args:
      folder: that holds the lists and the clips.
      whole_videos: whether files called by the YouTube id alone are whole videos, to be cut at the
        list's times; otherwise they are taken as cut, and where the lists have several spans of
        one video, its file is nobody's and these clips are missing.

    Raises:
      DataError: lists or clips are missing, or a list is wrong.
    """
    rows = _read_rows(folder, whole_videos)
    classes = tuple(sorted({label for row in rows for label in row.labels}))
    return finding.build_catalog(rows, classes, folder, LAYOUT, kinds=walking.VIDEOS)


def from_kinetics_sounds(folder: str, *, whole_videos: bool = False) -> Catalog:
    """Reads the 31 classes of Kinetics-Sounds out of Kinetics; see `from_kinetics`."""
    rows = _read_rows(folder, whole_videos)
    wanted = [row for row in rows if row.labels and row.labels[0] in KINETICS_SOUNDS]
    classes = tuple(sorted(KINETICS_SOUNDS))
    return finding.build_catalog(wanted, classes, folder, LAYOUT, kinds=walking.VIDEOS)


def _read_rows(folder: str, whole_videos: bool) -> list[finding.Row]:
    lists = [
        files.join(place, name)
        for place in (folder, files.join(folder, "annotations"))
        for name in files.names_in(place)
        if name.endswith(".csv")
    ]
    if not lists:
        raise finding.layout_error(folder, LAYOUT, "no list (.csv) is there")
    rows: dict[str, finding.Row] = {}
    for path in lists:
        for where, line in finding.read_table(path, _COLUMNS):
            row = _row(line, where, path, whole_videos)
            held = rows.setdefault(row.name, row)
            if held != row:
                raise DataError(
                    f"{where}: {row.name} is listed as {row.split} {row.labels} and "
                    f"as {held.split} {held.labels}"
                )
    return list(rows.values())


def _row(line: dict[str, str], where: str, path: str, whole_videos: bool) -> finding.Row:
    try:
        start, end = youtube.span(line["time_start"], line["time_end"])
    except ValueError as error:
        raise DataError(f"{where}: time_start and time_end {error}") from None
    named = (line.get("split") or re.split(r"[/\\]", path)[-1].split(".")[0]).strip()
    split = next((value for key, value in _SPLITS.items() if named.startswith(key)), None)
    if split is None:
        raise DataError(f"{where}: split must be train, validate or test, got {named!r}")
    label = line.get("label", "").strip()
    clip = youtube.ClipFiles(line["youtube_id"], start, end, whole_videos)
    return finding.Row(clip.name, clip, (label,) if label else (), split)
