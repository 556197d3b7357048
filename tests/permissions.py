"""Folders that are closed, and somebody to whom they are: root may look into all of them."""

import contextlib
import os
import pathlib

NOBODY = 65534


@contextlib.contextmanager
def closed(*folders: pathlib.Path):
    """Takes all permissions from folders, but that of passing through, for a while."""
    for folder in folders:
        folder.chmod(0o111)
    try:
        yield
    finally:
        for folder in folders:
            folder.chmod(0o755)


@contextlib.contextmanager
def unprivileged(folder: pathlib.Path):
    """Gives up root for a while, to look into a temporary folder as anybody.

    Args:
      folder: it, and those of its parents that belong to the tests, are passed through.
    """
    user = os.geteuid()
    mode = folder.stat().st_mode & 0o777
    folder.chmod(mode | 0o055)
    for path in folder.parents:
        if path.name.startswith(("pytest-", "popen-")):
            # For good: processes beside this one pass through them at the same time.
            path.chmod(path.stat().st_mode & 0o777 | 0o011)
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(mode)
