"""What the CPU of this machine can do, and which of TensorFlow's kernels run on it."""

import pathlib

from tensorflow.python.util import _pywrap_util_port

# Flag of Linux's /proc/cpuinfo -> the units that it tells of, the fastest first.
_UNITS = {"amx_bf16": "AMX", "avx512f": "AVX-512", "avx2": "AVX2", "avx": "AVX"}


def multiplies_bfloat16() -> bool:
    """Whether the CPU has units for bfloat16; without them its casts cost more than they save."""
    return bool(_flags() & {"amx_bf16", "avx512_bf16"})


def describe() -> str:
    """The fastest arithmetic units and the kernels in use, such as "AVX2, oneDNN kernels"."""
    flags = _flags()
    units = [unit for flag, unit in _UNITS.items() if flag in flags][:1]
    kernels = "oneDNN" if _pywrap_util_port.IsMklEnabled() else "Eigen"
    return ", ".join([*units, f"{kernels} kernels"])


def _flags() -> set[str]:
    """The words of /proc/cpuinfo; none where the system has no such file."""
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    return set(cpuinfo.read_text(errors="replace").split()) if cpuinfo.exists() else set()
