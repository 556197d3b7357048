"""Runs tools/train.py as a user would."""

import json
import pathlib
import re
import signal
import stat
import subprocess
import time
from typing import NamedTuple

import pytest

from tests import programs
from tests.media_files import tone, write_clip

ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY = [
    "--num_frames=4",
    "--image_size=16",
    "--video_encoder=resnet3d_6",
    "--video_width=0.125",
    "--audio_encoder=resnet2d_6",
    "--audio_width=0.125",
    "--mel_bands=16",
    "--hidden_size=16",
    "--embedding_size=8",
    "--dictionary_size=8",
    "--pool_size=16",
    "--batch_size=4",
    "--warmup_steps=1",
    "--eval_windows=1",
    "--precision=float32",
]


def _plain(tool, *flags):
    """Runs a tool as a user whose files are open to everybody."""
    return programs.run(ROOT / "tools" / tool, *flags, umask=0)


def _run(tool, *flags):
    return _plain(tool, *TINY, *flags)


@pytest.fixture(scope="module")
def first_run(tmp_path_factory):
    """The main job in small: no data on the machine, one command."""
    folder = tmp_path_factory.mktemp("main_job")
    flags = [
        f"--cache_dir={folder}/cache",
        "--synthetic_train=24",
        "--synthetic_test=16",
        f"--run_dir={folder}/run",
        "--steps=3",
    ]
    return folder, flags, _run("train.py", *flags)


def test_nothing_written_is_open_to_everybody(first_run):
    folder, _, done = first_run
    assert done.returncode == 0, done.stderr
    paths = [path for part in ("cache", "run") for path in (folder / part).rglob("*")]
    assert len(paths) > 20
    assert [str(path) for path in paths if path.stat().st_mode & stat.S_IWOTH] == []


def test_main_job_from_nothing_to_the_summary(first_run):
    folder, _, done = first_run
    assert done.returncode == 0, done.stderr
    for words in (
        "Making the built-in data set",
        "Trained 3 steps",
        "initialised",
        "trained",
        "chance",
        "-m tensorboard.main --logdir=",
        "tools/export.py --checkpoint=",
    ):
        assert words in done.stdout
    assert "clips/s" in done.stderr  # The progress bar.
    result = json.loads((folder / "run" / "result.json").read_text())
    assert result["checkpoint"]["step"] == 3
    rows = {row["name"]: row for row in result["measurements"]}
    assert rows["retrieval/video_to_audio/trained"]["folds"][0]["num_test"] == 16
    assert "top1" in rows["linear/audio/initialised/standardise"]["summary"]
    compared = _plain("compare_runs.py", str(folder / "run"))
    assert compared.returncode == 0, compared.stderr
    assert "linear/audio/trained/standardise" in compared.stdout
    assert (folder / "run" / "tensorboard" / "projector_config.pbtxt").exists()
    assert len((folder / "run/tensorboard/projector/latest.tsv").read_text().splitlines()) == 32
    for name in ("result.png", "curves.png"):
        assert (folder / "run" / name).read_bytes().startswith(b"\x89PNG")


class Stopped(NamedTuple):
    """Flags and process of a run, the step it came to, what it said last, and the other run."""

    flags: list
    step: int
    process: programs.Program
    errors: str
    beside: subprocess.CompletedProcess


@pytest.fixture(scope="module")
def stopped(tiny_data, tmp_path_factory):
    """A run that was ended by SIGTERM, and another that was started beside it."""
    folder = tmp_path_factory.mktemp("stopped")
    flags = [
        f"--data_dir={tiny_data}",
        f"--run_dir={folder}/run",
        "--eval_split=",
        "--log_every=1",
        "--save_every=100000",
        "--negatives=in_batch",
        "--learning_rate_schedule=constant",
        "--summary_every=0",
    ]
    process = programs.start(ROOT / "tools" / "train.py", *TINY, *flags, "--steps=100000")
    lines = folder / "run" / "scalars.jsonl"
    deadline = time.monotonic() + 600
    while not (lines.exists() and len(lines.read_text().splitlines()) > 3):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.2)
    beside = _run("train.py", *flags, "--steps=100000")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=600)
    step = json.loads(lines.read_text().splitlines()[-1])["step"]
    return Stopped(flags, step, process, errors, beside)


def test_a_second_run_in_the_same_folder_is_refused(stopped):
    assert stopped.beside.returncode == 2
    last = stopped.beside.stderr.splitlines()[-1]
    assert re.match(rf"error: --run_dir=.*: process {stopped.process.pid} on .* trains there", last)


WRONG = {
    "no data": (["--data_dir=/nowhere"], "/nowhere"),
    "no such choice": (["--data_dir=/nowhere", "--negatives=nearest"], "negatives"),
    "out of range": (["--temperature=0"], "--temperature=0.0: must be greater than 0.0"),
    "no flag": (["--data_dir=/nowhere", "extra"], "unexpected argument extra"),
    "no weights": (
        ["--data_dir=/nowhere", "--init_from=a.pth"],
        "error: --init_from=a.pth: there are weights for --video_encoder=resnet3d_18 or",
    ),
    "for media": (
        ["--data_dir=/nowhere", "--frame_rate=5"],
        "error: --frame_rate: has a meaning with --input=media only",
    ),
}


@pytest.fixture(scope="module")
def later(first_run, stopped, tmp_path_factory):
    """What comes of further commands, by name, one after the other in one process."""
    folder = tmp_path_factory.mktemp("later")
    nothing = [f"--run_dir={folder}/run", f"--cache_dir={folder}/cache"]
    calls = {name: [*nothing, *flags] for name, (flags, _) in WRONG.items()}
    calls["again"] = first_run[1]
    calls["going on"] = [*stopped.flags, f"--steps={stopped.step + 2}"]
    before = _checkpoints(first_run)
    answers = programs.run_many("train.py", *([*TINY, *flags] for flags in calls.values()))
    return folder, before, dict(zip(calls, answers, strict=True))


def _checkpoints(first_run):
    return sorted(path.name for path in (first_run[0] / "run" / "checkpoints").iterdir())


def test_the_same_command_again_makes_nothing_new(first_run, later):
    _, before, answers = later
    again = answers["again"]
    assert again.status == 0, again.errors
    assert "Making the built-in data set" not in again.out
    assert "Going on at step 3 of 3" in again.out
    assert before and _checkpoints(first_run) == before


@pytest.mark.parametrize("name", WRONG)
def test_bad_input_ends_in_one_clear_line(name, later):
    folder, _, answers = later
    assert answers[name].status == 2
    assert WRONG[name][1] in answers[name].errors
    assert answers[name].errors.count("\n") == 1
    assert not any(folder.iterdir())


def test_sigterm_saves_and_the_same_command_goes_on(stopped, later):
    step = stopped.step
    assert stopped.process.returncode == 128 + signal.SIGTERM
    assert "Stopped: ended by SIGTERM; the state is saved. Go on with:" in stopped.errors
    going_on = later[2]["going on"]
    assert going_on.status == 0, going_on.errors
    assert f"Going on at step {step} of {step + 2}" in going_on.out


@pytest.mark.slow
def test_videos_are_trained_on_directly_until_one_is_gone(tmp_path):
    videos = tmp_path / "videos"
    for i in range(14):
        write_clip(videos / ("train" if i < 10 else "test") / f"{i}.mp4", 1.5, levels=(20 + 9 * i,))
    write_clip(videos / "train" / "silent.mp4", 1.5, sounds=[0 * tone(1.5)])
    flags = ["--input=media", f"--data_dir={videos}", f"--cache_dir={tmp_path}/cache"]
    flags += ["--clip_seconds=1.2", "--min_seconds=1", "--dictionary_size=4", "--pool_size=8"]
    flags += [f"--run_dir={tmp_path}/run", "--save_every=1", "--learning_rate_schedule=constant"]
    done = _run("train.py", *flags, "--steps=2")
    assert done.returncode == 0, done.stderr
    for words in ("each video is read through once", "silent.mp4", "Trained 2 steps"):
        assert words in done.stdout
    report = _plain("inspect_dictionary.py", f"--checkpoint={tmp_path}/run", "--draws=2")
    assert report.returncode == 0, report.stderr
    manifests = list((tmp_path / "cache" / "media_index").glob("*/train/manifest.json"))
    assert len(manifests) == 1
    # A file that is as long as before, and no video any more.
    victim = videos / "train" / "3.mp4"
    victim.write_bytes(b"x" * victim.stat().st_size)
    broken = _run("train.py", *flags, "--steps=8")
    assert broken.returncode == 2
    assert f"error: --input=media: {victim} was good and cannot be read any more" in broken.stderr
    assert "Traceback" not in broken.stderr
    assert len(list((tmp_path / "cache" / "media_index").glob("*"))) == 1
