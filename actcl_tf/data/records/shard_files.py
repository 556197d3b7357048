"""Which files of a folder are shards, and which split they belong to, by their names alone.

Shards made elsewhere are called `train-00000-of-00010`, with or without `.tfrecord`; whatever ends
in `.tfrecord` will do.
"""

import collections
import re
from collections.abc import Iterable

_SUFFIX = r"\.tfrecords?"
_NUMBER = r"(?P<index>\d+)-of-(?P<count>\d+)"
_NUMBERED = re.compile(rf"(?P<prefix>.*?)[-_.]?{_NUMBER}(?:{_SUFFIX})?")
_NAMED = re.compile(rf"(?P<prefix>.*?)(?:[-_.]?\d+)?{_SUFFIX}")


def shards_among(names: Iterable[str]) -> dict[str, list[str]]:
    """Finds shards: what stands before their numbers -> their names, sorted by number.

    `a-1.tfrecord` and `a-2.tfrecord` belong together, and so do all whose name is a number alone.
    """
    found = collections.defaultdict(list)
    for name in names:
        match = _NUMBERED.fullmatch(name) or _NAMED.fullmatch(name)
        if match and not name.startswith("."):
            found[match["prefix"]].append(name)
    return {prefix: sorted(found[prefix], key=_by_number) for prefix in sorted(found)}


def gaps_in(names: Iterable[str]) -> list[str]:
    """What the names say is not there: one line a fault.

    Args:
      names: of the shards of one split, all of one prefix.
    """
    numbered = [match for name in names if (match := _NUMBERED.fullmatch(name))]
    counts = sorted({int(match["count"]) for match in numbered})
    if len(counts) > 1:
        shown = " and ".join(f"*-of-{count:05d}" for count in counts)
        return [f"shards of different writings lie side by side: {shown}"]
    present = {int(match["index"]) for match in numbered}
    missing = sorted(set(range(counts[0] if counts else 0)) - present)
    if not missing:
        return []
    shown = ", ".join(f"{index:05d}" for index in missing[:5]) + ", ..." * (len(missing) > 5)
    return [f"{len(missing)} of {counts[0]} shards are missing: {shown}"]


def _by_number(name: str) -> tuple[list[int], str]:
    return [int(number) for number in re.findall(r"\d+", name)], name
