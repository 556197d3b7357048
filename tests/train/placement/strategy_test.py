import pathlib
import socket
import types

import pytest
import tensorflow as tf

from actcl_tf import config
from actcl_tf.train.placement import strategy
from tests import programs


@pytest.mark.parametrize(
    ("name", "expected"),
    [("auto", tf.distribute.OneDeviceStrategy), ("one_device", tf.distribute.OneDeviceStrategy)],
)
def test_without_accelerators_one_device_is_chosen(name, expected):
    if tf.config.list_physical_devices("GPU"):
        expected = tf.distribute.Strategy
    chosen, why = strategy.build_strategy(name)
    assert isinstance(chosen, expected)
    assert "one device" in why or "mirrored" in why


def test_mirrored_counts_its_devices():
    chosen, why = strategy.build_strategy("mirrored")
    assert chosen.num_replicas_in_sync >= 1
    assert "mirrored over" in why


@pytest.mark.parametrize(
    ("asked", "devices", "expected"),
    [
        ("auto", ["/cpu:0"], "host"),
        ("auto", ["/job:worker/replica:0/task:1/device:GPU:0", "/gpu:1"], "device"),
        ("auto", ["/job:tpu/replica:0/task:0/device:TPU:0"], "device"),
        ("host", ["/gpu:0"], "host"),
        ("device", ["/cpu:0"], "device"),
    ],
)
def test_clips_are_augmented_on_accelerators(asked, devices, expected):
    extended = types.SimpleNamespace(worker_devices=devices)
    placed = types.SimpleNamespace(extended=extended)  # No machine of the tests has them all.
    data = config.DataConfig(augment_on=asked)
    assert strategy.resolve_augmentation(data, placed) == expected


def test_devices_of_a_real_strategy_are_known():
    chosen, _ = strategy.build_strategy("auto")
    expected = "device" if tf.config.list_physical_devices("GPU") else "host"
    assert strategy.resolve_augmentation(config.DataConfig(), chosen) == expected


def test_unknown_strategy():
    with pytest.raises(config.ConfigError, match="--strategy=nccl: must be one of auto"):
        strategy.build_strategy("nccl")


def test_a_tpu_that_does_not_answer_is_named():
    with socket.socket() as closed:  # Bound, and nobody listens.
        closed.bind(("localhost", 0))
        tpu = f"grpc://localhost:{closed.getsockname()[1]}"
        with pytest.raises(config.ConfigError, match=f"no TPU could be reached as --tpu={tpu} "):
            strategy.build_placement(config.TrainConfig(strategy="tpu", tpu=tpu))


@pytest.mark.slow
def test_without_a_tpu_training_on_one_is_refused(tiny_data):
    """In a process of its own, since TensorFlow does not forget the attempt."""
    answer = programs.run_many("train.py", [f"--data_dir={tiny_data}", "--strategy=tpu"])[0]
    assert answer.status == 2
    assert answer.errors.splitlines()[-1].startswith(
        "error: --strategy=tpu: no TPU could be reached as --tpu=local ("
    )


@pytest.mark.parametrize("name", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_a_named_precision_is_taken(name):
    assert strategy.resolve_precision(name) == name


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("fpu sse2 avx512f", "float32"),
        ("fpu amx_bf16 amx_tile", "mixed_bfloat16"),
        ("fpu avx512_bf16", "mixed_bfloat16"),
        (None, "float32"),
    ],
)
def test_auto_asks_the_cpu(monkeypatch, flags, expected):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setattr(pathlib.Path, "exists", lambda self: flags is not None)
    monkeypatch.setattr(pathlib.Path, "read_text", lambda self, errors: f"flags : {flags}")
    assert strategy.resolve_precision("auto") == expected
