"""ESC-50 and ESC-10 (Piczak 2015): sounds of 5 seconds, five folds."""

from actcl_tf.config import dataset_choice
from actcl_tf.data.catalogs import finding, folds
from actcl_tf.data.catalogs.catalog import TEST, TRAIN, Catalog
from actcl_tf.storage import files
from actcl_tf.storage.errors import DataError

NUM_FOLDS = 5
_FOLDS = tuple(str(k + 1) for k in range(NUM_FOLDS))  # As the list has them.
LAYOUT = """\
  FOLDER/
    meta/esc50.csv               filename,fold,target,category,esc10,src_file,take
    audio/1-100032-A-0.wav ...   (any ending)"""


def from_esc50(folder: str, *, fold: dataset_choice.Fold = 1) -> Catalog:
    """Reads ESC-50 as it is downloaded, or a part of it in the same layout; a data set of audio.

    In fold k the clips of fold k are the test split and all others the train split. Classes are the
    names of the list's categories, sorted; the list's own numbers do not count.

    Args:
      folder: that holds `meta` and `audio`.
      fold: 1 to 5, or "all".

    Raises:
      ConfigError: there is no such fold.
      DataError: list or audio files are missing, or the list is wrong.
    """
    fold = dataset_choice.check_fold(fold, NUM_FOLDS)
    path = files.join(folder, "meta", "esc50.csv")
    if not files.exists(path):
        raise finding.layout_error(folder, LAYOUT, "meta/esc50.csv is not there")
    rows: dict[str, finding.Row] = {}
    for where, line in finding.read_table(path, ("filename", "fold", "category")):
        name, number = line["filename"], line["fold"]
        if not line["category"]:
            raise DataError(f"{where}: {name} has no category")
        if number not in _FOLDS:
            raise DataError(f"{where}: fold of {name} must be 1 to {NUM_FOLDS}, got {number!r}")
        parts = tuple(TEST if number == part else TRAIN for part in _FOLDS)
        row = finding.Row(name, ((finding.key_of(name), None),), (line["category"],), "", parts)
        if rows.setdefault(name, row) != row:
            raise DataError(f"{where}: {name} is listed twice, with other folds or categories")
    classes = tuple(sorted({row.labels[0] for row in rows.values()}))
    used = folds.choose(rows.values(), fold)
    return finding.build_catalog(used, classes, folder, LAYOUT, streams="audio")
