"""Runs tools/benchmark.py as a user would."""

import json
import os
import pathlib
import statistics
import subprocess
import sys

import numpy as np
import pytest

from tests import programs, saved_runs
from tests.tools.train_test import TINY

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "benchmark.py"


def _run(*flags):
    command = [sys.executable, str(TOOL), *flags]
    quiet = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=900, check=False, env=quiet
    )


def test_sampler_is_measured_several_ways(tmp_path):
    output = tmp_path / "figures.json"
    done = _run(
        "--what=sampler",
        "--sizes=32,64",
        "--picks=4",
        "--ladder=32,64",
        "--repeats=3",
        "--points=clustered",
        "--ways=plain_numpy,blocked_xla,greedy_sklearn",
        "--explicit_limit_mb=10",  # 32 points of 128 x 512 numbers take 8.4 MB, 64 twice that.
        f"--output={output}",
    )
    assert done.returncode == 0, done.stderr
    for words in (
        "clustered points, N = 32; the two factors take 0.1 MB",
        "ratio to ours",
        "extra MB",
        "GB moved",
        "ratio to N / 2",
        "one thread a core",
        "Targets:",
        "clustered, N = 32: greedy_sklearn / ours",
        f"The same numbers: {output}",
    ):
        assert words in done.stdout
    assert "100%" in done.stderr and "turn/s" in done.stderr

    figures = json.loads(output.read_text())
    assert figures["settings"]["sizes"] == [32, 64] and figures["settings"]["picks"] == 4
    assert len(figures["copy_bytes_per_second"]) == 2 * 3
    rows = {(row["num_points"], row["way"]): row for row in figures["rows"]}
    assert list(rows) == [
        (32, "blocked_xla"),
        (32, "plain_numpy"),
        (32, "greedy_sklearn"),
        (64, "blocked_xla"),
        (64, "plain_numpy"),
    ]
    ours, loop, explicit = list(rows.values())[:3]
    assert ours["ratio"] == 1.0 and loop["factor_bytes"] == 4 * 32 * 640
    ratios = [a / b for a, b in zip(loop["seconds"], ours["seconds"], strict=True)]
    assert loop["ratio"] == pytest.approx(statistics.median(ratios))
    # Four passes over 32 x 640 numbers, three columns of 32, and the rows of four picks.
    assert loop["gigabytes_moved"] == pytest.approx(4e-9 * (4 * 32 * 640 + 3 * 4 * 32 + 4 * 640))
    bandwidth = statistics.median(figures["copy_bytes_per_second"])
    shares = [1e9 * loop["gigabytes_moved"] / s / bandwidth for s in loop["seconds"]]
    assert loop["copy_share"] == pytest.approx(statistics.median(shares))
    assert len(explicit["seconds"]) == 1
    if sys.platform == "linux":
        assert explicit["extra_bytes"] > 8.3e6 > loop["extra_bytes"]
    else:
        assert explicit["extra_bytes"] is loop["extra_bytes"] is None
    first, second = figures["ladder"]
    assert first["ratio"] is None and second["ratio"] > 0
    assert len(second["seconds"]) == 4 * 3


TINY_STEP = (*TINY, "--dictionary_size=12", "--pool_size=20", "--batch_size=6")


@pytest.mark.slow  # The parts are tested in tests/benchmark/step, and the tool above.
def test_step_is_measured_in_parts_on_noise(tmp_path):
    output = tmp_path / "figures.json"
    done = _run(
        *TINY_STEP,
        "--timed_steps=2",
        "--compare=active",
        "--precisions=bfloat16",
        "--nopeak_memory",
        f"--output={output}",
    )
    assert done.returncode == 0, done.stderr
    for words in ("query forward", "everything else", "of matrix products", "no data was named"):
        assert words in done.stdout
    assert "100%" in done.stderr and "peak memory" not in done.stdout
    figures = json.loads(output.read_text())
    found = figures["figures"]["bfloat16"]["active"]
    assert len(found["whole_seconds"]) == 2 and found["peak_gigabytes"] is None
    assert sum(found["shares"].values()) == pytest.approx(1.0)
    slowest, fastest = (6 / each(found["whole_seconds"]) for each in (max, min))
    assert slowest <= found["clips_per_second"] <= fastest
    assert figures["config"]["data"]["data_dir"] == "" and figures["input_seconds"] is None


@pytest.mark.slow
def test_step_is_measured_in_both_precisions_on_data(tiny_data, tmp_path):
    output = tmp_path / "figures.json"
    done = _run(*TINY_STEP, f"--data_dir={tiny_data}", "--timed_steps=3", f"--output={output}")
    assert done.returncode == 0, done.stderr
    for words in ("bfloat16 / float32, random: times as fast", "active / random, float32"):
        assert words in done.stdout
    figures = json.loads(output.read_text())
    assert {name: list(each) for name, each in figures["figures"].items()} == {
        "float32": ["active", "random"],
        "bfloat16": ["active", "random"],
    }
    for ways in figures["figures"].values():
        for found in ways.values():
            assert sum(found["shares"].values()) == pytest.approx(1.0)
            assert found["shares"]["data"] > 0 and 0.3 < found["peak_gigabytes"] < 5


@pytest.mark.slow
def test_scaling_is_foretold_from_what_is_measured(tmp_path):
    output = tmp_path / "figures.json"
    done = _run(
        "--what=scaling",
        "--scaling_replicas=1,2,8",
        "--scaling_pools=100,4000",
        "--scaling_replica_batch=4",
        "--scaling_memory_gb=0.5",
        "--scaling_measured_pools=64,128",
        "--scaling_measured_picks=4,16",
        "--scaling_rounds=2",
        "--num_frames=4",
        "--image_size=16",
        "--video_encoder=resnet3d_6",
        "--audio_encoder=resnet2d_6",
        "--video_width=0.125",
        "--audio_width=0.125",
        "--head=mlp",
        "--hidden_size=16",
        "--embedding_size=8",
        "--dictionary_size=60",
        "--batch_size=4",
        f"--output={output}",
    )
    assert done.returncode == 0, done.stderr
    for words in (
        "N = 4,000, at each step and replica",
        "MB gathered",
        "times that of these",
        "Fitted to 4 sizes (N 64 to 128)",
        "MB that each of 8 replicas gives at a step: clip ids and labels",
        "Which to choose:",
        f"The same numbers: {output}",
    ):
        assert words in done.stdout
    assert "100%" in done.stderr and "turn/s" in done.stderr

    figures = json.loads(output.read_text())
    assert figures["settings"]["scaling_pools"] == [100, 4000]
    rows = {(row["pool_size"], row["replicas"]): row for row in figures["rows"]}
    assert list(rows) == [(n, r) for n in (100, 4000) for r in (1, 2, 8)]
    assert rows[100, 1]["sharded"] is None and rows[100, 8]["sharded"] is not None
    row = rows[4000, 8]
    # A key in a pool is its id, label and step, 8 numbers and the 16 that it was made of.
    pool_row = 3 * 8 + 4 * (8 + 16)
    difference = row["whole"]["kept_bytes"] - row["sharded"]["kept_bytes"]
    assert difference == 2 * (4000 - 500) * pool_row
    finalists = 7 * 8 * 4 * 2 * pool_row
    assert row["sharded"]["gathered_bytes"] - row["whole"]["gathered_bytes"] == finalists
    assert len(figures["points"]) == 4 and len(figures["held_out"]) == 3
    assert (figures["costs"]["scratch"] is None) == (sys.platform != "linux")


@pytest.mark.slow
def test_serving_is_measured_of_a_run_and_of_encoders_as_initialised(tiny_config, tmp_path):
    run = tiny_config(tmp_path / "run")
    saved_runs.save_run(run)
    few = ("--what=serve", "--serve_rounds=2", "--serve_requests=3", "--serve_clips=4")
    sizes = {"num_frames": 4, "image_size": 16, "video_width": 0.125, "audio_width": 0.125}
    small = [f"--{name}={value}" for name, value in sizes.items()]
    answers = {
        "run": _run(*few, f"--checkpoint={run.train.run_dir}", f"--output={tmp_path}/run.json"),
        "initialised": _run(
            *few,
            *small,
            "--video_encoder=resnet3d_6",
            "--audio_encoder=resnet2d_6",
            "--serve_threads=1",
            f"--output={tmp_path}/initialised.json",
        ),
    }
    for name, done in answers.items():
        assert done.returncode == 0, done.stderr
        for words in (
            "video encoder, clips of 4 x 16 x 16 x 3, ",
            "audio encoder, clips of ",
            "times as fast as the SavedModel float32",
            "as matrix products ",
        ):
            assert words in done.stdout
        assert "100%" in done.stderr and "WARNING" not in done.stderr
        figures = json.loads((tmp_path / f"{name}.json").read_text())
        for encoder in figures["encoders"].values():
            assert list(encoder["forms"]) == [
                "SavedModel float32",
                "SavedModel mixed_bfloat16",
                "TFLite float32",
                "TFLite float16",
                "TFLite int8",
            ]
            for form in encoder["forms"].values():
                assert 0 < form["p50"] <= form["p95"] and form["megabytes"] > 0.05
                assert np.shape(form["single_seconds"]) == (2, 3)
                assert 0.9 < form["cosine"] < 1.0001
        assert encoder["as_products"]["float32"] > 0
    assert "of " + run.train.run_dir in answers["run"].stdout
    assert "as initialised, on noise" in answers["initialised"].stdout
    assert json.loads((tmp_path / "initialised.json").read_text())["threads"] == 1


def test_a_wrong_value_ends_in_one_line_before_any_work():
    table = [
        ("step", "--precisions=float8", "--precisions=float8: must be one or more of float32"),
        ("step", "--compare=", "--compare=: must be one or more of active"),
        ("step", "--accumulate_steps=2", "--accumulate_steps=2: steps are taken apart"),
        ("sampler", "--sizes=1280,many", "--sizes=1280,many: must be whole numbers"),
        ("sampler", "--picks=5000", "--sizes=1280,4096,38400: must be at least 5000 each"),
        ("sampler", "--output=/nowhere/a.json", "--output=/nowhere/a.json: must be a file in"),
        ("scaling", "--scaling_pools=2,1", "--scaling_pools=2,1: must be one or more numbers"),
        ("scaling", "--scaling_replicas=1,x", "--scaling_replicas=1,x: must be whole numbers"),
        ("scaling", "--negatives=moco", "--negatives=moco: has no pool to sample from; choose"),
        ("serve", "--serve_rounds=0", "--serve_rounds=0: must be at least 1"),
        ("serve", "--checkpoint=/nowhere", "/nowhere holds no run.json"),
        ("serve", "--image_size=3", "--image_size=3: must be"),
    ]
    answers = programs.run_many(TOOL.name, *([f"--what={w}", flag] for w, flag, _ in table))
    for (*_, message), (status, out, errors) in zip(table, answers, strict=True):
        assert status == 2 and out == ""
        assert errors.startswith(f"error: {message}") and errors.count("\n") == 1
