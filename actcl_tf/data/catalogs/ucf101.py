"""UCF101 (Soomro, Zamir, Shah 2012): 13,320 clips of 101 actions, three official splits."""

import posixpath

from actcl_tf.config import dataset_choice
from actcl_tf.data.catalogs import finding, folds, walking
from actcl_tf.data.catalogs.catalog import TEST, TRAIN, Catalog
from actcl_tf.storage import files
from actcl_tf.storage.errors import DataError

NUM_FOLDS = 3
LAYOUT = """\
  FOLDER/
    ucfTrainTestlist/      (or splits/, or FOLDER itself)
      classInd.txt         1 ApplyEyeMakeup
      trainlist01.txt      ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1
      testlist01.txt       ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi
      ... to trainlist03.txt, testlist03.txt
    UCF-101/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi ...   (in any folder, any ending)"""


def from_ucf101(folder: str, *, fold: dataset_choice.Fold = 1) -> Catalog:
    """Reads UCF101 as it is downloaded.

    Videos are known by their names alone, so that they may lie in any folder and be re-encoded.
    Classes are the names of `classInd.txt`, sorted; half of the videos have no audio, so that it is
    a data set of video alone.

    Args:
      folder: that holds the lists and the videos.
      fold: official split, 1 to 3, or "all".

    Raises:
      ConfigError: there is no such fold.
      DataError: lists or videos are missing, or a list is wrong.
    """
    fold = dataset_choice.check_fold(fold, NUM_FOLDS)
    index = finding.find_one(
        folder,
        [posixpath.join(place, "classInd.txt") for place in ("ucfTrainTestlist", "splits", "")],
    )
    if index is None:
        raise finding.layout_error(folder, LAYOUT, "classInd.txt is not there")
    classes = tuple(sorted(line.split()[-1] for line in finding.read_lines(index)))
    parts: dict[str, list[str]] = {}
    for number in range(NUM_FOLDS):
        for part, stem in ((TRAIN, "trainlist"), (TEST, "testlist")):
            path = posixpath.join(posixpath.dirname(index), f"{stem}0{number + 1}.txt")
            if not files.exists(path):
                raise finding.layout_error(folder, LAYOUT, f"{stem}0{number + 1}.txt is not there")
            for line in finding.read_lines(path):
                held = parts.setdefault(line.split()[0], [""] * NUM_FOLDS)
                if held[number]:
                    raise DataError(f"{path}: {line.split()[0]} is in fold {number + 1} twice")
                held[number] = part
    rows = []
    for name, roles in parts.items():
        label = name.split("/")[0]
        if label not in classes:
            raise DataError(f"{folder}: {name} is of no class of classInd.txt")
        of_name = ((finding.key_of(name), None),)
        rows.append(finding.Row(name, of_name, (label,), "", tuple(roles)))
    used = folds.choose(rows, fold)
    return finding.build_catalog(
        used, classes, folder, LAYOUT, kinds=walking.VIDEOS, streams="video"
    )
