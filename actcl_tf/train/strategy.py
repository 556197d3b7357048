"""What to train on: the distribution strategy and the precision of the arithmetic."""

import pathlib

import tensorflow as tf

from actcl_tf import config


def build_strategy(name: str) -> tuple[tf.distribute.Strategy, str]:
    """Makes the strategy of a name.

    Args:
      name: "one_device", "mirrored", or "auto" for mirrored where there are several GPUs.

    Returns:
      The strategy and a line that says what was chosen and why.

    Raises:
      config.ConfigError: no such strategy.
    """
    gpus = tf.config.list_logical_devices("GPU")
    cpus = tf.config.list_logical_devices("CPU")
    devices = [device.name for device in gpus or cpus]
    kind = "GPU" if gpus else "CPU"
    if name == "mirrored" or (name == "auto" and len(gpus) > 1):
        why = f"mirrored over {len(devices)} {kind} device(s)"
        return tf.distribute.MirroredStrategy(devices), why
    if name in ("auto", "one_device"):
        return tf.distribute.OneDeviceStrategy(devices[0]), f"one device, a {kind}"
    raise config.ConfigError(f"--strategy={name}: must be one of {', '.join(config.STRATEGIES)}")


def resolve_precision(name: str) -> str:
    """The Keras policy of a precision; "auto" asks the hardware.

    bfloat16 where it has units for it (GPUs of compute capability 8 and up, CPUs with AMX or
    AVX-512 BF16), float32 elsewhere: without such units the casts cost more than they save.

    Args:
      name: "auto", "float32", "mixed_bfloat16" or "mixed_float16".

    Returns:
      The name of a Keras mixed-precision policy.
    """
    if name != "auto":
        return name
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        capable = details.get("compute_capability", (0, 0)) >= (8, 0)
        return "mixed_bfloat16" if capable else "float32"
    return "mixed_bfloat16" if _cpu_multiplies_bfloat16() else "float32"


def _cpu_multiplies_bfloat16() -> bool:
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    words = cpuinfo.read_text(errors="replace").split() if cpuinfo.exists() else []
    return "amx_bf16" in words or "avx512_bf16" in words
