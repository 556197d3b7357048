"""What a folder's layout says: which of its folders are splits, and which are classes.

A folder called Train beside one called test is a split, whatever lies beside them, and never a
class: an evaluation that tells "train" from "test" would measure nothing.
"""

import collections
import difflib
import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from actcl_tf.data.catalogs.catalog import SPLIT_NAMES, SPLITS, TRAIN, composed, split_of
from actcl_tf.storage.errors import DataError
from actcl_tf.storage.printable import printable

_SHOWN = 3
_ALIKE = 0.75  # Of 1: how like a name of a split a folder's is that is taken for a slip.


class Place(NamedTuple):
    """What the layout says of one file: its split, empty if it is to be drawn, and its class."""

    name: str
    split: str = ""
    label: str = ""


class Layout(NamedTuple):
    """What a layout comes down to.

    Attributes:
      places: of the files that count, in their order.
      decision: where splits and classes come from, for people.
    """

    places: list[Place]
    decision: str


class _Splits(NamedTuple):
    """Folders of one depth that are splits, and whether they lie in those of the classes."""

    depth: int
    folders: dict[str, list[str]]  # Split -> folders that mean it.
    in_classes: bool


def understand(names: Sequence[str]) -> Layout:
    """Finds splits and classes in the names of files.

    Splits are looked for at the top, in a folder that holds the whole data set (or in one that such
    a folder holds, and so on), and under each class. Folders that mean splits are not taken as such
    where only one stands among others, as a class may be called train.

    Args:
      names: of the videos, relative to the folder, with `/` between folders.

    Raises:
      DataError: a split other than train has videos beside it that are in no split.
    """
    parts = [name.split("/") for name in names]
    splits = _find_splits(parts)
    if splits is None:
        return _classes_alone(names, parts)
    depth = splits.depth
    places, strays = [], []
    for name, part in zip(names, parts, strict=True):
        split = split_of(part[depth]) if len(part) > depth + 1 else ""
        if not split:
            strays.append(name)
            continue
        classes = part[depth - 1 : depth] if splits.in_classes else part[depth + 1 : -1]
        places.append(Place(name, split, _label(classes[0]) if classes else ""))
    shown = ", ".join(
        split if held == [split] else f"{split} ({', '.join(held)})"
        for split, held in splits.folders.items()
    )
    decision = f"Splits from folders: {shown}"
    if strays:
        listed = ", ".join(strays[:_SHOWN]) + (", ..." if len(strays) > _SHOWN else "")
        decision += f"; not used, outside the split folders: {len(strays)} ({listed})"
    return Layout(places, printable(decision))


def _label(folder: str) -> str:
    """The class that a folder stands for; nobody sees a space at its end."""
    return composed(folder).strip()


def _classes_alone(names: Sequence[str], parts: Sequence[Sequence[str]]) -> Layout:
    places = [
        Place(name, "", _label(part[0]) if len(part) > 1 else "")
        for name, part in zip(names, parts, strict=True)
    ]
    return Layout(places, printable(f"Splits from folders: none{_doubt(parts)}"))


def _doubt(parts: Sequence[Sequence[str]]) -> str:
    """A note on folders that may have been meant as splits; empty if there are none.

    Those at the top, and where that is one alone, those in it.
    """
    heads = {part[0] for part in parts if len(part) > 1}
    if len(heads) == 1:
        heads |= {part[1] for part in parts if len(part) > 2}
    alike = sorted(filter(_resembles_split, heads))
    if len(alike) > 1:
        names = ", ".join(alike)
        return (
            f" ({names} look like splits and are not taken as such; rename them to "
            f"{', '.join(SPLITS[:-1])} or {SPLITS[-1]} if they are)"
        )
    known = sorted({part[0] for part in parts if len(part) > 1 and split_of(part[0])})
    return f" ({', '.join(known)} stands among other folders: a class)" if known else ""


def _resembles_split(name: str) -> bool:
    """Whether a folder is called as a split is, but for a number, a sign, or a slip of the pen."""
    letters = "".join(filter(str.isalpha, name.casefold()))
    return bool(split_of(letters) or difflib.get_close_matches(letters, SPLIT_NAMES, 1, _ALIKE))


def _find_splits(parts: Sequence[Sequence[str]]) -> _Splits | None:
    splits = _splits_at_top(parts)
    for depth in itertools.count():
        splits = splits or _splits_below(parts)
        if splits is not None:
            return splits._replace(depth=splits.depth + depth)
        if len({part[0] for part in parts if len(part) > 1}) != 1:
            return None
        parts = [part[1:] for part in parts if len(part) > 1]


def _splits_at_top(parts: Sequence[Sequence[str]]) -> _Splits | None:
    inside = [part for part in parts if len(part) > 1]
    known, others = _sort(part[0] for part in inside)
    if not known or (others and (TRAIN not in known or len(known) == 1)):
        return None
    beside = len(parts) - len(inside)
    if beside and TRAIN not in known:
        first = next(part[0] for part in parts if len(part) == 1)
        raise DataError(
            f"{beside} videos, such as {first}, lie beside the folders of the splits "
            f"{', '.join(known)}: move them into a folder train, or those folders elsewhere"
        )
    return _Splits(0, known, in_classes=False)


def _splits_below(parts: Sequence[Sequence[str]]) -> _Splits | None:
    inside = [part for part in parts if len(part) > 2]
    known, others = _sort(part[1] for part in inside)
    tops = {part[0] for part in parts if len(part) > 1}
    around = [part for part in inside if split_of(part[1])]
    # Classes lie in the splits of a folder that alone has some: it holds the data set.
    is_whole = len({part[0] for part in around}) == 1 and any(len(part) > 3 for part in around)
    in_classes = len(tops) > 1 and not is_whole
    if TRAIN not in known or (len(known) == 1 and (others or len(tops) > 1)):
        return None
    if others and in_classes:
        return None
    # In one folder that holds the whole data set, the classes lie in the splits.
    return _Splits(1, known, in_classes)


def _sort(folders: Iterable[str]) -> tuple[dict[str, list[str]], set[str]]:
    """Those that mean splits, by split, and the others."""
    held, others = collections.defaultdict(set), set()
    for folder in folders:
        split = split_of(folder)
        if split:
            held[split].add(folder)
        else:
            others.add(folder)
    return {split: sorted(held[split]) for split in SPLITS if split in held}, others
