"""A long training takes no more memory, files or threads at its end than at its beginning."""

import json
import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.tools.train_test import TINY

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "train.py"
NUM_STEPS = 20_000
FLAGS = [
    f"--steps={NUM_STEPS}",
    "--num_frames=2",
    "--save_every=500",
    "--log_every=100",
    "--summary_every=1000",
    "--diagnostics_every=500",
    "--eval_every=4000",
    "--keep=2",
    "--synthetic_train=24",
    "--synthetic_test=8",
]


def _figures(pid):
    """Memory in MB, open files, threads."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    files = len(os.listdir(f"/proc/{pid}/fd"))
    return int(fields["VmRSS"].split()[0]) / 1e3, files, int(fields["Threads"])


def _step(run_dir):
    try:
        lines = (run_dir / "scalars.jsonl").read_text().splitlines()
        return json.loads(lines[-1])["step"]
    except (OSError, IndexError, ValueError):  # Not there yet, or being written.
        return 0


@pytest.mark.slow
def test_20000_steps_take_no_more_than_the_first_thousands(tmp_path, capsys):
    run_dir = tmp_path / "run"
    flags = [*TINY, *FLAGS, f"--run_dir={run_dir}", f"--cache_dir={tmp_path}/cache"]
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen([sys.executable, TOOL, *flags], stdout=said, stderr=said)
        rows = []
        while process.poll() is None:
            time.sleep(0.5)
            step = _step(run_dir)
            if step and process.poll() is None:
                rows.append((step, *_figures(process.pid)))
    assert process.returncode == 0, (tmp_path / "said").read_text()[-2000:]
    table = []
    for start in range(0, NUM_STEPS, 2000):
        part = np.array([row for row in rows if start < row[0] <= start + 2000])
        table.append(np.median(part[:, 1:], axis=0))
    with capsys.disabled():
        print("\nsteps  memory (MB)  files  threads")
        for start, (memory, files, threads) in zip(range(0, NUM_STEPS, 2000), table, strict=True):
            print(f"{start + 2000:5d}  {memory:11.0f}  {files:5.0f}  {threads:7.0f}")
    early, late = table[2], table[-1]
    assert late[0] < 1.03 * early[0]
    assert late[1] <= early[1] + 2
    assert late[2] <= early[2] + 2
