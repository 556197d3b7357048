"""Runs tools, programs and functions in processes that start with TensorFlow imported.

Each is a fork of one that has imported what takes seconds, and computed nothing: threads do not
outlive a fork. It has an id, a folder, an environment and streams of its own and ends by signals,
as any other; what TensorFlow reads of the environment while it is imported is the session's. Tests
of the start itself, and of applications without this project, start Python anew.
"""

import atexit
import contextlib
import io
import json
import multiprocessing
import multiprocessing.reduction
import os
import pathlib
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[1]
TOOLS = ROOT / "tools"

FORKS = multiprocessing.get_context("forkserver")
# No flags are defined there.
FORKS.set_forkserver_preload(
    [
        "actcl_tf.evaluate.evaluation",
        "actcl_tf.evaluate.monitor.monitor",
        "actcl_tf.export.saved_models",
        "actcl_tf.inspection.records_inspector",
        "actcl_tf.search.request",
        "actcl_tf.train.training_run",
    ]
)


class Answer(NamedTuple):
    """What came of one list of arguments."""

    status: int
    out: str
    errors: str


class _Descriptor:
    """A file descriptor that goes along to another process."""

    def __init__(self, number: int):
        self.number = number

    def __reduce__(self):
        return _received, (multiprocessing.reduction.DupFd(self.number),)


def _received(copy) -> _Descriptor:
    return _Descriptor(copy.detach())


class Program:
    """A program that runs, with the names of `subprocess.Popen`.

    Args:
      arguments: what would follow `python`: a path, or -m and a module, or -c and code; and more.
      streams: descriptors of its input, output and errors.
      cwd: folder to run in.
      env: all its environment.
      umask: mask of the files it writes; None: as here.
    """

    stdout = stderr = None  # Where there are pipes: our ends of them.

    def __init__(self, arguments, streams, *, cwd=None, env=None, umask=None):
        self.args = [str(each) for each in arguments]
        surroundings = (str(cwd or os.getcwd()), dict(os.environ if env is None else env), umask)
        descriptors = [_Descriptor(number) for number in streams]
        self._process = FORKS.Process(target=_be, args=(self.args, descriptors, *surroundings))
        self._process.start()
        self.pid = self._process.pid
        atexit.register(self._process.kill)  # Python waits for it otherwise, if a test does not.

    @property
    def returncode(self) -> int | None:
        """Its status, or None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Its status, or None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Its status in the end."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self._process.exitcode

    def communicate(self, timeout: float | None = None) -> list:
        """What it writes to its pipes until its end."""
        said = [None, None]

        def read(number, pipe):
            said[number] = pipe.read()

        pipes = [(n, pipe) for n, pipe in enumerate((self.stdout, self.stderr)) if pipe]
        readers = [threading.Thread(target=read, args=each, daemon=True) for each in pipes]
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader in readers:
            reader.join()
        for _, pipe in pipes:
            pipe.close()
        return said

    def send_signal(self, number: int) -> None:
        """Sends a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Asks it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it."""
        self.send_signal(signal.SIGKILL)


def _be(arguments: list, streams: list, cwd: str, env: dict, umask: int | None) -> None:
    """Makes this process the program."""
    for number, stream in enumerate(streams):
        os.dup2(stream.number, number)
        os.close(stream.number)
    # New ones: the parent's remember what their files can do.
    encoding = env.get("PYTHONIOENCODING", "utf-8").partition(":")[0]
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding=encoding, closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding, "backslashreplace", closefd=False)
    atexit._clear()  # What the imports would take down takes as long as they did.
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    if umask is not None:
        os.umask(umask)
    try:
        if arguments[0] == "-c":
            sys.argv = ["-c", *arguments[2:]]
            sys.path.insert(0, "")
            exec(compile(arguments[1], "<string>", "exec"), {"__name__": "__main__"})
        elif arguments[0] == "-m":
            sys.argv = arguments[1:]
            sys.path.insert(0, cwd)
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = arguments
            sys.path.insert(0, str(pathlib.Path(arguments[0]).resolve().parent))
            runpy.run_path(arguments[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()


def start(*arguments, stdout=None, stderr=None, **surroundings) -> Program:
    """Starts a program; streams that are not given are pipes."""
    pipes, ends = [], []
    for given in (stdout, stderr):
        ours, theirs = (None, os.dup(given)) if given is not None else os.pipe()
        pipes.append(None if ours is None else os.fdopen(ours))
        ends.append(theirs)
    nothing = os.open(os.devnull, os.O_RDWR)
    try:
        program = Program(arguments, [nothing, *ends], **surroundings)
    finally:
        for number in (nothing, *ends):
            os.close(number)
    program.stdout, program.stderr = pipes
    return program


def run(*arguments, timeout: float = 900, **surroundings) -> subprocess.CompletedProcess:
    """Runs a program to its end."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        program = start(*arguments, stdout=out.fileno(), stderr=errors.fileno(), **surroundings)
        try:
            program.wait(timeout)
        finally:
            program.kill()
        said = []
        for file in (out, errors):
            file.seek(0)
            said.append(file.read())
    return subprocess.CompletedProcess(program.args, program.returncode, *said)


def call(function: Callable, *arguments) -> Any:
    """What a function of a module returns, called in a process of its own."""
    ours, theirs = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=_answer, args=(theirs, function, arguments))
    process.start()
    theirs.close()
    try:
        answer = ours.recv()
    except EOFError:
        process.join()
        raise AssertionError(f"the process ended without an answer: {process.exitcode}") from None
    process.join()
    return answer


def _answer(connection, function, arguments):
    connection.send(function(*arguments))


def run_many(tool: str, *argument_lists: list, cwd: str | None = None) -> list[Answer]:
    """What a tool, such as "train.py", comes to for each list of arguments, in their order.

    All run in one process, so that what TensorFlow has made for one serves the next.
    """
    lists = [list(map(str, each)) for each in argument_lists]
    return call(_drive, str(TOOLS / tool), lists, str(cwd or os.getcwd()))


def _drive(tool: str, argument_lists: list, cwd: str) -> list[Answer]:
    from absl.testing.flagsaver import flagsaver as saver

    os.chdir(cwd)
    sys.path.insert(0, os.path.dirname(tool))
    program = runpy.run_path(tool, run_name="checked")
    answers = []
    for arguments in argument_lists:
        out, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors), saver():
            try:
                status = program["main"](program["field_flags"].parse([tool, *arguments]))
            except SystemExit as stop:
                status = stop.code
                if isinstance(status, str):  # As Python does where nobody catches it.
                    print(status, file=sys.stderr)
                    status = 1
        answers.append(Answer(status or 0, out.getvalue(), errors.getvalue()))
    return answers


_CLIENT = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    asked = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(server, [len(asked).to_bytes(8, "big")], [0, 1, 2])
    server.sendall(asked)
    sys.exit(int(server.recv(9) or 1))
"""


@contextlib.contextmanager
def python_for_scripts(path: pathlib.Path) -> Iterator[None]:
    """Writes an executable that a shell can run as `python`, and serves it."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        address = f"{folder}/python"
        server.bind(address)
        server.listen()
        path.write_text(_CLIENT.format(python=sys.executable, address=address))
        path.chmod(0o755)
        thread = threading.Thread(target=_serve, args=(server,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(server: socket.socket) -> None:
    with contextlib.suppress(OSError):  # Ended from the other thread.
        while True:
            client, _ = server.accept()
            threading.Thread(target=_serve_one, args=(client,), daemon=True).start()


def _serve_one(client: socket.socket) -> None:
    with client, client.makefile("rb") as file:
        size, streams, *_ = socket.recv_fds(client, 8, 3)
        arguments, cwd, env = json.loads(file.read(int.from_bytes(size, "big")))
        program = Program(arguments, streams, cwd=cwd, env=env)
        for number in streams:
            os.close(number)
        client.sendall(str(program.wait() & 255).encode())
