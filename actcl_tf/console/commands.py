"""Commands for people to copy: quoted for the shell, by the Python that runs, from where it is."""

import os
import pathlib
import shlex
import sys

_ROOT = pathlib.Path(__file__).resolve().parents[2]


def tool(name: str, *arguments: str) -> str:
    """The command that starts a tool.

    Args:
      name: of its file in tools/, such as "train.py".
      *arguments: as the tool is to get them.
    """
    return join([python(), _near(str(_ROOT / "tools" / name)), *arguments])


def this() -> str:
    """The command that started this program."""
    return join([python(), *sys.argv])


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
