"""Fingerprints -> which clips an earlier clip has already."""

from collections.abc import Iterator, Sequence

import numpy as np

from actcl_tf.data.media.clip_fingerprints import Fingerprint

# Bits in which copies may differ. Of look, motion, timbre and rhythm (64, 512, 64 and 256 bits):
# angles of 28, 14, 28 and 20 degrees. Of light: 12 grey levels, on average.
LIMITS = Fingerprint(look=10, light=12, motion=40, timbre=10, rhythm=28)
# From the part that tells most apart to the one that tells least.
_ORDER = ("rhythm", "motion", "look", "timbre", "light")
_ROWS, _COLUMNS = 1024, 8192  # Of a block of comparisons.
_PAIRS = 1 << 17  # Compared bit by bit at once.
_ONES = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1)  # In a byte.


def find_duplicates(
    fingerprints: Sequence[Sequence[str | None] | None],
) -> list[int | None]:
    """Finds the clips that are near-equal to an earlier one in every part.

    Clips are gone through in order, and each is compared with those that are kept, all of them:
    nothing near is missed. Only clips that have the same parts, and a part at all, are compared.
    The work is one matrix product for a block of clips against a block, so that the time for n
    clips grows as n^2, but slowly: 100,000 take less than a minute.

    Args:
      fingerprints: of the clips (also as lists, as JSON has them); None is like no other.

    Returns:
      For each clip the place of the first kept clip that it is a copy of, or None.
    """
    found: list[int | None] = [None] * len(fingerprints)
    groups: dict[tuple, list[int]] = {}
    for place, mark in enumerate(fingerprints):
        if mark is not None and any(part is not None for part in mark):
            # Parts of another length were made by another version.
            sizes = tuple(part and len(part) for part in mark)
            groups.setdefault(sizes, []).append(place)
    for sizes, places in groups.items():
        places_of_parts = [Fingerprint._fields.index(name) for name in _ORDER]
        parts = [part for part in places_of_parts if sizes[part]]
        words = [_bytes([fingerprints[place][part] for place in places]) for part in parts]
        limits = [LIMITS[part] for part in parts]
        for row, first in _copies(words, limits):
            found[places[row]] = places[first]
    return found


def _bytes(words: list[str]) -> np.ndarray:
    """[n, bits / 8] uint8."""
    return np.frombuffer(bytes.fromhex("".join(words)), np.uint8).reshape(len(words), -1)


def _copies(words: list[np.ndarray], limits: list[int]) -> Iterator[tuple[int, int]]:
    """Each clip that is near a kept one, with the first of these."""
    signs = np.unpackbits(words[0], axis=1).astype(np.int8) * np.int8(2) - np.int8(1)
    kept = np.zeros([0], np.int64)
    for start in range(0, len(signs), _ROWS):
        rows = np.arange(start, min(start + _ROWS, len(signs)))
        first = np.full(rows.size, -1)
        for low in range(0, kept.size, _COLUMNS):
            open_rows = np.flatnonzero(first < 0)
            columns = kept[low : low + _COLUMNS]
            at, of = _near(signs, words, limits, rows[open_rows], columns)
            # In the order of rows, then of columns: the first of a row is what counts.
            at, where = np.unique(at, return_index=True)
            first[open_rows[at]] = columns[of[where]]
        for row, column in zip(rows[first >= 0].tolist(), first[first >= 0].tolist(), strict=True):
            yield row, column
        fresh = rows[first < 0]
        at, of = _near(signs, words, limits, fresh, fresh)
        is_copy = np.zeros(fresh.size, bool)
        for row, column in zip(at.tolist(), of.tolist(), strict=True):
            if column < row and not is_copy[column] and not is_copy[row]:
                is_copy[row] = True
                yield int(fresh[row]), int(fresh[column])
        kept = np.concatenate([kept, fresh[~is_copy]])


def _near(
    signs: np.ndarray,
    words: list[np.ndarray],
    limits: list[int],
    rows: np.ndarray,
    columns: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (place in rows, place in columns) that are near in every part, in order."""
    least = signs.shape[1] - 2 * limits[0]  # Bits that agree less those that do not.
    product = signs[rows].astype(np.float32) @ signs[columns].astype(np.float32).T
    at, of = np.divmod(np.flatnonzero(product >= least), max(1, columns.size))
    for part, limit in zip(words[1:], limits[1:], strict=True):
        is_near = np.zeros(at.size, bool)
        for low in range(0, at.size, _PAIRS):
            high = low + _PAIRS
            differing = part[rows[at[low:high]]] ^ part[columns[of[low:high]]]
            is_near[low:high] = _ONES[differing].sum(axis=1) <= limit
        at, of = at[is_near], of[is_near]
    return at, of
