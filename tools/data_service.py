"""Makes training clips on other machines: one part of a tf.data service.

  python tools/data_service.py --role=dispatcher --port=5050 --all_interfaces
  python tools/data_service.py --role=worker --dispatcher=HOST:5050 --all_interfaces
  python tools/train.py --flagfile=... --data_service=grpc://HOST:5050

Workers run on as many machines as wanted, and all machines must see the data under the same path.
TensorFlow's servers listen on all of a machine's network interfaces, without encryption or
passwords; --all_interfaces says that the network is a closed one. A worker that stopped must be
started again with the same --host and --port; trainers wait two minutes for it. SIGTERM ends either
with status 143, Ctrl-C with 130.
"""

import os
import pathlib
import signal
import socket
import sys
import threading

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import field_flags
import tensorflow as tf
from absl import app, flags

_ROLE = flags.DEFINE_enum("role", None, ["dispatcher", "worker"], "What to be.", required=True)
_PORT = flags.DEFINE_integer("port", 0, "Port to listen on; 0: a free one.", 0, 65535)
_DISPATCHER = flags.DEFINE_string("dispatcher", "", "worker: HOST:PORT of the dispatcher.")
_ALL_INTERFACES = flags.DEFINE_bool(
    "all_interfaces", False, "Listen to the whole network, which must be closed to strangers."
)
_HOST = flags.DEFINE_string(
    "host", "", "worker: name or address that trainers reach it by; empty: this machine's name."
)


def _start() -> tuple:
    """The server, and what it says of itself; the server must be kept."""
    service = tf.data.experimental.service
    if _ROLE.value == "dispatcher":
        server = service.DispatchServer(service.DispatcherConfig(port=_PORT.value))
        return server, f"Dispatcher at {server.target}"
    dispatcher = _DISPATCHER.value.split("://")[-1]
    name, _, number = dispatcher.rpartition(":")
    socket.create_connection((name.strip("[]"), int(number)), 10.0).close()
    host = _HOST.value or socket.getfqdn()
    port = _PORT.value
    if not port:  # Trainers must be told the number before the worker has one.
        with socket.socket() as probe:
            probe.bind(("", 0))
            port = probe.getsockname()[1]
    address = f"{host}:{port}"
    server = service.WorkerServer(
        service.WorkerConfig(dispatcher_address=dispatcher, worker_address=address, port=port)
    )
    return server, f"Worker at {address} for the dispatcher at {_DISPATCHER.value}"


def main(argv: list[str]) -> int:
    """Serves until a signal comes; returns the exit status."""
    if len(argv) > 1:
        print(f"error: unexpected argument {argv[1]}", file=sys.stderr)
        return 2
    if (_ROLE.value == "worker") != bool(_DISPATCHER.value):
        print(
            "error: --dispatcher=HOST:PORT: is for --role=worker, which needs it", file=sys.stderr
        )
        return 2
    if not _ALL_INTERFACES.value:
        print(
            "error: --all_interfaces: TensorFlow's data service listens on all network interfaces, "
            "without encryption or passwords; give this flag where no stranger reaches the machine",
            file=sys.stderr,
        )
        return 2
    ended, status = threading.Event(), []

    def end(number: int, _: object) -> None:
        status.append(128 + number)
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    try:
        _server, text = _start()  # Serves for as long as it is kept.
    except tf.errors.OpError as error:
        print(f"error: cannot serve: {error.message}", file=sys.stderr)
        return 1
    except (OSError, ValueError) as error:
        text = f"--dispatcher={_DISPATCHER.value}: must be HOST:PORT of a running dispatcher"
        print(f"error: {text} ({error})", file=sys.stderr)
        return 2
    print(text, flush=True)
    while not ended.wait(0.5):  # In pieces, so that signals are seen.
        pass
    sys.stdout.flush()
    os._exit(status[0])  # Taking the server down would wait for all who are served.


if __name__ == "__main__":
    app.run(main, flags_parser=field_flags.parse)
