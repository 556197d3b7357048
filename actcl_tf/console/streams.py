"""Output of names of any kind to terminals of any kind."""

import io
import sys


def escape_what_cannot_be_shown() -> None:
    """Has print write escapes for what the terminal's encoding lacks, instead of failing.

    File names may hold bytes that are no text, and terminals may know ASCII alone.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
