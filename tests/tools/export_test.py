"""The export program on a run on disk."""

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.train import checkpointing, loop
from tests import programs


@pytest.fixture(scope="module")
def run(tiny_config, tmp_path_factory):
    """A run whose best checkpoint, of step 2, is not its last, of step 5."""
    run = tiny_config(tmp_path_factory.mktemp("export") / "run", frame_stride=2)
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


# Folder written to -> (the run, as a flag; flags besides).
CALLS = {"best": ("run", []), "latest": ("run", ["--which=latest"]), "none": ("", [])}


@pytest.fixture(scope="module")
def answers(run):
    """Folder written to -> (that folder, what the program came to)."""
    folder = pathlib.Path(run.train.run_dir).parent
    calls = [
        [f"--checkpoint={folder / name}", f"--output={folder / output}", *flags]
        for output, (name, flags) in CALLS.items()
    ]
    found = programs.run_many("export.py", *calls, cwd=folder)
    return {output: (folder / output, answer) for output, answer in zip(CALLS, found)}


def _encode_sound(folder, waveform):
    encode = tf.saved_model.load(str(folder)).signatures["serving_default"]
    return encode(audio=waveform)["embedding"].numpy()


def test_exports_the_best_or_the_latest(run, answers, rng):
    waveform = rng.uniform(-1, 1, [2, 6400]).astype(np.float32)
    found = {}
    for which, step in (("best", 2), ("latest", 5)):
        output, (status, out, errors) = answers[which]
        assert status == 0, errors
        assert f"Wrote the encoders of step {step} ({which})" in out
        assert "at 5 a second" in out
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


def test_what_is_no_run_ends_in_one_line(answers):
    output, answer = answers["none"]
    assert answer.status == 1
    last = answer.errors.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert "holds no run.json" in last
    assert not output.exists()
