"""Runs that are killed without a word come to what a run comes to that never was."""

import json
import pathlib
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.train.runs import checkpoints
from tests.tools.train_test import TINY

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "train.py"
NUM_KILLS = 20
FLAGS = [
    "--deterministic",
    "--steps=120",
    "--save_every=5",
    "--eval_every=40",
    "--log_every=5",
    "--summary_every=30",
    "--diagnostics_every=30",
    "--keep=2",
]
# What a clock or the system says, or how far the run was when it began anew.
OF_THE_MOMENT = ("speed/", "memory/")


def _start(folder, cache):
    # The data is made by the first run that needs it, so kills hit that as well.
    flags = [*FLAGS, f"--run_dir={folder}", f"--cache_dir={cache}"]
    flags += ["--synthetic_train=24", "--synthetic_test=8"]
    return subprocess.Popen(
        [sys.executable, TOOL, *TINY, *flags],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _finish(process):
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors


def _values(folder):
    reader = tf.train.load_checkpoint(checkpoints.find(str(folder)))
    return {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        if not name.startswith(("save_counter", "_CHECKPOINTABLE"))
    }


def _scalars(folder):
    lines = [json.loads(line) for line in (folder / "scalars.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if not k.startswith(OF_THE_MOMENT)} for line in lines]


def _require_whole(folder):
    """Every checkpoint that the folder says it has can be read from beginning to end."""
    for path in (folder / "checkpoints").glob("*.index"):
        reader = tf.train.load_checkpoint(str(path.with_suffix("")))
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)


def _last_step(folder):
    """The last step that was logged; 0 before there is any."""
    try:
        lines = (folder / "scalars.jsonl").read_text().splitlines()
        return json.loads(lines[-1])["step"]
    except (OSError, IndexError, ValueError):  # Not there yet, or cut off.
        return 0


def _wait(process, folder, moments, seconds):
    """Waits for a moment that does not depend on how fast the machine is just now.

    Twice in five times that is a moment after the start, when data are made and what was saved is
    restored; else a moment after some more steps, when it trains, saves or evaluates.
    """
    more = moments.choice([0, 0, 5, 10, 15])
    goal, deadline = _last_step(folder) + more, time.monotonic() + 10 * seconds
    while process.poll() is None and _last_step(folder) < goal and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(moments.uniform(0.0, 0.5) if more else moments.uniform(0.05, 0.8) * seconds)


@pytest.mark.slow
def test_killed_at_random_moments_a_run_comes_to_the_same(tmp_path):
    began = time.monotonic()
    _finish(_start(tmp_path / "whole", tmp_path / "cache_of_whole"))
    seconds = time.monotonic() - began
    killed, cache = tmp_path / "killed", tmp_path / "cache_of_killed"
    moments, steps = random.Random(4), []
    for _ in range(NUM_KILLS):
        process = _start(killed, cache)
        _wait(process, killed, moments, seconds)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        _require_whole(killed)
        if checkpoints.exist_in(str(killed)):
            steps.append(checkpoints.step_of(checkpoints.find(str(killed))))
    _finish(_start(killed, cache))
    assert steps == sorted(steps)  # Nothing that was saved is ever lost.
    assert len(set(steps)) > 1, steps
    expected, found = _values(tmp_path / "whole"), _values(killed)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    assert _scalars(killed) == _scalars(tmp_path / "whole")
