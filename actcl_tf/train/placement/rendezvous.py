"""Workers wait here until all of them are started, before TensorFlow is told of each other.

TensorFlow can wait, too, but inside C++, where neither Ctrl-C nor SIGTERM is heard. The first
worker listens at its own address, which TensorFlow takes over once all have come.
"""

import contextlib
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

_HELLO, _GO = "actcl_tf worker {place} of {count}\n", b"go\n"
_PAUSE = 0.2  # Seconds between two looks.
_LONGEST = 64  # Bytes of what a worker says.


class Missing(RuntimeError):
    """Not all workers came in time; the message says who."""


def wait(addresses: Sequence[str], place: int, timeout: float) -> None:
    """Returns once all workers wait here.

    Args:
      addresses: of all workers, "host:port".
      place: of this one; the first listens.
      timeout: seconds to wait.

    Raises:
      Missing: not all came in time.
      OSError: the first worker cannot listen at its port.
    """
    if len(addresses) == 1:
        return
    deadline = time.monotonic() + timeout
    if place == 0:
        _gather(addresses, deadline)
    else:
        _report(addresses, place, deadline)


@contextlib.contextmanager
def ends_on_signals() -> Iterator[None]:
    """While workers wait, Ctrl-C and SIGTERM end the process at once: nothing is to be saved yet.

    What handles them before does so again afterwards, whatever TensorFlow puts there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, _end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def leave_to_the_system() -> None:
    """Lets Ctrl-C end the process inside C++, where no handler of Python runs."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _end(number: int, _: Any) -> None:
    name = signal.Signals(number).name
    print(f"Stopped: ended by {name} while waiting for the other workers.", file=sys.stderr)
    sys.stderr.flush()
    sys.stdout.flush()
    os._exit(128 + number)


def _gather(addresses: Sequence[str], deadline: float) -> None:
    port = addresses[0].rpartition(":")[2]
    # As TensorFlow does: on all interfaces, of which the address names one.
    dual = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dual else socket.AF_INET
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(
            socket.create_server(("", int(port)), family=family, dualstack_ipv6=dual)
        )
        came: dict[int, socket.socket] = {}
        while len(came) < len(addresses) - 1:
            for place in [place for place, peer in came.items() if _is_gone(peer)]:
                came.pop(place).close()
            if not select.select([listener], [], [], _PAUSE)[0]:
                if time.monotonic() > deadline:
                    missing = [a for i, a in enumerate(addresses) if i and i not in came]
                    raise Missing(f"{', '.join(missing)} did not come")
                continue
            peer = stack.enter_context(listener.accept()[0])
            place = _place_of(peer, len(addresses))
            if place in range(1, len(addresses)):
                came[place] = peer
            else:
                peer.close()  # Somebody else's.
        for peer in came.values():
            with contextlib.suppress(OSError):  # TensorFlow will miss it.
                peer.sendall(_GO)
                peer.settimeout(1.0)
                peer.recv(1)  # It closes first, so that the port is free at once.


def _is_gone(peer: socket.socket) -> bool:
    try:
        return bool(select.select([peer], [], [], 0)[0]) and not peer.recv(1, socket.MSG_PEEK)
    except OSError:
        return True


def _place_of(peer: socket.socket, count: int) -> int:
    """The place of a worker of this run; -1 for anybody else."""
    peer.settimeout(5.0)
    said = b""
    with contextlib.suppress(OSError):
        while not said.endswith(b"\n") and len(said) < _LONGEST:
            more = peer.recv(_LONGEST)
            if not more:
                break
            said += more
    for place in range(1, count):
        if said == _HELLO.format(place=place, count=count).encode():
            return place
    return -1


def _report(addresses: Sequence[str], place: int, deadline: float) -> None:
    host, _, port = addresses[0].rpartition(":")
    while time.monotonic() < deadline:
        with (
            contextlib.suppress(OSError),
            socket.create_connection((host.strip("[]"), int(port)), timeout=5.0) as leader,
        ):
            leader.sendall(_HELLO.format(place=place, count=len(addresses)).encode())
            leader.settimeout(_PAUSE)
            while time.monotonic() < deadline:
                with contextlib.suppress(socket.timeout):
                    # Anything else than silence: all are here, or TensorFlow itself answers.
                    if leader.recv(_LONGEST):
                        return
                    break
        time.sleep(_PAUSE)
    raise Missing(f"the first worker, {addresses[0]}, did not answer")
