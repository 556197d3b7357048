"""One process at a time trains in a run folder."""

import contextlib
import fcntl
import os
import pathlib
import socket
from collections.abc import Iterator

from actcl_tf.train import checkpointing


@contextlib.contextmanager
def hold(run_dir: str) -> Iterator[None]:
    """Keeps other processes from training in a run folder, on this machine or on others.

    The lock is the operating system's and not the file's being there: it goes with the process,
    however that ends, and children do not inherit it.

    Args:
      run_dir: folder of the run.

    Raises:
      checkpointing.CheckpointError: another process holds it, or the folder cannot be written.
    """
    path = pathlib.Path(run_dir) / "lock"
    try:
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise checkpointing.CheckpointError(
            f"--run_dir={run_dir}: cannot be written: {error}"
        ) from error
    with file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise checkpointing.CheckpointError(
                f"--run_dir={run_dir}: {holder} trains there now; wait for it, stop it, or name "
                "another folder"
            ) from error
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield
