"""JSON that anybody may have written: what stands in it has the types asked for, or is an error.

Every error is a ValueError whose message is one line; those who read a file add its name.
"""

import dataclasses
import functools
import json
import math
import types
import typing
from collections.abc import Iterator
from typing import Any, Union

_MOST = 2**63
_WHOLE = "it"  # What a value that is in no other is called.
_SHOWN = 40  # Characters of a number or a name in a message.


def loads(text: str | bytes) -> Any:
    """Reads JSON whose numbers are finite and fit 64 bits.

    Args:
      text: the JSON.

    Raises:
      ValueError: it is no JSON, is nested too deeply, or holds another number.
    """
    try:
        return json.loads(text, parse_int=_integer, parse_float=_float, parse_constant=_float)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _integer(text: str) -> int:
    # Very long ones take Python long to read, or are refused in words of its own.
    if len(text) > _SHOWN or not -_MOST <= int(text) < _MOST:
        raise ValueError(f"{text:.{_SHOWN}} is too large a number")
    return int(text)


def _float(text: str) -> float:
    if not math.isfinite(float(text)):
        raise ValueError(f"{text:.{_SHOWN}} is no finite number")
    return float(text)


def build(kind: Any, value: Any, name: str = _WHOLE) -> Any:
    """Makes what `loads` gave into what it was before it was written.

    Args:
      kind: a dataclass, named tuple or typed dict, written as an object of its fields; or a list,
        tuple, dict, `X | None` or plain type, of any of these; or Any.
      value: that `loads` gave.
      name: what to call it in messages; its fields go by their own names where it has none.

    Returns:
      An instance of `kind`.

    Raises:
      ValueError: something in it is missing, unknown or of another type.
    """
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if origin in (types.UnionType, Union):  # X | None, which get_type_hints may write as Optional.
        (kind,) = set(inner) - {type(None)}
        return None if value is None else build(kind, value, name)
    if origin in (list, tuple):
        return origin(_items(origin, inner, value, name))
    if origin is dict:
        _require(dict, value, name)
        return {key: build(inner[1], item, f"{name}[{key!r:.40}]") for key, item in value.items()}
    fields = _fields_of(kind)
    if fields is None:
        _require(kind, value, name)
        return value
    needed, hints = fields
    _require(dict, value, name)
    for wrong, keys in (("lacks", needed - value.keys()), ("has no", value.keys() - hints.keys())):
        if keys:
            raise ValueError(f"{name} {wrong} {', '.join(sorted(keys)):.{_SHOWN}}")
    prefix = "" if name == _WHOLE else f"{name}."
    return kind(**{key: build(hints[key], item, prefix + key) for key, item in value.items()})


def _items(origin: type, inner: tuple, value: Any, name: str) -> Iterator[Any]:
    """Of a list or a tuple, which both are written as a list."""
    _require(list, value, name)
    if origin is list or inner[-1] is Ellipsis:
        inner = inner[:1] * len(value)
    if len(value) != len(inner):
        raise ValueError(f"{name} must hold {len(inner)} values, got {len(value)}")
    for index, (kind, item) in enumerate(zip(inner, value, strict=True)):
        yield build(kind, item, f"{name}[{index}]")


@functools.cache
def _fields_of(kind: Any) -> tuple[frozenset[str], dict[str, Any]] | None:
    """Fields that must be there, and all with their types; None of a type that has no fields."""
    if dataclasses.is_dataclass(kind):
        none = (dataclasses.MISSING, dataclasses.MISSING)
        fields = dataclasses.fields(kind)
        needed = [each.name for each in fields if (each.default, each.default_factory) == none]
    elif hasattr(kind, "_field_defaults"):
        needed = [field for field in kind._fields if field not in kind._field_defaults]
    elif hasattr(kind, "__required_keys__"):
        needed = kind.__required_keys__
    else:
        return None
    return frozenset(needed), typing.get_type_hints(kind)


def _require(kind: type, value: Any, name: str) -> None:
    """Raises ValueError unless a value is of a type; whole numbers are numbers, but no truths."""
    kinds = (int, float) if kind is float else kind
    if not isinstance(value, kinds) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{name} must be {kind.__name__}, got {type(value).__name__}")
