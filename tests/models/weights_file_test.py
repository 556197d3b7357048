"""Files of weights that can be read, and what is said of others (PyTorch's: torchvision_test)."""

import json
import sys
import types

import numpy as np
import pytest

from actcl_tf.models import weights_file
from tests.published_weights import write_safetensors


def test_safetensors_come_back(tmp_path, rng):
    state = {
        "single": rng.normal(size=[2, 3, 4]).astype(np.float32),
        "double": rng.normal(size=[5]),
        "half": rng.normal(size=[1, 2]).astype(np.float16),
        "count": np.array(-7, np.int64),
        "none": np.zeros([0, 3], np.float32),
    }
    path = tmp_path / "a.safetensors"
    write_safetensors(path, state)
    found = weights_file.read_tensors(str(path))
    assert found.keys() == state.keys()
    for name, value in state.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)


def _header(about, data=b""):
    text = json.dumps(about).encode()
    return len(text).to_bytes(8, "little") + text + data


def _one(kind="F32", shape=(1,), offsets=(0, 4)):
    return {"a": {"dtype": kind, "shape": shape, "data_offsets": offsets}}


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "is damaged or no safetensors file"),
        (b"PK\x03\x04 and whatever else there is", "is damaged or no safetensors file"),
        (_header([1, 2]), "is damaged or no safetensors file"),
        (_header({"a": 1}), "is damaged or no safetensors file"),
        (_header({"a": {"dtype": "F32"}}), "'a'] lacks data_offsets, shape"),
        (_header(_one(), b"123"), "is damaged or no safetensors file: buffer is smaller"),
        (_header(_one(shape=[2]), bytes(4)), "a has 4 bytes for the shape [2]"),
        (_header(_one(shape=[-1, -1]), bytes(4)), "is damaged or no safetensors file"),
        (_header(_one(offsets=[-(10**6), 4 - 10**6])), "is damaged or no safetensors file"),
        (_header(_one("BF16")), "a must be of type F64, F32, F16, I64, got BF16"),
        ((10**5).to_bytes(8, "little") + b"[" * 10**5, "is damaged or no safetensors file"),
    ],
)
def test_what_is_no_safetensors_file_is_told(tmp_path, content, message):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(weights_file.WeightsError) as caught:
        weights_file.read_tensors(str(path))
    assert str(caught.value).startswith(f"--init_from={path}: ")
    assert message in str(caught.value)


def test_no_such_file(tmp_path):
    for path in (tmp_path / "none.pth", tmp_path):
        with pytest.raises(weights_file.WeightsError, match=f"^--init_from={path}: no such file$"):
            weights_file.read_tensors(str(path))


# Stands for what is installed, or not, beside this package.
@pytest.mark.parametrize(
    "torch, message",
    [
        (None, "PyTorch is needed to read it .*: pip install 'torch>=2.6'$"),
        ("2.5.1+cpu", r"torch 2.5.1\+cpu may run what stands in such a file; .* 'torch>=2.6'$"),
        ("1.13.0", "torch 1.13.0 may run what stands in such a file"),
    ],
)
def test_without_a_torch_that_reads_safely(tmp_path, monkeypatch, torch, message):
    path = tmp_path / "a.pth"
    path.write_bytes(b"something")
    installed = torch and types.SimpleNamespace(__version__=torch)
    monkeypatch.setitem(sys.modules, "torch", installed)
    with pytest.raises(weights_file.WeightsError, match=message):
        weights_file.read_tensors(str(path))
