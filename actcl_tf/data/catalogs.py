"""Data set layouts -> lists of clips with labels and splits.

Two layouts: a folder of videos, whose subfolders name the classes (and, above them, the splits),
and a CSV file of spans of videos.
"""

import collections
import csv
import dataclasses
import hashlib
import math
import os
import pathlib
from collections.abc import Iterable, Iterator
from typing import Optional

from actcl_tf import config
from actcl_tf.data.records import DataError

SPLITS = ("train", "test", "val", "validation")
TRAIN, TEST = "train", "test"
VIDEO_SUFFIXES = (
    *(".3g2", ".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg"),
    *(".mpg", ".mts", ".mxf", ".ogv", ".qt", ".ts", ".vob", ".webm", ".wmv", ".y4m"),
)
CSV_COLUMNS = ("video_path", "start", "end", "label", "split")


@dataclasses.dataclass(frozen=True)
class Clip:
    """A span of a video that is to become one clip, or several if it is long.

    Attributes:
      path: of the video, as it can be opened.
      name: of the video, relative to the data set, with `/` between folders.
      start: of the span, seconds from the beginning of the video.
      end: of the span, seconds; None: to the end of the video.
      label: name of the class, or None.
      split: name of the split; empty where it is still to be drawn.
    """

    path: str
    name: str
    start: float = 0.0
    end: Optional[float] = None
    label: Optional[str] = None
    split: str = ""


def from_folder(
    folder: str, *, unlabelled: bool = False, test_fraction: float = 0.1, seed: int = 0
) -> list[Clip]:
    """Finds the videos in a folder and its subfolders.

    If every top-level subfolder that holds videos is called train, test, val or validation, these
    are the splits; otherwise videos are drawn for the test split. The first folder below (the
    split, or the data set) is the class.

    Args:
      folder: to look in.
      unlabelled: whether the names of folders are no classes.
      test_fraction: share of the videos that is drawn for the test split, in [0, 1).
      seed: of that draw.

    Raises:
      DataError: the folder is missing or holds no video.
    """
    root = pathlib.Path(folder)
    if not root.is_dir():
        raise DataError(f"--input={folder}: there is no such folder")
    names = sorted(_find_videos(root))
    if not names:
        raise DataError(
            f"--input={folder}: no video in it or its subfolders (names ending in "
            f"{', '.join(VIDEO_SUFFIXES)})"
        )
    parts = [name.split("/") for name in names]
    has_splits = all(len(part) > 1 and part[0] in SPLITS for part in parts)
    clips = []
    for name, part in zip(names, parts):
        folders = part[1:-1] if has_splits else part[:-1]
        clips.append(
            Clip(
                path=str(root / name),
                name=name,
                label=folders[0] if folders and not unlabelled else None,
                split=part[0] if has_splits else "",
            )
        )
    return clips if has_splits else draw_test_split(clips, test_fraction, seed)


def _find_videos(root: pathlib.Path) -> Iterator[str]:
    """Names of the videos below a folder, relative to it; links to folders are followed once."""
    seen = set()
    for current, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(current)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for file in files:
            if not file.startswith(".") and pathlib.Path(file).suffix.lower() in VIDEO_SUFFIXES:
                yield (pathlib.Path(current) / file).relative_to(root).as_posix()


def from_csv(
    path: str,
    *,
    folder: str = "",
    unlabelled: bool = False,
    test_fraction: float = 0.1,
    seed: int = 0,
) -> list[Clip]:
    """Reads spans of videos from a CSV file.

    Its first line names the columns: `video_path` and, all optional, `start`, `end` (in seconds;
    empty: of the whole video), `label` and `split`.

    Args:
      path: of the CSV file.
      folder: that relative video paths start from; empty: the CSV file's own.
      unlabelled: whether the labels are ignored.
      test_fraction: share of the videos drawn for the test split where there is no `split` column.
      seed: of that draw.

    Raises:
      DataError: the file is missing or empty, or a line of it is wrong.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            unknown = sorted(set(columns) - set(CSV_COLUMNS))
            if "video_path" not in columns or unknown:
                raise DataError(
                    f"--csv={path}: the first line must name the columns video_path,start,end,label"
                    f" (and split, if any), got {','.join(columns) or 'nothing'}"
                )
            root = pathlib.Path(folder) if folder else pathlib.Path(path).parent
            clips = [_from_row(row, f"--csv={path}:{reader.line_num}", root) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"--csv={path}: cannot be read ({error})") from error
    if not clips:
        raise DataError(f"--csv={path}: names no video")
    spans = collections.Counter((clip.name, clip.start, clip.end) for clip in clips)
    (name, start, end), count = spans.most_common(1)[0]
    if count > 1:
        raise DataError(f"--csv={path}: {name},{start},{end} is listed {count} times")
    if unlabelled:
        clips = [dataclasses.replace(clip, label=None) for clip in clips]
    return clips if "split" in columns else draw_test_split(clips, test_fraction, seed)


def _from_row(row: dict, where: str, root: pathlib.Path) -> Clip:
    if None in row or None in row.values() or not row["video_path"].strip():
        raise DataError(f"{where}: expected {len(row) - (None in row)} values, first a path")
    name = row["video_path"].strip()
    times = []
    for column in ("start", "end"):
        text = (row.get(column) or "").strip()
        try:
            times.append(float(text) if text else None)
        except ValueError:
            times.append(math.nan)
        if times[-1] is not None and not 0 <= times[-1] < math.inf:
            raise DataError(f"{where}: {column} must be seconds, at least 0, got {text!r}")
    start, end = times[0] or 0.0, times[1]
    if end is not None and end <= start:
        raise DataError(f"{where}: end must be later than start, got {start} and {end}")
    split = (row.get("split") or TRAIN).strip()
    if split not in SPLITS:
        raise DataError(f"{where}: split must be one of {', '.join(SPLITS)}, got {split!r}")
    return Clip(
        path=str(root / name),
        name=name,
        start=start,
        end=end,
        label=(row.get("label") or "").strip() or None,
        split=split if "split" in row else "",
    )


def draw_test_split(clips: Iterable[Clip], fraction: float, seed: int) -> list[Clip]:
    """Puts round(fraction x videos) videos into the test split and the others into train.

    The draw is by video, so that all clips of one video are on one side, and a function of the seed
    and the names alone.
    """
    check_test_fraction(fraction)
    clips = list(clips)
    videos = sorted({clip.name for clip in clips}, key=lambda name: draw_key(name, seed))
    # One video at least is left to train on.
    count = min(math.floor(fraction * len(videos) + 0.5), len(videos) - 1)
    drawn = set(videos[:count])
    return [
        dataclasses.replace(clip, split=TEST if clip.name in drawn else TRAIN) for clip in clips
    ]


def check_test_fraction(fraction: float) -> None:
    """Raises ConfigError unless it is in [0, 1)."""
    if not 0 <= fraction < 1:
        raise config.ConfigError(f"--test_fraction={fraction}: must be at least 0 and below 1")


def draw_key(name: str, seed: int) -> bytes:
    """A stable random number of a name and a seed, to sort by."""
    return hashlib.sha256(f"{seed}:{name}".encode("utf-8", "surrogateescape")).digest()


def classes_of(clips: Iterable[Clip]) -> list[str]:
    """Names of all classes, sorted; a label's index is its place here."""
    return sorted({clip.label for clip in clips if clip.label is not None})
