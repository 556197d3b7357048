"""The export program on a run on disk."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.train import checkpointing, loop

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "export.py"


def _export(*flags, cwd):
    command = [sys.executable, str(TOOL), *flags]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


@pytest.fixture
def run(tiny_run):
    """A run whose best checkpoint, of step 2, is not its last, of step 5."""
    run = tiny_run(frame_stride=2)
    facts = loop.check(run)
    checkpointing.open_run(run, facts)
    model = loop.build_model(run, facts, "float32")
    checkpoints = checkpointing.Checkpoints(model, run.train.run_dir, 1, model.query_towers)
    model.step.assign(2)
    checkpoints.save_best(0.5)
    model.step.assign(5)
    for weight in model.query_towers["audio"].trainable_variables:
        weight.assign_add(tf.fill(weight.shape, 0.1))
    checkpoints.save()
    return run


def _encode_sound(folder, waveform):
    encode = tf.saved_model.load(str(folder)).signatures["serving_default"]
    return encode(audio=waveform)["embedding"].numpy()


def test_exports_the_best_or_the_latest(run, rng, tmp_path):
    waveform = rng.uniform(-1, 1, [2, 6400]).astype(np.float32)
    found = {}
    for flags, which, step in (((), "best", 2), (("--which=latest",), "latest", 5)):
        output = tmp_path / which
        result = _export(
            f"--checkpoint={run.train.run_dir}", f"--output={output}", *flags, cwd=tmp_path
        )
        assert result.returncode == 0, result.stderr
        assert f"Wrote the encoders of step {step} ({which})" in result.stdout
        assert "at 5 a second" in result.stdout
        metadata = json.loads((output / "metadata.json").read_text())
        assert (metadata["step"], metadata["checkpoint"]) == (step, which)
        # Ten stored frames a second, of which every second one is used.
        assert (metadata["frame_rate"], metadata["sample_rate"]) == (5.0, 8000)
        assert (metadata["num_frames"], metadata["num_audio_samples"]) == (4, 6400)
        assert metadata["classes"] == ["dim", "middle", "bright"]
        tower = checkpointing.load_towers(run.train.run_dir, which).audio_tower
        found[which] = _encode_sound(output / "audio", waveform)
        expected = tower(waveform, training=False).embedding
        np.testing.assert_allclose(found[which], expected, atol=1e-5)
    assert np.abs(found["best"] - found["latest"]).max() > 1e-3


def test_what_is_no_run_ends_in_one_line(tmp_path):
    result = _export(f"--checkpoint={tmp_path}", f"--output={tmp_path / 'model'}", cwd=tmp_path)
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert "holds no run.json" in last
    assert not (tmp_path / "model").exists()
