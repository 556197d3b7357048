"""Videos of one's own: a folder of them, or a CSV file of spans."""

import collections
import csv
import io
import math
import os
import posixpath
import unicodedata
from collections.abc import Sequence

from actcl_tf.data.catalogs import catalog, finding, folders, walking
from actcl_tf.data.catalogs.catalog import SPLITS, TEST, TRAIN, Catalog, Clip, composed
from actcl_tf.storage import files
from actcl_tf.storage.errors import DataError

CSV_COLUMNS = ("video_path", "start", "end", "label", "split", "caption")


def from_folder(folder: str, *, test_fraction: float = 0.1, seed: int = 0) -> Catalog:
    """Finds the videos in a folder and its subfolders; see `folders` for what the layout says.

    Args:
      folder: to look in.
      test_fraction: share of the videos that is drawn for the test split, in [0, 1), where the
        layout has no splits.
      seed: of that draw.

    Raises:
      DataError: the folder is missing, cannot be listed, holds no video, or has splits that are not
        clear.
    """
    found = walking.find(folder, walking.VIDEOS)
    if not found.names:
        raise DataError(
            f"--input={folder}: no video in it or its subfolders. "
            + (
                " ".join([*walking.unlisted_lines(found), *walking.ignored_lines(found)])
                or "It is empty."
            )
        )
    try:
        layout = folders.understand(found.names)
    except DataError as error:
        raise DataError(f"--input={folder}: {error}") from error
    clips = [
        Clip(
            path=files.join(folder, place.name),
            name=place.name,
            labels=(place.label,) if place.label else (),
            split=place.split,
        )
        for place in layout.places
    ]
    decision = layout.decision
    if not clips[0].split:
        clips = catalog.draw_test_split(clips, test_fraction, seed)
        decision += _drawn(clips)
    return catalog.of_clips(clips, found, decision)


def _drawn(clips: Sequence[Clip]) -> str:
    test = len({clip.name for clip in clips if clip.split == TEST})
    return f"; test drawn by video: {test} of {len({clip.name for clip in clips})}"


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
                "the first line must name the column video_path, and may name "
                f"{', '.join(CSV_COLUMNS[1:-1])} and {CSV_COLUMNS[-1]}, got "
                f"{','.join(columns) or 'nothing'}"
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
    decision = "Splits from the column split: " + ", ".join(sorted({clip.split for clip in clips}))
    if "split" not in columns:
        clips = catalog.draw_test_split(clips, test_fraction, seed)
        decision = "Splits from the column split: none" + _drawn(clips)
    return catalog.of_clips(clips, decision=decision)


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
    named = (row.get("split") or "").strip() or TRAIN
    split = catalog.split_of(named)
    if not split:
        raise DataError(f"{where}: split must be one of {', '.join(SPLITS)}, got {named!r}")
    label = composed((row.get("label") or "").strip())
    return Clip(
        path=name if "://" in name else _on_disk(root, name),
        name=name,
        start=start,
        end=end,
        labels=(label,) if label else (),
        split=split if "split" in row else "",
        caption=composed((row.get("caption") or "").strip()) or None,
    )


def _on_disk(root: str, name: str) -> str:
    """The path of a file that the list may name in another form of Unicode than the disk."""
    path = files.join(root, name)
    if name.isascii() or files.is_remote(path) or os.path.exists(files.local(path)):
        return path
    for form in ("NFC", "NFD"):
        other = files.join(root, unicodedata.normalize(form, name))
        if os.path.exists(files.local(other)):
            return other
    return path
