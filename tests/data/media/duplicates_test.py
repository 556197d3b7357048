import json

import numpy as np
import pytest

from actcl_tf.data.media import duplicates
from actcl_tf.data.media.clip_fingerprints import Fingerprint
from actcl_tf.data.media.duplicates import LIMITS, find_duplicates

BYTES = Fingerprint(look=8, light=32, motion=64, timbre=8, rhythm=32)


def random_mark(rng, parts=("look", "timbre", "rhythm")):
    return Fingerprint(
        *(
            rng.bytes(size).hex() if name in parts else None
            for name, size in zip(Fingerprint._fields, BYTES, strict=True)
        )
    )


def flipped(rng, mark, bits):
    """A mark whose parts differ in so many bits."""
    parts = []
    for part, num in zip(mark, bits, strict=True):
        if part is not None:
            value = np.unpackbits(np.frombuffer(bytes.fromhex(part), np.uint8))
            value[rng.choice(value.size, num, replace=False)] ^= 1
            part = np.packbits(value).tobytes().hex()
        parts.append(part)
    return Fingerprint(*parts)


def distance(first, second):
    return bin(int(first, 16) ^ int(second, 16)).count("1")


def reference(marks):
    """One pair after the other."""
    found = []
    for mark in marks:
        copies = [
            place
            for place, other in enumerate(marks[: len(found)])
            if found[place] is None
            and mark is not None
            and other is not None
            and [part is None for part in mark] == [part is None for part in other]
            and any(part is not None for part in mark)
            and all(
                part is None or distance(part, theirs) <= limit
                for part, theirs, limit in zip(mark, other, LIMITS, strict=True)
            )
        ]
        found.append(copies[0] if copies else None)
    return found


def test_table(rng):
    one, other = random_mark(rng), random_mark(rng)
    assert find_duplicates([]) == []
    assert find_duplicates([one]) == [None]
    assert find_duplicates([one, other, one, other, one]) == [None, None, 0, 1, 0]
    assert find_duplicates([None, one, None, one]) == [None, None, None, 1]
    empty = Fingerprint(*[None] * 5)
    assert find_duplicates([empty, empty]) == [None, None]
    # Other parts are not compared.
    assert find_duplicates([one, one._replace(look=None)]) == [None, None]
    # As JSON has them.
    assert find_duplicates(json.loads(json.dumps([one, other, one]))) == [None, None, 0]


@pytest.mark.parametrize("part", Fingerprint._fields)
def test_limits(rng, part):
    mark = random_mark(rng, Fingerprint._fields)
    place = Fingerprint._fields.index(part)
    for extra, expected in ((0, 0), (1, None)):
        bits = [limit + extra * (index == place) for index, limit in enumerate(LIMITS)]
        assert find_duplicates([mark, flipped(rng, mark, bits)]) == [None, expected]


def test_a_copy_of_a_copy_is_compared_with_what_is_kept(rng):
    first = random_mark(rng, ("rhythm",))
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(first.rhythm), np.uint8))
    second, third = bits.copy(), bits.copy()
    second[: LIMITS.rhythm] ^= 1
    third[: 2 * LIMITS.rhythm] ^= 1  # Near the second, which is not kept.
    marks = [first] + [
        first._replace(rhythm=np.packbits(b).tobytes().hex()) for b in (second, third)
    ]
    assert find_duplicates(marks) == [None, 0, None]


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_one_pair_after_the_other(monkeypatch, seed):
    monkeypatch.setattr(duplicates, "_ROWS", 16)  # So that a few clips make many blocks.
    monkeypatch.setattr(duplicates, "_COLUMNS", 24)
    rng = np.random.default_rng(seed)
    kinds = [("look", "timbre", "rhythm"), ("look", "light", "motion"), ("timbre", "rhythm")]
    marks = []
    for _ in range(150):
        if marks and rng.random() < 0.5:  # Near the limits, on both sides.
            mark = marks[rng.integers(len(marks))]
            mark = mark and flipped(rng, mark, [rng.integers(limit + 3) for limit in LIMITS])
        else:
            mark = random_mark(rng, kinds[rng.integers(3)]) if rng.random() < 0.95 else None
        marks.append(mark)
    found = find_duplicates(marks)
    assert found == reference(marks)
    assert 20 < sum(place is not None for place in found) < 120


def test_many(rng):
    marks = [random_mark(rng) for _ in range(9000)]
    sources = rng.choice(9000, 300, replace=False)
    marks += [flipped(rng, marks[place], LIMITS) for place in sources]
    marks += [marks[0]] * 3000  # One clip over and over costs no more.
    found = find_duplicates(marks)
    assert found[:9000] == [None] * 9000
    assert found[9000:9300] == sources.tolist()
    assert found[9300:] == [0] * 3000
