"""GPUs of this machine that TensorFlow does not use, which it says at log levels nobody sees."""

import importlib.metadata
import os
import pathlib
import re
import subprocess
import sys

import tensorflow as tf

# The first major version of compute capability that CUDA 12.2 and cuDNN 8.9 have no code for.
_TOO_NEW = 10
# What TensorFlow says, the most telling first, and what to do about it.
_LIBRARIES = "`make venv GPU=1` installs NVIDIA's libraries"
_DRIVER = (
    "install NVIDIA's driver 525.60.13 or newer and see what `nvidia-smi` says; start a container "
    "with its GPUs (docker run --gpus all)"
)
_OTHER = "train on another GPU"
_REASONS = (
    (r"Ignoring visible gpu device .*", _OTHER),
    (r"failed call to cuInit: .*", _DRIVER),
    (r"Could not load dynamic library [^;]*", _LIBRARIES),
    (r"Cannot dlopen some GPU libraries", _LIBRARIES),
    (r"Could not find cuda drivers on your machine", _DRIVER),
)
_ASK = "import tensorflow as tf; tf.config.list_logical_devices('GPU')"
_SECONDS = 120.0


def find_problem(dev: pathlib.Path = pathlib.Path("/dev")) -> str:
    """What is wrong with the GPUs of this machine, in one line; "" where nothing is.

    Args:
      dev: where the system shows its devices.
    """
    if tf.config.list_logical_devices("GPU"):
        first = tf.config.list_physical_devices("GPU")[0]
        details = tf.config.experimental.get_device_details(first)
        return of_capability(details.get("compute_capability", (0, 0)))
    # dxg is the GPU of the Windows that a Linux runs in. Who hides GPUs knows that none is used.
    devices = [*dev.glob("nvidia[0-9]*"), *dev.glob("dxg")]
    if not devices or os.environ.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1"):
        return ""
    return explain(_log_of_tensorflow(), has_libraries())


def of_capability(capability: tuple[int, int]) -> str:
    """What to know of a GPU of this compute capability, such as (8, 6); "" for nothing."""
    if capability[0] < _TOO_NEW:
        return ""
    return (
        f"this GPU (compute capability {capability[0]}.{capability[1]}) is newer than the code of "
        f"TensorFlow {tf.__version__}; if it fails, train on another one, or on the CPU with "
        "CUDA_VISIBLE_DEVICES=-1"
    )


def explain(log: str, libraries: bool) -> str:
    """Why TensorFlow sees no GPU, and what to do.

    Args:
      log: what TensorFlow writes when it is asked for GPUs.
      libraries: whether NVIDIA's libraries are installed beside TensorFlow.
    """
    start = "TensorFlow does not use the GPU of this machine, and computes on the CPU: "
    reason, remedy = "it does not say why", f"{_LIBRARIES}, or {_DRIVER}"
    for pattern, what in _REASONS:
        found = re.search(pattern, log)
        if found:
            reason, remedy = found[0].strip(), what
            break
    if not libraries and remedy != _OTHER:
        # Without CUDA's library TensorFlow cannot ask the driver, and blames that.
        reason, remedy = "NVIDIA's libraries are not installed", _LIBRARIES
    return f"{start}{reason}; {remedy}"


def has_libraries() -> bool:
    """Whether NVIDIA's libraries were installed with this Python."""
    try:
        importlib.metadata.version("nvidia-cuda-runtime-cu12")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _log_of_tensorflow() -> str:
    """What another process's TensorFlow says of GPUs; this one's has said it to nobody."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _ASK],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "0"},
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stderr.decode(errors="replace")
