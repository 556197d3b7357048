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
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import field_flags
from absl import flags

from actcl_tf import config, tensorflow_log
from actcl_tf.console import commands

_ROLE = flags.DEFINE_enum("role", None, ["dispatcher", "worker"], "What to be.", required=True)
_PORT = flags.DEFINE_integer("port", 0, "Port to listen on; 0: a free one.", 0, 65535)
_DISPATCHER = flags.DEFINE_string("dispatcher", "", "worker: HOST:PORT of the dispatcher.")
_ALL_INTERFACES = flags.DEFINE_bool(
    "all_interfaces", False, "Listen to the whole network, which must be closed to strangers."
)
_HOST = flags.DEFINE_string(
    "host", "", "worker: name or address that trainers reach it by; empty: this machine's name."
)


def _worker_settings() -> dict[str, Any]:
    """Where a worker listens and whom it works for.

    Raises:
      config.ConfigError: --dispatcher is no address of a running dispatcher.
    """
    dispatcher = _DISPATCHER.value.split("://")[-1]
    name, _, number = dispatcher.rpartition(":")
    try:
        socket.create_connection((name.strip("[]"), int(number)), 10.0).close()
    except (OSError, ValueError) as error:
        raise config.ConfigError(
            f"--dispatcher={_DISPATCHER.value}: must be HOST:PORT of a running dispatcher ({error})"
        ) from error
    port = _PORT.value
    if not port:  # Trainers must be told the number before the worker has one.
        with socket.socket() as probe:
            probe.bind(("", 0))
            port = probe.getsockname()[1]
    address = f"{_HOST.value or socket.getfqdn()}:{port}"
    return {"dispatcher_address": dispatcher, "worker_address": address, "port": port}


def _start() -> tuple:
    """The server, and what it says of itself; the server must be kept."""
    is_worker = _ROLE.value == "worker"
    settings = _worker_settings() if is_worker else {"port": _PORT.value}
    tensorflow_log.import_tensorflow()

    import tensorflow as tf

    service = tf.data.experimental.service
    try:
        if is_worker:
            server = service.WorkerServer(service.WorkerConfig(**settings))
            where = settings["worker_address"]
            return server, f"Worker at {where} for the dispatcher at {_DISPATCHER.value}"
        server = service.DispatchServer(service.DispatcherConfig(**settings))
        return server, f"Dispatcher at {server.target}"
    except tf.errors.OpError as error:
        raise OSError(f"cannot serve: {error.message}") from error


def _check(argv: list[str]) -> None:
    """Refuses what cannot be meant."""
    field_flags.require_no_arguments(argv)
    if (_ROLE.value == "worker") != bool(_DISPATCHER.value):
        raise config.ConfigError("--dispatcher=HOST:PORT: is for --role=worker, which needs it")
    if not _ALL_INTERFACES.value:
        raise config.ConfigError(
            "--all_interfaces: TensorFlow's data service listens on all network interfaces, "
            "without encryption or passwords; give this flag where no stranger reaches the machine"
        )


def main(argv: list[str]) -> int:
    """Serves until a signal comes; returns the exit status."""
    ended, status = threading.Event(), []

    def end(number: int, _: object) -> None:
        status.append(128 + number)
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    try:
        _check(argv)
        _server, text = _start()  # Serves for as long as it is kept.
    except (config.UserError, OSError) as error:
        print(f"error: {commands.as_called(error)}", file=sys.stderr)
        return 2 if isinstance(error, config.UserError) else 1
    print(text, flush=True)
    while not ended.wait(0.5):  # In pieces, so that signals are seen.
        pass
    sys.stdout.flush()
    os._exit(status[0])  # Taking the server down would wait for all who are served.


if __name__ == "__main__":
    field_flags.run(main)
