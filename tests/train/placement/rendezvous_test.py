"""Workers that wait for each other, and how they are stopped while they do."""

import signal
import socket
import subprocess
import sys
import threading

import pytest

from actcl_tf.train.placement import rendezvous

WAITER = """
import sys
from actcl_tf.train.placement import rendezvous
with rendezvous.ends_on_signals():
    print("waiting", flush=True)
    rendezvous.wait(sys.argv[2:], int(sys.argv[1]), 600.0)
print("all here", flush=True)
"""


@pytest.fixture
def addresses():
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return [f"localhost:{free.getsockname()[1]}", "b:1", "c:1"]


@pytest.fixture
def start(addresses):
    started = []

    def run(place):
        process = subprocess.Popen(
            [sys.executable, "-c", WAITER, str(place), *addresses],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "waiting\n"
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("place", [0, 1])
def test_a_signal_ends_the_wait_with_one_line_and_its_status(start, place, number):
    process = start(place)
    process.send_signal(number)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 128 + number
    assert errors == f"Stopped: ended by {number.name} while waiting for the other workers.\n"


def test_all_go_on_once_all_are_there_in_any_order_and_after_one_was_replaced(start):
    last = start(2)
    gone = start(1)
    first = start(0)
    gone.kill()
    gone.wait()
    again = start(1)
    for process in (last, first, again):
        assert process.communicate(timeout=600)[0] == "all here\n"
        assert process.returncode == 0


def test_the_port_is_free_afterwards_and_who_is_missing_is_named(addresses):
    others = [
        threading.Thread(target=rendezvous.wait, args=(addresses, place, 600.0)) for place in (1, 2)
    ]
    for other in others:
        other.start()
    rendezvous.wait(addresses, 0, 600.0)
    for other in others:
        other.join()
    with pytest.raises(rendezvous.Missing, match="b:1, c:1 did not come"):
        rendezvous.wait(addresses, 0, 0.0)
    with pytest.raises(rendezvous.Missing, match=f"the first worker, {addresses[0]}, did not"):
        rendezvous.wait(addresses, 1, 0.5)


def test_strangers_are_not_counted(addresses):
    host, port = addresses[0].split(":")
    leader = threading.Thread(target=rendezvous.wait, args=(addresses[:2], 0, 600.0))
    leader.start()
    while True:
        try:
            stranger = socket.create_connection((host, int(port)))
            break
        except ConnectionRefusedError:
            continue
    stranger.sendall(b"GET / HTTP/1.1\n")
    assert stranger.recv(10) == b""  # Shown the door.
    assert leader.is_alive()
    rendezvous.wait(addresses[:2], 1, 600.0)
    leader.join()


def test_one_worker_waits_for_nobody():
    rendezvous.wait(["nowhere:1"], 0, 0.0)


def test_signals_are_given_back():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with rendezvous.ends_on_signals():
        rendezvous.leave_to_the_system()
        assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
