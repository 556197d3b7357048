"""Flags: those that are fields of frozen dataclasses, and what is said of a wrong one.

Tools answer --help, a mistyped flag and a refused setting at once: what takes seconds to import,
TensorFlow above all, they import in the function that uses it, after flags and settings were read.
What they import at the top, settings and errors, needs none of it.
"""

import dataclasses
import logging
import os
import pathlib
import re
import sys
from collections.abc import Callable
from typing import Any

from absl import app, flags
from absl import logging as absl_logging

from actcl_tf import config
from actcl_tf.console import commands, streams

_DEFINE = {
    bool: flags.DEFINE_bool,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
}


def _fields(section: type, without: tuple[str, ...]) -> list:
    fields = dataclasses.fields(section)
    return [f for f in fields if "help" in f.metadata and f.name not in without]


def define(
    section: type,
    *,
    prefix: str = "",
    without: tuple[str, ...] = (),
    only: tuple[str, ...] | None = None,
) -> None:
    """Defines a flag for each field of a dataclass that has a help text.

    Args:
      section: the dataclass.
      prefix: put before every help text.
      without: names of fields that are other flags already.
      only: names of the fields that are flags here; None: all.
    """
    for field in _fields(section, without):
        if only is not None and field.name not in only:
            continue
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
                value = tuple(map(field.metadata["items"], value))
            except ValueError:
                text = f"--{field.name}={','.join(value)}"
                whole = "whole " if field.metadata["items"] is int else ""
                raise config.ConfigError(f"{text}: must be {whole}numbers") from None
        values[field.name] = value
    return section(**values, **others)


def of_tools() -> list[flags.Flag]:
    """All flags that the tools have defined so far, in the order of their names."""
    tools = {path.stem for path in pathlib.Path(__file__).parent.glob("*.py")} | {sys.argv[0]}
    modules = flags.FLAGS.flags_by_module_dict()
    found = {flag.name: flag for module in tools & modules.keys() for flag in modules[module]}
    return [found[name] for name in sorted(found)]


def run(main: Callable[[list[str]], int | None]) -> None:
    """Runs a program on the command line, and ends this process with what it returns.

    Ctrl-C ends it in one line wherever it comes, also while modules are being imported.
    """
    try:
        app.run(main, flags_parser=parse)
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        sys.exit(130)


def parse(argv: list[str]) -> list[str]:
    """Reads the command line, and says in one line what `app.run` says in many.

    --help shows all flags of the tools, not only those that the program itself defines. From here
    on, no file that the program writes can be changed by everybody, whatever the user's umask.
    """
    streams.escape_what_cannot_be_shown()
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # It tells of its caches.
    program = sys.modules["__main__"]
    program.__doc__ = commands.as_called(program.__doc__ or "")
    os.umask(os.umask(0o077) | 0o002)
    for flag in of_tools():
        flag.help = commands.as_called(flag.help)
        flags.FLAGS.register_key_flag_for_module(argv[0], flag)
    try:
        words = flags.FLAGS(_with_packaged_flagfiles(argv))
    except SystemExit:  # Help was asked for and shown, which absl takes for a failure.
        sys.exit(0)
    except flags.Error as error:
        print(f"error: {_explained(error)}", file=sys.stderr)
        sys.exit(2)
    if flags.FLAGS["verbosity"].using_default_value:
        flags.FLAGS.verbosity = absl_logging.WARNING  # Or app.run makes it INFO.
    return words


def _explained(error: flags.Error) -> str:
    """What absl says of a wrong flag, in one line."""
    text = " ".join(str(error).split())
    found = re.fullmatch(r"ERROR:: Unable to open flagfile: (.*)", text)
    if found is None:
        return text
    path = re.sub(r"^\[Errno \d+\] (.*): '(.*)'$", r"\2: \1", found[1])
    return f"--flagfile={path}; run the program from the repository's root, or name the whole path"


def _with_packaged_flagfiles(arguments: list[str]) -> list[str]:
    """Puts in the flags of --flagfile=configs/NAME.cfg where that was installed with the tools.

    A file of that name in the working folder comes first. In the repository all is left as it is.
    """
    found = []
    for each in arguments:
        flag, _, path = each.partition("=")
        packaged = pathlib.Path(__file__).parent / path
        is_named = flag in ("--flagfile", "-flagfile") and path.startswith("configs/")
        if is_named and not os.path.exists(path) and packaged.is_file():
            lines = packaged.read_text("utf-8").splitlines()
            found += _with_packaged_flagfiles([line for line in lines if line.startswith("-")])
        else:
            found.append(each)
    return found


def require_no_arguments(argv: list[str]) -> None:
    """Refuses what is left of the command line of a tool that takes flags only.

    Raises:
      config.ConfigError: something is left.
    """
    if len(argv) > 1:
        raise config.ConfigError(f"unexpected argument {argv[1]}; flags look like --name=value")
