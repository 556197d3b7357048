"""Flags: those that are fields of frozen dataclasses, and what is said of a wrong one."""

import dataclasses
import sys
from typing import Any

from absl import flags

from actcl_tf import config

_DEFINE = {
    bool: flags.DEFINE_bool,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
}


def _fields(section: type, without: tuple[str, ...]) -> list:
    fields = dataclasses.fields(section)
    return [f for f in fields if "help" in f.metadata and f.name not in without]


def define(section: type, *, prefix: str = "", without: tuple[str, ...] = ()) -> None:
    """Defines a flag for each field of a dataclass that has a help text.

    Args:
      section: the dataclass.
      prefix: put before every help text.
      without: names of fields that are other flags already.
    """
    for field in _fields(section, without):
        text, default = prefix + field.metadata["help"], field.default
        if isinstance(default, tuple):
            flags.DEFINE_list(field.name, [str(value) for value in default], text)
        elif "allowed" in field.metadata:
            flags.DEFINE_enum(field.name, default, list(field.metadata["allowed"]), text)
        else:
            _DEFINE[type(default)](field.name, default, text)


def read(section: type, *, without: tuple[str, ...] = (), **others: Any) -> Any:
    """The dataclass with the values of its flags, and others.

    Raises:
      config.ConfigError: a wrong value.
    """
    values = {}
    for field in _fields(section, without):
        value = flags.FLAGS[field.name].value
        if isinstance(field.default, tuple):
            try:
                value = tuple(map(type(field.default[0]), value))
            except ValueError:
                text = f"--{field.name}={','.join(value)}"
                whole = "whole " if isinstance(field.default[0], int) else ""
                raise config.ConfigError(f"{text}: must be {whole}numbers") from None
        values[field.name] = value
    return section(**values, **others)


def parse(argv: list[str]) -> list[str]:
    """Reads the command line; for `app.run`, which says in many lines what this says in one."""
    try:
        return flags.FLAGS(argv)
    except flags.Error as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
