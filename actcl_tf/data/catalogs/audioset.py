"""AudioSet (Gemmeke et al. 2017): 10-second clips of 527 classes of sounds, several a clip."""

from typing import Any

from actcl_tf.data.catalogs import finding, youtube
from actcl_tf.data.catalogs.catalog import TEST, TRAIN, Catalog
from actcl_tf.storage import files, strict_json
from actcl_tf.storage.errors import DataError

LAYOUT = """\
  FOLDER/
    balanced_train_segments.csv, unbalanced_train_segments.csv, eval_segments.csv   (those wanted)
        --4gqARaEJE, 0.000, 10.000, "/m/068hy,/m/07q6cd_,/m/0bt9lr,/m/0jbk"
    class_labels_indices.csv     index,mid,display_name   (or ontology.json)
    any/folder/--4gqARaEJE_0_10.mp4 ...   (any ending; also named --4gqARaEJE.mp4,
        Y--4gqARaEJE.wav, --4gqARaEJE_0.000.mp4, --4gqARaEJE_0_10000.mp4, ...)"""
_LISTS = {
    "balanced_train_segments.csv": TRAIN,
    "unbalanced_train_segments.csv": TRAIN,
    "eval_segments.csv": TEST,
}


def from_audioset(folder: str, *, whole_videos: bool = False) -> Catalog:
    """Reads AudioSet by its official lists; a multi-label data set.

    Every list in the folder counts: balanced and unbalanced clips are both of the train split,
    those of the evaluation list of the test split. Classes are the machine names (mids) of the
    class list, sorted, with their display names beside them. A clip that is listed twice counts
    once, as first listed.

    Args:
      folder: that holds the lists and the clips.
      whole_videos: whether files called by the YouTube id alone are whole videos, to be cut at the
        list's times; otherwise they are taken as cut.

    Raises:
      DataError: lists or clips are missing, or a list is wrong.
    """
    lists = {
        files.join(place, name): split
        for place in (folder, files.join(folder, "csv"))
        for name, split in _LISTS.items()
        if files.exists(files.join(place, name))
    }
    if not lists:
        raise finding.layout_error(folder, LAYOUT, "none of the lists of segments is there")
    texts = _read_classes(folder)
    rows: dict[str, finding.Row] = {}
    for path, split in lists.items():
        for where, line in finding.read_rows(path, skipinitialspace=True):
            row = _row(line, where, split, whole_videos, texts)
            rows.setdefault(row.name, row)
    classes = tuple(sorted(texts))
    return finding.build_catalog(
        rows.values(),
        classes,
        folder,
        LAYOUT,
        multi_label=True,
        class_texts=tuple(texts[name] for name in classes),
    )


def _read_classes(folder: str) -> dict[str, str]:
    """Machine name to display name of every class."""
    path = finding.find_one(folder, ["class_labels_indices.csv", "csv/class_labels_indices.csv"])
    if path is not None:
        rows = finding.read_table(path, ("mid", "display_name"))
        return {row["mid"]: row["display_name"] for _, row in rows}
    path = finding.find_one(folder, ["ontology.json", "csv/ontology.json"])
    if path is None:
        raise finding.layout_error(folder, LAYOUT, "class_labels_indices.csv is not there")
    try:
        nodes = strict_json.build(list[dict[str, Any]], strict_json.loads(finding.read_text(path)))
        # Abstract and blacklisted nodes of the ontology are no labels.
        pairs = [[node["id"], node["name"]] for node in nodes if not node.get("restrictions")]
        return dict(strict_json.build(list[tuple[str, str]], pairs))
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path}: is no ontology of AudioSet ({error})") from error


def _row(
    line: list[str], where: str, split: str, whole_videos: bool, texts: dict[str, str]
) -> finding.Row:
    try:
        video_id, first, last, mids = line
        start, end = youtube.span(first, last)
    except ValueError:
        raise DataError(
            f'{where}: expected an id, two times and "mids", got {", ".join(line)}'
        ) from None
    labels = tuple(mid.strip() for mid in mids.split(","))
    unknown = [label for label in labels if label not in texts]
    if unknown:
        raise DataError(f"{where}: {unknown[0]} is no class of the class list")
    clip = youtube.ClipFiles(video_id, start, end, whole_videos)
    return finding.Row(clip.name, clip, labels, split)
