"""Reads the tensors of a file that somebody else wrote, and runs nothing that stands in it.

PyTorch's own files are pickles, and a pickle can call any function while it is read. Its reader of
weights alone knows tensors, numbers, texts and containers, and refuses everything else. Before
version 2.6 it could be got round (CVE-2025-32434), so that older ones are refused. Files of the
safetensors format hold no code at all, and are read here without PyTorch.
"""

import math
import pathlib
import pickle
import re
from typing import Any, NamedTuple

import numpy as np

from actcl_tf import config
from actcl_tf.storage import strict_json

OLDEST_TORCH = (2, 6)
_INSTALL = "pip install 'torch>=2.6'"
_SAFETENSORS_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8"}
_LENGTH_BYTES = 8  # Of the number that a safetensors file begins with.


class _Tensor(NamedTuple):
    """What the head of a safetensors file says of a tensor."""

    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


class WeightsError(config.ConfigError):
    """Weights that cannot be used; the message names --init_from, the file and what is wrong."""


def read_tensors(path: str) -> dict[str, np.ndarray]:
    """Reads a state dict: names and tensors.

    Args:
      path: of a file that `torch.save` wrote, in its present format or that of before 1.6; or of
        one that is called .safetensors and is such a file.

    Returns:
      Name -> array.

    Raises:
      WeightsError: no such file, no torch that reads it safely, or not a state dict.
    """
    try:
        file = pathlib.Path(path).expanduser()
    except RuntimeError as error:  # A user without a home folder.
        raise WeightsError(f"--init_from={path}: {error}") from error
    if not file.is_file():
        raise WeightsError(f"--init_from={path}: no such file")
    if file.suffix == ".safetensors":
        return _read_safetensors(file, path)
    return _read_torch(file, path)


def _read_torch(file: pathlib.Path, path: str) -> dict[str, np.ndarray]:
    torch = _import_torch(path)
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"--init_from={path}: holds something else than tensors, or is no file of PyTorch's; "
            "nothing in it was run"
        ) from error
    # Of a file that is cut off or damaged, there is no telling what the reader raises.
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise WeightsError(
            f"--init_from={path}: is damaged or no file of PyTorch's: {reason}"
        ) from error
    if not isinstance(state, dict) or not state:
        got = "an empty one" if isinstance(state, dict) else type(state).__name__
        raise WeightsError(
            f"--init_from={path}: must hold a state dict (names and tensors), got {got}"
        )
    arrays = {}
    for name, tensor in state.items():
        if not isinstance(tensor, torch.Tensor) or tensor.layout != torch.strided:
            raise WeightsError(
                f"--init_from={path}: must hold names and tensors only, got {name!r} of type "
                f"{type(tensor).__name__}; of a larger checkpoint, save the state dict alone"
            )
        # NumPy lacks bfloat16.
        tensor = tensor.detach().float() if tensor.is_floating_point() else tensor
        arrays[str(name)] = tensor.numpy()
    return arrays


def _import_torch(path: str) -> Any:
    try:
        import torch
    except ImportError as error:
        raise WeightsError(
            f"--init_from={path}: PyTorch is needed to read it ({error}): {_INSTALL}"
        ) from error
    version = tuple(map(int, re.findall(r"\d+", torch.__version__)[:2]))
    if version < OLDEST_TORCH:
        raise WeightsError(
            f"--init_from={path}: torch {torch.__version__} may run what stands in such a file; a "
            f"later one does not: {_INSTALL}"
        )
    return torch


def _read_safetensors(file: pathlib.Path, path: str) -> dict[str, np.ndarray]:
    """Reads a length, that many bytes of JSON, and the tensors' bytes, where JSON says they are."""
    content = file.read_bytes()
    arrays = {}
    try:
        start = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
        header = strict_json.loads(content[_LENGTH_BYTES:start])
        header = {key: value for key, value in header.items() if key != "__metadata__"}
        for name, about in strict_json.build(dict[str, _Tensor], header).items():
            kind, shape, (first, last) = about.dtype, about.shape, about.data_offsets
            if kind not in _SAFETENSORS_TYPES:
                raise WeightsError(
                    f"--init_from={path}: {name} must be of type "
                    f"{', '.join(_SAFETENSORS_TYPES)}, got {kind}"
                )
            dtype = np.dtype(_SAFETENSORS_TYPES[kind])
            if first < 0 or min(shape, default=0) < 0:
                raise ValueError(f"{name} is at {first} and of the shape {shape}")
            if last - first != math.prod(shape) * dtype.itemsize:
                raise ValueError(f"{name} has {last - first} bytes for the shape {shape}")
            values = np.frombuffer(content, dtype, math.prod(shape), start + first)
            arrays[name] = values.reshape(shape)
    except (ValueError, AttributeError) as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(
            f"--init_from={path}: is damaged or no safetensors file: {error}"
        ) from error
    return arrays
