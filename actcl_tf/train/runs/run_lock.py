"""One process at a time trains in a run folder."""

import contextlib
from collections.abc import Iterator

from actcl_tf.storage import folder_lock
from actcl_tf.train.runs import errors


@contextlib.contextmanager
def hold(run_dir: str) -> Iterator[None]:
    """Keeps other processes from training in a run folder, on this machine or on others.

    Args:
      run_dir: folder of the run.

    Raises:
      errors.CheckpointError: another process holds it, or the folder cannot be written.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(folder_lock.hold(run_dir, f"--run_dir={run_dir}"))
        except folder_lock.InUse as error:
            raise errors.CheckpointError(
                f"--run_dir={run_dir}: {error} trains there now; wait for it, stop it, or name "
                "another folder"
            ) from error
        except OSError as error:
            raise errors.CheckpointError(
                f"--run_dir={run_dir}: cannot be written: {error}"
            ) from error
        yield
