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
    ways = [path for path in (folder, *folder.parents) if path.name.startswith("pytest-")]
    modes = [(path, path.stat().st_mode & 0o777) for path in {*ways, folder}]
    for path, mode in modes:
        path.chmod(mode | 0o055)
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
        for path, mode in modes:
            path.chmod(mode)
