"""Commands for people to copy: quoted for the shell, by the Python that runs, from where it is."""

import importlib.metadata
import os
import pathlib
import re
import shlex
import shutil
import sys

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_INSTALLED = _ROOT / "actcl_tf_tools"  # What the folder tools/ is in a wheel.


def tool(name: str, *arguments: str) -> str:
    """The command that starts a tool: by its file in the repository, by its name once installed.

    Args:
      name: of its file in tools/, such as "train.py".
      *arguments: as the tool is to get them.
    """
    return join([*_tool(name), *arguments])


def configuration(name: str) -> str:
    """Path of a file in configs/, as --flagfile takes it from here; a wheel brings its own."""
    path = f"configs/{name}"
    return path if _INSTALLED.exists() else _near(str(_ROOT / path))


def this() -> str:
    """The command that started this program."""
    program = pathlib.Path(sys.argv[0])
    words = _tool(program.name) if program.parent == _INSTALLED else [python(), sys.argv[0]]
    return join([*words, *sys.argv[1:]])


def as_called(text: object) -> str:
    """A text in which each `python tools/NAME.py`, or the path alone, is what starts the tool."""
    if not _INSTALLED.exists():
        return str(text)

    def renamed(match: re.Match) -> str:
        return tool(match[1]) if match[1] in _installed_names() else match[0]

    return re.sub(r"(?<![\w./-])(?:python )?tools/(\w+\.py)\b", renamed, str(text))


def _tool(name: str) -> list[str]:
    if not _INSTALLED.exists():
        return [python(), _near(str(_ROOT / "tools" / name))]
    command = _installed_names()[name]
    beside = os.path.join(os.path.dirname(sys.executable), command)
    is_other = os.path.exists(beside) and shutil.which(command) != beside
    return [_near(beside) if is_other else command]


def _installed_names() -> dict[str, str]:
    """File of a tool -> the command that it is once installed."""
    entries = importlib.metadata.distribution("actcl_tf").entry_points
    return {f"{each.attr}.py": each.name for each in entries}


def python() -> str:
    """The Python that runs, as it is called from here."""
    return _near(sys.executable) if sys.executable else "python"


def join(words: list[str]) -> str:
    """Words as one line for the shell, bytes that are no text among them."""
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    if word.isprintable():
        return shlex.quote(word)
    # Only $'...' can name control characters and bytes that are no UTF-8.
    marks = {"\\": "\\\\", "'": "\\'"}
    parts = [
        marks.get(each, each)
        if each.isprintable()
        else "".join(f"\\x{byte:02x}" for byte in os.fsencode(each))
        for each in word
    ]
    return f"$'{''.join(parts)}'"


def _near(path: str) -> str:
    """A path as short as it can be from here: relative to the working folder if it is below."""
    here = os.path.join(os.getcwd(), "")
    return path[len(here) :] if path.startswith(here) else path
