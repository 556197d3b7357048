"""GPUs that TensorFlow does not use: the lines it says of them, and ours."""

import pathlib

import pytest
import tensorflow as tf

from actcl_tf.train.placement import gpu

START = "TensorFlow does not use the GPU of this machine, and computes on the CPU: "
NO_DRIVER = (
    "I cudart_stub.cc:31] Could not find cuda drivers on your machine, GPU will not be used."
)
NO_INIT = "E cuda_driver.cc:274] failed call to cuInit: CUDA_ERROR_UNKNOWN: unknown error\nI x] y"
NO_LIBRARY = (
    "W gpu_device.cc:2256] Cannot dlopen some GPU libraries. Please make sure the missing libraries"
)
TOO_OLD = (
    "I gpu_device.cc:2342] Ignoring visible gpu device (device: 0, name: Tesla K40c, compute "
    "capability: 3.5) with Cuda compute "
    "capability 3.5. The minimum required Cuda capability is 5.0."
)


@pytest.mark.parametrize(
    ("log", "libraries", "reason", "remedy"),
    [
        ("", True, "it does not say why; ", "525.60.13"),
        ("", False, "NVIDIA's libraries are not installed; `make venv GPU=1`", "installs"),
        (NO_DRIVER, False, "NVIDIA's libraries are not installed; `make venv GPU=1`", "installs"),
        (NO_DRIVER, True, "Could not find cuda drivers on your machine; install", "--gpus all"),
        (f"{NO_DRIVER}\n{NO_INIT}", True, "failed call to cuInit: CUDA_ERROR_UNKNOWN", "525.60.13"),
        (NO_LIBRARY, True, "Cannot dlopen some GPU libraries; `make venv GPU=1`", "installs"),
        (TOO_OLD, False, "Ignoring visible gpu device (device: 0, name: Tesla K40c", "another GPU"),
    ],
)
def test_the_line_has_a_reason_and_a_remedy(log, libraries, reason, remedy):
    line = gpu.explain(log, libraries)
    assert line.startswith(START + reason) and remedy in line and "\n" not in line


@pytest.mark.parametrize(
    ("capability", "is_new"), [((3, 5), False), ((9, 0), False), ((10, 0), True), ((12, 0), True)]
)
def test_a_gpu_newer_than_the_code_is_told(capability, is_new):
    assert (f"compute capability {capability[0]}.0" in gpu.of_capability(capability)) == is_new


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="TensorFlow sees a GPU")
def test_tensorflow_is_asked_only_where_there_is_a_gpu_that_nobody_hides(tmp_path, monkeypatch):
    assert gpu.find_problem(tmp_path / "none") == ""
    (tmp_path / "nvidiactl").touch()
    assert gpu.find_problem(tmp_path) == ""
    (tmp_path / "nvidia0").touch()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert gpu.find_problem(tmp_path) == ""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert gpu.find_problem(tmp_path).startswith(START)


def test_this_machine_is_looked_at():
    has_gpu = any(pathlib.Path("/dev").glob("nvidia[0-9]*"))
    assert has_gpu or gpu.find_problem() == ""
