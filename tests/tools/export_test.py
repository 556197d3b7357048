"""The export program on a run on disk."""

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.train import model_building, run_checks
from actcl_tf.train.runs import checkpoints, loading, run_folder
from tests import programs


@pytest.fixture(scope="module")
def run(tiny_config, tmp_path_factory):
    """A run whose best checkpoint, of step 2, is not its last, of step 5."""
    run = tiny_config(tmp_path_factory.mktemp("export") / "run", frame_stride=2)
    facts = run_checks.check(run)
    run_folder.open_run(run, facts)
    model = model_building.build_model(run, facts, "float32")
    manager = checkpoints.Manager(model, run.train.run_dir, 1, model.query_towers)
    model.step.assign(2)
    manager.save_best(0.5)
    model.step.assign(5)
    for weight in model.query_towers["audio"].trainable_variables:
        weight.assign_add(tf.fill(weight.shape, 0.1))
    manager.save()
    return run


# Folder written to -> (the run, as a flag; flags besides).
CALLS = {
    "best": ("run", ["--tflite=float32,int8", "--calibration_clips=4"]),
    "latest": ("run", ["--which=latest", "--version=4", "--precision=mixed_bfloat16"]),
    "none": ("", []),
    "kind": ("run", ["--tflite=int4"]),
    "data": ("run", ["--tflite=int8", "--data_dir=nothing"]),
    "zero": ("run", ["--version=0"]),
    "clips": ("run", ["--calibration_clips=0"]),
    "which": ("run", ["--which=second"]),
}


@pytest.fixture(scope="module")
def answers(run):
    """Folder written to -> (that folder, what the program came to)."""
    folder = pathlib.Path(run.train.run_dir).parent
    calls = [
        [f"--checkpoint={folder / name}", f"--output={folder / output}", *flags]
        for output, (name, flags) in CALLS.items()
    ]
    found = programs.run_many("export.py", *calls, cwd=folder)
    return {output: (folder / output, answer) for output, answer in zip(CALLS, found, strict=True)}


def _encode_audio(folder, waveform):
    # A signature alone would not do: its variables go with the model.
    model = tf.saved_model.load(str(folder))
    return model.signatures["serving_default"](audio=waveform)["embedding"].numpy()


def test_exports_the_best_or_the_latest(run, answers, rng):
    waveform = rng.uniform(-1, 1, [2, 6400]).astype(np.float32)
    found = {}
    for which, step in (("best", 2), ("latest", 5)):
        output, (status, out, errors) = answers[which]
        assert status == 0, errors
        assert f"Wrote the encoders of step {step} ({which})" in out
        assert "at 5 a second" in out
        version = {"best": "1", "latest": "4"}[which]
        metadata = json.loads((output / "pair" / version / "assets/metadata.json").read_text())
        assert (metadata["step"], metadata["checkpoint"]) == (step, which)
        # Ten stored frames a second, of which every second one is used.
        assert (metadata["frame_rate"], metadata["sample_rate"]) == (5.0, 8000)
        assert (metadata["num_frames"], metadata["num_audio_samples"]) == (4, 6400)
        assert metadata["classes"] == ["dim", "middle", "bright"]
        tower = loading.load_towers(run.train.run_dir, which).audio_tower
        assert metadata["digest"]
        found[which] = _encode_audio(output / "audio" / version, waveform)
        expected = tower(waveform, training=False).embedding
        np.testing.assert_allclose(found[which], expected, atol=1e-5 if which == "best" else 0.05)
        assert metadata["precision"] == ("float32" if which == "best" else "mixed_bfloat16")
    assert np.abs(found["best"] - found["latest"]).max() > 1e-3


def test_tflite_models_are_written_and_their_agreement_told(answers):
    output, (_, out, _) = answers["best"]
    folder = output / "tflite" / "1"
    report = json.loads((folder / "agreement.json").read_text())
    assert sorted(report) == [
        f"{modality}_{kind}.tflite"
        for modality in ("audio", "video")
        for kind in ("float32", "int8")
    ]
    for name, each in report.items():
        assert each["bytes"] == (folder / name).stat().st_size
        assert 0 < each["agreement"]["least"] <= each["agreement"]["mean"] < 1.0001
        assert f"{name} " in out
    assert json.loads((folder / "metadata.json").read_text())["step"] == 2


@pytest.mark.parametrize(
    "output, expected",
    [
        ("none", "holds no run.json"),
        ("kind", "--tflite=int4: must be of float32, float16, int8"),
        ("data", "--tflite needs prepared data to calibrate and to check models on"),
        ("zero", "--version=0: must be at least 1"),
        ("clips", "--calibration_clips=0: must be at least 1"),
        ("which", "holds no checkpoint 'second'"),
    ],
)
def test_what_cannot_be_exported_ends_in_one_line(answers, output, expected):
    folder, answer = answers[output]
    assert answer.status == 2
    last = answer.errors.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert expected in last
    assert not folder.exists()
