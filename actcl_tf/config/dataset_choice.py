"""The data sets that are known by name, and the options of each; nothing here needs TensorFlow."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from actcl_tf import config

ALL = "all"  # All folds: one split, and each clip says which part it plays in every fold.

Fold = int | str


class Known(NamedTuple):
    """A data set whose layout is understood.

    Attributes:
      about: what it is, in a line.
      options: names of what can be chosen, flags of `tools/prepare_data.py`.
      num_folds: official splits of the same clips; 0: it has none.
    """

    about: str
    options: tuple[str, ...]
    num_folds: int = 0


_DRAWN = ("test_fraction", "seed")
_CUT = ("whole_videos",)

KNOWN = {
    "folder": Known("any folder of videos", _DRAWN),
    "csv": Known("spans of videos listed in a CSV file", ("folder", *_DRAWN)),
    "ucf101": Known("UCF101, three splits, video", ("fold",), 3),
    "hmdb51": Known("HMDB51, three splits, video", ("fold",), 3),
    "esc50": Known("ESC-50 or ESC-10, five folds, audio", ("fold",), 5),
    "kinetics": Known("Kinetics-400, -600 or -700", _CUT),
    "kinetics_sounds": Known("31 classes of Kinetics-400", _CUT),
    "audioset": Known("AudioSet, several labels", _CUT),
    "vggsound": Known("VGGSound", _CUT),
}


def describe() -> str:
    """All data sets, with what each is, in a line for people."""
    return "; ".join(f"{name} ({known.about})" for name, known in KNOWN.items())


def check(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were chosen, those that are not None.

    Args:
      name: of the data set.
      options: name to value.

    Raises:
      ConfigError: there is no such data set, or it has no such option, or the value is wrong.
    """
    if name not in KNOWN:
        raise config.ConfigError(f"--dataset={name}: must be one of {', '.join(KNOWN)}")
    given = {key: value for key, value in options.items() if value is not None}
    for key, value in given.items():
        if key not in KNOWN[name].options:
            raise config.ConfigError(f"--{key}={value}: means nothing for --dataset={name}")
    if "fold" in given:
        check_fold(given["fold"], KNOWN[name].num_folds)
    if "test_fraction" in given:
        check_test_fraction(given["test_fraction"])
    return given


def check_fold(fold: Fold, count: int) -> Fold:
    """The fold as a number from 1 to `count`, or "all".

    Raises:
      ConfigError: it is neither.
    """
    if fold == ALL:
        return ALL
    if str(fold).isdecimal() and 1 <= int(fold) <= count:
        return int(fold)
    raise config.ConfigError(f"--fold={fold}: must be from 1 to {count}, or {ALL}")


def check_test_fraction(fraction: float) -> None:
    """Raises ConfigError unless it is in [0, 1)."""
    if not 0 <= fraction < 1:
        raise config.ConfigError(f"--test_fraction={fraction}: must be at least 0 and below 1")
