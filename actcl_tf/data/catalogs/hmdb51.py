"""HMDB51 (Kuehne et al. 2011): 6,766 clips of 51 actions, three official splits."""

import re
from collections.abc import Iterator, Mapping

from actcl_tf.config import dataset_choice
from actcl_tf.data.catalogs import finding, folds, walking
from actcl_tf.data.catalogs.catalog import TEST, TRAIN, Catalog
from actcl_tf.storage import files
from actcl_tf.storage.errors import DataError

NUM_FOLDS = 3
LAYOUT = """\
  FOLDER/
    testTrainMulti_7030_splits/       (or test_train_splits/, splits/, or FOLDER itself)
      brush_hair_test_split1.txt      April_09_brush_hair_u_nm_np1_ba_goo_0.avi 1
      ... for each class, to _test_split3.txt (0: not used, 1: train, 2: test)
    brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_0.avi ...   (at any depth, any ending)"""
_PLACES = ("testTrainMulti_7030_splits", "test_train_splits", "splits", "")
_LIST = re.compile(r"(.+)_test_split([1-3])\.txt")
_PARTS = {"0": "", "1": TRAIN, "2": TEST}


def from_hmdb51(folder: str, *, fold: dataset_choice.Fold = 1) -> Catalog:
    """Reads HMDB51 as it is downloaded; a data set of video alone.

    Videos are known by their class's folder and their names, whatever their ending. A clip that a
    fold does not use is left out of it.

    Args:
      folder: that holds the lists and the videos.
      fold: official split, 1 to 3, or "all".

    Raises:
      ConfigError: there is no such fold.
      DataError: lists or videos are missing, or a list is wrong.
    """
    fold = dataset_choice.check_fold(fold, NUM_FOLDS)
    lists = _find_lists(folder)
    classes = tuple(sorted({label for label, _ in lists}))
    rows = [row for label in classes for row in _read_class(folder, lists, label)]
    return finding.build_catalog(
        folds.choose(rows, fold),
        classes,
        folder,
        LAYOUT,
        kinds=walking.VIDEOS,
        key=lambda name: finding.key_of(name, 1),
        streams="video",
    )


def _find_lists(folder: str) -> dict[tuple[str, int], str]:
    """Class and fold, from 1, to the path of their list."""
    for place in _PLACES:
        lists_folder = files.join(folder, place) if place else folder
        lists = {
            (found[1], int(found[2])): files.join(lists_folder, name)
            for name in files.names_in(lists_folder)
            if (found := _LIST.fullmatch(name))
        }
        if lists:
            return lists
    raise finding.layout_error(folder, LAYOUT, "no list CLASS_test_splitN.txt is there")


def _read_class(
    folder: str, lists: Mapping[tuple[str, int], str], label: str
) -> Iterator[finding.Row]:
    """The clips of a class, with their part in each fold."""
    parts: dict[str, list[str]] = {}
    for number in range(NUM_FOLDS):
        path = lists.get((label, number + 1))
        if path is None:
            raise finding.layout_error(
                folder, LAYOUT, f"{label}_test_split{number + 1}.txt is not there"
            )
        for name, part in _read_list(path).items():
            parts.setdefault(name, [""] * NUM_FOLDS)[number] = part
    for name, roles in parts.items():
        yield finding.Row(
            name=f"{label}/{name}",
            files=((finding.key_of(f"{label}/{name}", 1), None),),
            labels=(label,),
            split="",
            folds=tuple(roles),
        )


def _read_list(path: str) -> dict[str, str]:
    """Names of clips to their part in the fold of a list."""
    flags: dict[str, str] = {}
    for line in finding.read_lines(path):
        name, _, flag = line.rpartition(" ")
        if flag not in _PARTS or not name:
            raise DataError(f"{path}: expected NAME.avi and 0, 1 or 2, got {line!r}")
        name = name.strip()
        if flags.setdefault(name, flag) != flag:
            raise DataError(f"{path}: {name} is listed as {flags[name]} and as {flag}")
    return {name: _PARTS[flag] for name, flag in flags.items()}
