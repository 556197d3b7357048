"""Videos of one's own: a folder of them, or a CSV file of spans."""

import collections
import csv
import io
import math
import posixpath

from actcl_tf.data import files
from actcl_tf.data.catalogs import catalog, finding
from actcl_tf.data.catalogs.catalog import SPLITS, TRAIN, Catalog, Clip
from actcl_tf.data.files import DataError

CSV_COLUMNS = ("video_path", "start", "end", "label", "split", "caption")


def from_folder(folder: str, *, test_fraction: float = 0.1, seed: int = 0) -> Catalog:
    """Finds the videos in a folder and its subfolders.

    If every top-level subfolder that holds videos is called train, test, val or validation, these
    are the splits; otherwise videos are drawn for the test split. The first folder below (the
    split, or the data set) is the class.

    Args:
      folder: to look in.
      test_fraction: share of the videos that is drawn for the test split, in [0, 1).
      seed: of that draw.

    Raises:
      DataError: the folder is missing or holds no video.
    """
    names = finding.find_files(folder, finding.VIDEO_SUFFIXES)
    if not names:
        raise DataError(
            f"--input={folder}: no video in it or its subfolders (names ending in "
            f"{', '.join(finding.VIDEO_SUFFIXES)})"
        )
    parts = [name.split("/") for name in names]
    has_splits = all(len(part) > 1 and part[0] in SPLITS for part in parts)
    clips = []
    for name, part in zip(names, parts):
        folders = part[1:-1] if has_splits else part[:-1]
        clips.append(
            Clip(
                path=files.join(folder, name),
                name=name,
                labels=tuple(folders[:1]),
                split=part[0] if has_splits else "",
            )
        )
    if not has_splits:
        clips = catalog.draw_test_split(clips, test_fraction, seed)
    return catalog.of_clips(clips)


def from_csv(path: str, *, folder: str = "", test_fraction: float = 0.1, seed: int = 0) -> Catalog:
    """Reads spans of videos from a CSV file.

    Its first line names the columns: `video_path` and, all optional, `start`, `end` (in seconds;
    empty: of the whole video), `label`, `split` and `caption`.

    Args:
      path: of the CSV file.
      folder: that relative video paths start from; empty: the CSV file's own.
      test_fraction: share of the videos drawn for the test split where there is no `split` column.
      seed: of that draw.

    Raises:
      DataError: the file is missing or empty, or a line of it is wrong.
    """
    root = folder or posixpath.dirname(path)
    try:
        reader = csv.DictReader(io.StringIO(finding.read_text(path), newline=""))
        columns = reader.fieldnames or []
        if "video_path" not in columns or set(columns) - set(CSV_COLUMNS):
            raise DataError(
                "the first line must name the columns video_path,start,end,label (and split and "
                f"caption, if any), got {','.join(columns) or 'nothing'}"
            )
        clips = [_from_row(row, f"--csv={path}:{reader.line_num}", root) for row in reader]
    except (DataError, csv.Error) as error:
        where = "" if str(error).startswith("--csv=") else f"--csv={path}: "
        raise DataError(f"{where}{error}") from error
    if not clips:
        raise DataError(f"--csv={path}: names no video")
    spans = collections.Counter((clip.name, clip.start, clip.end) for clip in clips)
    (name, start, end), count = spans.most_common(1)[0]
    if count > 1:
        raise DataError(f"--csv={path}: {name},{start},{end} is listed {count} times")
    if "split" not in columns:
        clips = catalog.draw_test_split(clips, test_fraction, seed)
    return catalog.of_clips(clips)


def _from_row(row: dict, where: str, root: str) -> Clip:
    if None in row or None in row.values() or not row["video_path"].strip():
        raise DataError(f"{where}: expected {len(row) - (None in row)} values, first a path")
    name = row["video_path"].strip()
    if "\0" in name:
        raise DataError(f"{where}: video_path must be a path, got {name!r:.80}")
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
    label = (row.get("label") or "").strip()
    return Clip(
        path=name if "://" in name else files.join(root, name),
        name=name,
        start=start,
        end=end,
        labels=(label,) if label else (),
        split=split if "split" in row else "",
        caption=(row.get("caption") or "").strip() or None,
    )
