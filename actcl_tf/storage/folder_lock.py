"""One program at a time writes into a folder: a run, a data set or an index.

The lock is the operating system's where the file system has any: it goes with the process, however
that ends, on this machine and on others, and children do not inherit it. Some file systems have
none (Lustre, some of NFS and FUSE). There a second file says who holds the folder, and its time is
renewed while the process lives; a holder that stopped renewing it is taken for dead.
"""

import contextlib
import errno
import fcntl
import json
import os
import pathlib
import secrets
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

LOCK = "lock"
HEARTBEAT = ".lock_heartbeat"
# What a file system without locks answers.
_NO_LOCKS = {errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK}
_TAKEN = {errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK}
_BEAT_SECONDS = 10.0
STALE_SECONDS = 90.0  # Some beats may come late on a busy machine.

# The system's locks keep other processes out, and not other threads of this one.
_held_here: set[str] = set()
_guard = threading.Lock()


class InUse(RuntimeError):
    """Another program holds the folder; the message says who."""


@contextlib.contextmanager
def hold(folder: str, name: str) -> Iterator[None]:
    """Keeps other programs out of a folder.

    Args:
      folder: that is there, on a file system of this machine.
      name: what was asked for, such as `--run_dir=runs/a`, for what is said where there are no
        locks.

    Raises:
      InUse: another program holds it.
      OSError: the folder cannot be written.
    """
    place = os.path.realpath(folder)
    with _guard:
        if place in _held_here:
            raise InUse(_describe(_me()))
        _held_here.add(place)
    try:
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(open(os.path.join(place, LOCK), "a+", encoding="utf-8"))
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in _TAKEN:
                    file.seek(0)
                    raise InUse(file.read().strip() or "another program") from error
                if error.errno not in _NO_LOCKS:
                    raise
                stack.enter_context(_Heartbeat(pathlib.Path(place)))
                print(
                    f"{name}: its file system has no locks ({error.strerror}); {HEARTBEAT} keeps "
                    "other programs out",
                    file=sys.stderr,
                    flush=True,
                )
            file.truncate(0)
            file.write(_describe(_me()))
            file.flush()
            yield
    finally:
        with _guard:
            _held_here.discard(place)


class _Heartbeat:
    """A file that says who holds a folder, and whose time says whether they still live."""

    def __init__(self, folder: pathlib.Path):
        self._path = folder / HEARTBEAT
        self._holder = {**_me(), "token": secrets.token_hex(8)}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> "_Heartbeat":
        while not self._create():
            found = _read(self._path)
            if found is None:  # Given back in between.
                continue
            if not self._is_dead(found):
                raise InUse(
                    f"{_describe(found)} (if it was killed: from {STALE_SECONDS:g} seconds after)"
                )
            self._take_away(found)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        found = _read(self._path)
        if found is not None and found.get("token") == self._holder["token"]:
            self._path.unlink(missing_ok=True)

    def _create(self) -> bool:
        """Makes the file, whole or not at all; False if there is one."""
        made = self._path.with_name(f"{HEARTBEAT}.{self._holder['token']}")
        made.write_text(json.dumps(self._holder), encoding="utf-8")
        try:
            os.link(made, self._path)
        except FileExistsError:
            return False
        except OSError:  # No hard links here; a reader may see the file half written for a moment.
            return self._create_in_place()
        finally:
            made.unlink()
        return True

    def _create_in_place(self) -> bool:
        try:
            with self._path.open("x", encoding="utf-8") as file:
                file.write(json.dumps(self._holder))
        except FileExistsError:
            return False
        return True

    def _beat(self) -> None:
        while not self._stop.wait(_BEAT_SECONDS):
            with contextlib.suppress(OSError):  # The folder may be gone, or away for a moment.
                os.utime(self._path)

    def _is_dead(self, found: dict[str, Any]) -> bool:
        mine = self._holder
        if all(found.get(key) == mine[key] for key in ("host", "boot", "processes")):
            try:
                os.kill(int(found["process"]), 0)
            except (ProcessLookupError, KeyError, TypeError, ValueError):
                return True
            except PermissionError:
                pass  # Of another user, and alive.
        # By the clock of the file system, which may be another machine's.
        now = self._path.with_name(f"{HEARTBEAT}.{mine['token']}")
        now.touch()
        try:
            return now.stat().st_mtime - self._path.stat().st_mtime > STALE_SECONDS
        except FileNotFoundError:
            return False
        finally:
            now.unlink()

    def _take_away(self, found: dict[str, Any]) -> None:
        """Removes a dead holder's file, and nobody else's."""
        aside = self._path.with_name(f"{HEARTBEAT}.{self._holder['token']}")
        try:
            self._path.rename(aside)
        except FileNotFoundError:
            return
        if _read(aside) != found:  # Somebody was quicker, and holds the folder now.
            with contextlib.suppress(FileExistsError):
                os.link(aside, self._path)
        aside.unlink()


def _read(path: pathlib.Path) -> dict[str, Any] | None:
    """Who a file says holds the folder; None if it is not there."""
    for _ in range(20):
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:
            time.sleep(0.05)  # It is being written.
            continue
        if isinstance(held, dict):
            return held
        break
    return {}


def _me() -> dict[str, Any]:
    """This process, and what tells whether another one's number can be looked up here."""
    return {
        "host": socket.gethostname(),
        "process": os.getpid(),
        "boot": _content("/proc/sys/kernel/random/boot_id"),
        "processes": _link("/proc/self/ns/pid"),
    }


def _content(path: str) -> str:
    try:
        return pathlib.Path(path).read_text().strip()
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _describe(holder: dict[str, Any]) -> str:
    return f"process {holder.get('process', '?')} on {holder.get('host', '?')}"
