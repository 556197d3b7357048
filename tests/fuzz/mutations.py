"""Ways to break what was right: bytes, lines of cells, JSON, records."""

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

Rng = np.random.Generator

WORDS = (
    *("", " ", "\x00", "\n", '"', ",", "/", "..", "../../etc/passwd", "/dev/zero", "\u202e", "é"),
    *(
        "%s%n{0}",
        "<script>",
        "nan",
        "inf",
        "-1",
        "1e999",
        "9" * 400,
        "-",
        "0x10",
        "\u0661",
        "\ud800",
    ),
    *("a" * 5000, "a" * 200_000, "train", "test", "gs://a", "file://", "C:\\", "a/b"),
    "\ufeff",
)
INTEGERS = (0, -1, 1, 255, 2**31 - 1, 2**31, 2**40, 2**63 - 1, -(2**63))
NUMBERS = (*INTEGERS, 2**63, 2**64, 10**400, 1e308, -0.5, math.nan, math.inf, -math.inf)
EMPTY = ("null", "true", "[]", "{}", "[[]]", "[null, null]", '{"": 0}')
HEAD = b"\xff\xc0\x00\x11\x08"  # Of a JPEG, before its height and width.
# Among them the heads of JPEGs of 65,535 x 65,535 and of 16,383 x 16,383 pixels.
PIECES = (
    *(b"\x00", b"\xff", b"\xff" * 8, b"\x7f\xff\xff\xff", b"\x80", b"\xff\xd8", b"\xff\xd9"),
    *(b"\n", b'"', b"{", b"[" * 3000, b"\xc3", b"\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03"),
    b"\xff\xc0\x00\x11\x08\x3f\xff\x3f\xff\x03",
)


def pick(rng: Rng, options: Sequence[Any]) -> Any:
    """One of several, which stays of its type."""
    return options[rng.integers(len(options))]


def of_bytes(rng: Rng, content: bytes) -> bytes:
    """Bytes, some of them turned, left out, doubled, put in, overwritten or cut off."""
    changed = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        at, end = np.sort(rng.integers(0, len(changed) + 1, 2))
        piece = pick(rng, PIECES)
        start, stop, new = pick(
            rng,
            (
                (
                    at,
                    at + 1,
                    bytes([int(byte) ^ 1 << rng.integers(8) for byte in changed[at:][:1]]),
                ),
                (at, at + 1, bytes([rng.integers(256)])),
                (at, end, b""),
                (at, at, bytes(changed[at : min(end, at + 4096)])),
                (at, at, piece),
                (at, at + len(piece), piece),
            ),
        )
        changed[start:stop] = new
    return bytes(changed)


def of_jpegs(rng: Rng, record: bytes) -> bytes:
    """A record, one or all of whose frames say that they are of another size."""
    size = rng.choice([0, 1, 24, 255, 4096, 16383, 65535], 2).astype(">u2").tobytes()
    heads = [at for at in range(len(record)) if record.startswith(HEAD, at)]
    changed = bytearray(record)
    for at in heads if rng.integers(2) else heads[1:2]:
        changed[at + len(HEAD) : at + len(HEAD) + len(size)] = size
    return bytes(changed)


def of_cells(rng: Rng, text: str, separator: str) -> str:
    """Lines of cells, some cells and lines of them changed."""
    lines = [line.split(separator) for line in text.splitlines()]
    for _ in range(rng.integers(1, 5)):
        line = pick(rng, lines)
        at = rng.integers(len(line) + 1)
        new = pick(rng, (pick(rng, WORDS), str(pick(rng, NUMBERS)), pick(rng, lines)[-1:]))
        new = new if isinstance(new, list) else [new]
        line[at : at + rng.integers(2)] = pick(rng, ([], new, new, new))
        if not rng.integers(4):
            lines.insert(rng.integers(len(lines)), list(pick(rng, lines)))
    return "\n".join(separator.join(line) for line in lines)


def of_json(rng: Rng, text: str) -> str:
    """A JSON text, some of its values of other kinds, too large, too deep, missing or doubled."""
    root = [json.loads(text)]
    for _ in range(rng.integers(1, 4)):
        places = _places(root)
        holder, key = pick(rng, places)
        other, its_key = pick(rng, places)
        holder[key] = pick(
            rng,
            (
                pick(rng, NUMBERS),
                pick(rng, WORDS),
                json.loads(pick(rng, EMPTY)),
                json.loads(json.dumps(other[its_key])),  # A copy: it may hold this place.
            ),
        )
        if isinstance(holder, dict) and not rng.integers(4):
            del holder[key]
    text = json.dumps(root[0], ensure_ascii=bool(rng.integers(2)))
    if rng.integers(20):
        return text
    at, depth = rng.integers(len(text) + 1), int(10 ** rng.uniform(1, 5))
    return text[:at] + "[" * depth + "]" * depth + text[at:]


def _places(value: Any) -> list[tuple[Any, Any]]:
    """The holder of every value below a value, with its key or index."""
    if not isinstance(value, (dict, list)):
        return []
    keys = list(value) if isinstance(value, dict) else range(len(value))
    return [place for key in keys for place in [(value, key), *_places(value[key])]]


def of_record(rng: Rng, record: bytes) -> bytes:
    """A record, some of its features of other kinds, counts and values."""
    example = tf.train.SequenceExample.FromString(record)
    for _ in range(rng.integers(1, 4)):
        change = pick(rng, (_set_context, _set_in_list, _set_in_list, _repeat, _remove))
        change(rng, example)
    return example.SerializeToString()


def _set_context(rng: Rng, example: tf.train.SequenceExample) -> None:
    context = example.context.feature
    _set(rng, context[pick(rng, [*context, "other"])])


def _set_in_list(rng: Rng, example: tf.train.SequenceExample) -> None:
    features = _a_list(rng, example)
    _set(rng, pick(rng, features) if features else features.add())


def _repeat(rng: Rng, example: tf.train.SequenceExample) -> None:
    features = _a_list(rng, example)
    features.extend(list(features)[: rng.integers(1, 9)])


def _remove(rng: Rng, example: tf.train.SequenceExample) -> None:
    features = _a_list(rng, example)
    del features[: rng.integers(len(features) + 1)]
    context = example.context.feature
    for key in [*context][: rng.integers(2)]:
        del context[key]


def _a_list(rng: Rng, example: tf.train.SequenceExample) -> Any:
    lists = example.feature_lists.feature_list
    return lists[pick(rng, [*lists, "other"])].feature


def _set(rng: Rng, feature: tf.train.Feature) -> None:
    """Gives a feature other values, or bytes that are nearly its own."""
    if feature.bytes_list.value and rng.integers(4):
        feature.bytes_list.value[0] = of_bytes(rng, feature.bytes_list.value[0])
        return
    count = int(pick(rng, (0, 1, 1, 2, 5000)))
    fill: Callable[[], None] = pick(
        rng,
        (
            lambda: feature.bytes_list.value.extend(
                [pick(rng, WORDS).encode("utf-8", "replace")] * min(count, 50)
            ),
            lambda: feature.float_list.value.extend([float(pick(rng, NUMBERS[-5:]))] * count),
            lambda: feature.int64_list.value.extend([pick(rng, INTEGERS)] * count),
        ),
    )
    feature.Clear()
    fill()
