"""Runs of two real processes on this machine, joined by TF_CONFIG or by what Slurm sets."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "tests" / "worker_program.py"


def _free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("localhost", 0))
        return [each.getsockname()[1] for each in sockets]


def _start(commands, folder, environments):
    """Starts processes; each one's output goes to a file."""
    started = []
    for index, (command, extra) in enumerate(zip(commands, environments, strict=True)):
        with (folder / f"worker{index}.txt").open("w") as file:
            environment = {**os.environ, "PYTHONPATH": str(ROOT), **extra}
            started.append(
                subprocess.Popen(
                    [sys.executable, *map(str, command)],
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    env=environment,
                )
            )
    return started


def _tf_configs(count=2):
    addresses = [f"localhost:{port}" for port in _free_ports(count)]
    return [
        {
            "TF_CONFIG": json.dumps(
                {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            )
        }
        for index in range(count)
    ]


def _wait(processes, folder, timeout=900):
    """Exit statuses and outputs; ends what does not end by itself."""
    deadline = time.monotonic() + timeout
    try:
        statuses = [p.wait(max(deadline - time.monotonic(), 0.1)) for p in processes]
    finally:
        for process in processes:
            process.kill()
    return statuses, [(folder / f"worker{i}.txt").read_text() for i in range(len(processes))]


def _losses(run_dir):
    lines = (pathlib.Path(run_dir) / "scalars.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    return {r["step"]: r["loss/total"] for r in records if "loss/total" in r}


def _train(tmp_path, run, name, count, environments=None, **changes):
    """Trains by `count` processes; returns losses, and what each process's dictionaries hold."""
    folder = tmp_path / name
    folder.mkdir()
    flags = {k: v for section in run.to_dict().values() for k, v in section.items()}
    flags.update(run_dir=str(folder / "run"), log_every=1, steps=7, save_every=4, **changes)
    (folder / "flags.json").write_text(json.dumps(flags))
    devices = 2 if count == 1 else 1
    outputs = [folder / f"held{index}.json" for index in range(count)]
    commands = [[PROGRAM, folder / "flags.json", output, devices] for output in outputs]
    environments = environments or (_tf_configs() if count > 1 else [{}])
    statuses, texts = _wait(_start(commands, folder, environments), folder)
    assert statuses == [0] * count, "\n".join(text[-3000:] for text in texts)
    return _losses(folder / "run"), [json.loads(path.read_text()) for path in outputs], texts


def _assert_same_run(one, other):
    losses, held = one
    other_losses, other_held = other
    assert list(losses) == list(other_losses) == list(range(1, 8))
    np.testing.assert_allclose(
        list(losses.values()), list(other_losses.values()), atol=1e-4, rtol=1e-4
    )
    for name, queue in held.items():
        assert queue["ids"] == other_held[name]["ids"], name
        np.testing.assert_allclose(queue["keys"], other_held[name]["keys"], atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("pool", ["stream", "epoch"])
def test_two_processes_train_as_one_with_two_replicas(tmp_path, tiny_run, pool):
    run = tiny_run(pool=pool, pool_size=18)
    alone, (held,), _ = _train(tmp_path, run, "alone", 1, strategy="mirrored")
    losses, (first, second), texts = _train(tmp_path, run, "two", 2, strategy="multi_worker")
    _assert_same_run((losses, first), (alone, held))
    assert first == second  # Dictionaries and pools are the same to the last bit.
    assert max(first["video dictionary"]["ids"]) >= 0
    assert "Training on 2 workers named by TF_CONFIG, 2 CPU device(s) in all" in texts[0]
    assert "Training on" not in texts[1]


@pytest.mark.slow
def test_slurm_names_the_workers(tmp_path, tiny_run):
    step = {
        "SLURM_JOB_ID": str(_free_ports(1)[0]),
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_STEP_TASKS_PER_NODE": "2",
    }
    tasks = [{**step, "SLURM_PROCID": str(index)} for index in range(2)]
    losses, (first, second), texts = _train(
        tmp_path, tiny_run(negatives="in_batch"), "slurm", 2, tasks
    )
    assert len(losses) == 7
    assert "Training on 2 workers named by Slurm" in texts[0]
    assert first == second == {}


TIMEOUT = 8  # Seconds; --worker_timeout.


@pytest.fixture
def pair(tmp_path, tiny_data):
    """Starts two workers of tools/train.py on one run folder."""
    flags = [
        *("--num_frames=4", "--image_size=16", "--video_encoder=resnet3d_6"),
        *("--video_width=0.125", "--audio_encoder=resnet2d_6", "--audio_width=0.125"),
        *("--mel_bands=16", "--hidden_size=16", "--embedding_size=8", "--negatives=in_batch"),
        *("--batch_size=6", "--warmup_steps=1", "--precision=float32", "--eval_split="),
        *(f"--data_dir={tiny_data}", f"--run_dir={tmp_path}/run", "--strategy=multi_worker"),
        *("--learning_rate_schedule=constant", "--log_every=1", f"--worker_timeout={TIMEOUT}"),
    ]

    def start(*more):
        command = [ROOT / "tools" / "train.py", *flags, *more]
        return _start([command] * 2, tmp_path, _tf_configs())

    return start


def _wait_for_step(tmp_path, processes, step):
    deadline = time.monotonic() + 600
    lines = tmp_path / "run" / "scalars.jsonl"
    while not (lines.exists() and len(lines.read_text().splitlines()) >= step):
        assert all(process.poll() is None for process in processes)
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _saved_step(tmp_path):
    text = (tmp_path / "run" / "checkpoints" / "checkpoint").read_text()
    return int(text.splitlines()[0].split("step-")[1].rstrip('"'))


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
@pytest.mark.parametrize("how", ["SIGKILL", "SIGSTOP"])
def test_when_a_worker_is_lost_the_other_ends_and_both_go_on_later(tmp_path, pair, lost, how):
    processes = pair("--steps=100000", "--save_every=5")
    _wait_for_step(tmp_path, processes, 12)
    processes[lost].send_signal(getattr(signal, how))
    began = time.monotonic()
    try:
        status = processes[1 - lost].wait(TIMEOUT + 60)
        took = time.monotonic() - began
    finally:
        _, texts = _wait_killed(processes, tmp_path)
    assert status == 1
    assert took < TIMEOUT + 30  # The timeout itself, and what it takes to leave.
    told = [line for line in texts[1 - lost].splitlines() if line.startswith("error: ")]
    assert len(told) == 1
    assert "another of the 2 workers died or went silent after step" in told[0]
    assert "Traceback" not in texts[1 - lost]
    step = _saved_step(tmp_path)
    assert step >= 10
    statuses, texts = _wait(pair(f"--steps={step + 3}"), tmp_path)
    assert statuses == [0, 0], texts
    assert f"Going on at step {step} of" in texts[0]
    assert _saved_step(tmp_path) == step + 3


def _wait_killed(processes, folder):
    for process in processes:
        process.kill()
    return _wait(processes, folder)


@pytest.mark.slow
@pytest.mark.parametrize("told", [0, 1])
def test_a_notice_to_one_worker_saves_and_ends_all_at_one_step(tmp_path, pair, told):
    processes = pair("--steps=100000", "--save_every=100000")
    _wait_for_step(tmp_path, processes, 4)
    processes[told].send_signal(signal.SIGTERM)
    statuses, texts = _wait(processes, tmp_path)
    assert statuses == [128 + signal.SIGTERM] * 2, texts
    assert all("Stopped: ended by SIGTERM; the state is saved" in text for text in texts)
    step = _saved_step(tmp_path)
    assert step == max(_losses(tmp_path / "run"))
    statuses, texts = _wait(pair(f"--steps={step + 2}"), tmp_path)
    assert statuses == [0, 0], texts
    assert f"Going on at step {step} of" in texts[0]
