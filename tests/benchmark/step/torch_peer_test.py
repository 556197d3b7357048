"""What is raced is the same network: outputs and gradients, in an environment that has PyTorch."""

import json
import pathlib
import subprocess
import sys

import pytest

from actcl_tf import config
from actcl_tf.benchmark.step import torch_peer
from tests import torch_environment

TINY = (
    "--precisions=float32",
    "--timed_steps=2",
    "--batch_size=4",
    "--dictionary_size=4",
    "--pool_size=8",
    "--num_frames=4",
    "--image_size=32",
    "--video_encoder=resnet3d_10",
    "--video_width=0.125",
    "--audio_encoder=resnet2d_10",
    "--audio_width=0.125",
)
PROGRAM = """
import numpy as np
import tensorflow as tf
import torch
from actcl_tf.benchmark.step import torch_peer
from actcl_tf.models import audio_encoders, video_encoders

rng = np.random.default_rng(0)
# Large enough that the last normalisations see some values; of two alike they make noise.
video, audio = video_encoders.build_video_encoder, audio_encoders.build_audio_encoder
for build, name, shape in (
    (video, "resnet3d_10", [4, 8, 40, 36, 3]),
    (video, "resnet3d_50", [4, 16, 64, 64, 3]),
    (video, "r2plus1d_18", [4, 8, 32, 32, 3]),
    (video, "mc3_18", [4, 4, 32, 32, 3]),
    (audio, "resnet2d_10", [4, 128, 64]),
    (audio, "resnet2d_50", [4, 128, 64]),
    (audio, "resnet1d_18", [4, 256, 24]),
):
    backbone = build(name, 0.125)
    inputs = tf.constant(rng.normal(size=shape), tf.float32)
    trained = backbone(inputs, training=True).numpy()
    twin = torch_peer.from_keras(backbone)
    values = torch_peer.inputs_from_keras(backbone, inputs)
    twin.train()
    largest = np.abs(trained).max()
    # Up to 50 layers of float32 round, each in its own order: shares of the largest value.
    np.testing.assert_allclose(twin(values).detach() / largest, trained / largest, atol=2e-3)
    # Gradients with fixed normalisations: those of a batch make rounding grow from layer to layer.
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(backbone(inputs, training=False) ** 2)
    gradient = tape.gradient(loss, backbone.stem.chain[0].kernel).numpy()
    twin = torch_peer.from_keras(backbone).eval()
    twin(values).square().mean().backward()
    found = np.moveaxis(twin[0][0].weight.grad.numpy(), (0, 1), (-1, -2))
    error = np.linalg.norm(found - gradient) / np.linalg.norm(gradient)
    assert error < 0.02, (name, error)
    assert sum(p.numel() for p in twin.parameters()) == sum(
        int(np.prod(v.shape)) for v in backbone.trainable_variables
    )
    print("same", name)
"""


def test_without_pytorch_the_race_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # As if it were not installed.
    with pytest.raises(config.ConfigError, match=r"--peer=torch: PyTorch is not installed here"):
        torch_peer.require()


@pytest.mark.slow
def test_twins_are_the_same_networks_and_can_be_raced(tmp_path):
    python = torch_environment.make(tmp_path / "env", "torch>=2.6")
    root = pathlib.Path(__file__).resolve().parents[3]

    def run(*arguments):
        done = subprocess.run(
            [python, *arguments], cwd=root, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    assert run("-c", PROGRAM).count("same") == 7
    output = tmp_path / "race.json"
    table = run("tools/benchmark.py", "--peer=torch", *TINY, f"--output={output}")
    assert "times as fast" in table and "float32 both" in table
    races = json.loads(output.read_text())["races"]
    assert [race["encoder"] for race in races] == ["video", "audio", "both"]
    for race in races:
        assert len(race["ours"]) == len(race["theirs"]) == 2 and min(race["theirs"]) > 0
        assert race["multiply_adds"] > 1e6
