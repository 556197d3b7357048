"""JSON of strangers: what it is read as, and all that is refused in words."""

import dataclasses
import json
from typing import Any, NamedTuple, TypedDict

import pytest

from actcl_tf.storage import strict_json


class Point(NamedTuple):
    x: float
    label: str = "none"


class Needed(TypedDict):
    name: str


class Shard(Needed, total=False):
    size: int


@dataclasses.dataclass(frozen=True)
class Part:
    points: list[Point]
    best: Point | None
    pair: tuple[int, str]
    rest: tuple[int, ...] = ()
    scores: dict[str, float] = dataclasses.field(default_factory=dict)
    shard: Shard | None = None
    anything: Any = None
    is_new: bool = False


@pytest.mark.parametrize(
    "text, expected",
    [
        ("[1, -2.5, null, true]", [1, -2.5, None, True]),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("1e300", 1e300),
        (b'{"a": "\xc3\xb6"}', {"a": "ö"}),
        (r'"\ud800"', "\ud800"),  # Half a pair: names of files may have it.
    ],
)
def test_json_of_usual_numbers_is_read(text, expected):
    assert strict_json.loads(text) == expected


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "Expecting value"),
        ("[1", "Expecting"),
        ("9223372036854775808", "9223372036854775808 is too large a number"),
        ("9" * 5000, "9{40} is too large a number$"),
        ("1e999", "1e999 is no finite number"),
        ("NaN", "NaN is no finite number"),
        ("[-Infinity]", "-Infinity is no finite number"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        (b"\xff", "utf-8"),
    ],
)
def test_what_is_no_usual_json_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        strict_json.loads(text)


WHOLE = Part(
    points=[Point(1.5), Point(2, "two")],
    best=None,
    pair=(3, "three"),
    rest=(4, 5),
    scores={"top1": 1},
    shard={"name": "a", "size": 6},
    anything=[{"b": None}],
    is_new=True,
)


def as_written(part):
    held = dataclasses.asdict(part)
    points = [point._asdict() for point in part.points]
    return json.dumps({**held, "points": points, "best": part.best and part.best._asdict()})


@pytest.mark.parametrize(
    "part",
    [
        WHOLE,
        dataclasses.replace(WHOLE, best=Point(0.0), shard={"name": "b"}),
        Part([], None, (0, "")),
    ],
)
def test_what_was_written_comes_back(part):
    assert strict_json.build(Part, strict_json.loads(as_written(part))) == part


def test_defaults_fill_what_is_not_there():
    found = strict_json.build(Part, {"points": [{"x": 1}], "best": None, "pair": [1, "a"]})
    assert found == Part([Point(1, "none")], None, (1, "a"))


@pytest.mark.parametrize(
    "change, message",
    [
        (None, "^it must be dict, got NoneType$"),
        ({"points": {}}, "^points must be list, got dict$"),
        ({"points": [{}]}, r"^points\[0\] lacks x$"),
        ({"points": [{"x": 1, "y": 2, "z": 3}]}, r"^points\[0\] has no y, z$"),
        ({"points": [{"x": "1"}]}, r"^points\[0\].x must be float, got str$"),
        ({"points": [{"x": True}]}, r"^points\[0\].x must be float, got bool$"),
        ({"best": 1}, "^best must be dict, got int$"),
        ({"pair": [1]}, "^pair must hold 2 values, got 1$"),
        ({"pair": [1.0, "a"]}, r"^pair\[0\] must be int, got float$"),
        ({"pair": [True, "a"]}, r"^pair\[0\] must be int, got bool$"),
        ({"rest": [1, None]}, r"^rest\[1\] must be int, got NoneType$"),
        ({"scores": {"top1": "x"}}, r"^scores\['top1'\] must be float, got str$"),
        ({"scores": []}, "^scores must be dict, got list$"),
        ({"shard": {}}, "^shard lacks name$"),
        ({"shard": {"name": "a", "sides": 1}}, "^shard has no sides$"),
        ({"shard": {"name": "a", "size": None}}, "^shard.size must be int, got NoneType$"),
        ({"is_new": 1}, "^is_new must be bool, got int$"),
        ({"more": 1}, "^it has no more$"),
        ({"x" * 100: 1}, "^it has no x{40}$"),
    ],
)
def test_what_is_of_another_kind_is_told(change, message):
    held = json.loads(as_written(WHOLE))
    with pytest.raises(ValueError, match=message):
        strict_json.build(Part, None if change is None else {**held, **change})
