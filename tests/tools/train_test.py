"""Runs tools/train.py and tools/benchmark.py as a user would."""

import json
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from tests.media_files import tone, write_clip

ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY = [
    "--num_frames=4",
    "--image_size=16",
    "--video_encoder=resnet3d_10",
    "--video_width=0.125",
    "--audio_encoder=resnet2d_10",
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


def _command(tool, *flags):
    return [sys.executable, str(ROOT / "tools" / tool), *TINY, *flags]


def _plain(tool, *flags):
    command = [sys.executable, str(ROOT / "tools" / tool), *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def _run(tool, *flags):
    return subprocess.run(_command(tool, *flags), capture_output=True, text=True, timeout=300)


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


def test_main_job_from_nothing_to_the_summary(first_run):
    folder, _, done = first_run
    assert done.returncode == 0, done.stderr
    for words in (
        "Making the built-in data set",
        "Trained 3 steps",
        "initialised",
        "trained",
        "chance",
        "tensorboard --logdir=",
        "Next: python tools/export.py",
    ):
        assert words in done.stdout
    assert "clips/s" in done.stderr  # The progress bar.
    result = json.loads((folder / "run" / "result.json").read_text())
    assert set(result) == {"initialised", "trained", "facts"}
    assert result["trained"]["retrieval/num_clips"] == 16
    assert "probe/audio/label/accuracy" in result["initialised"]
    assert (folder / "run" / "result.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_command_again_makes_nothing_new(first_run):
    folder, flags, _ = first_run
    before = sorted(p.name for p in (folder / "run" / "checkpoints").iterdir())
    again = _run("train.py", *flags)
    assert again.returncode == 0, again.stderr
    assert "Making the built-in data set" not in again.stdout
    assert "Going on at step 3 of 3" in again.stdout
    assert sorted(p.name for p in (folder / "run" / "checkpoints").iterdir()) == before


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data_dir=/nowhere"], "/nowhere"),
        (["--data_dir=/nowhere", "--negatives=nearest"], "negatives"),
        (["--temperature=0"], "--temperature=0.0: must be greater than 0.0"),
        (["--data_dir=/nowhere", "extra"], "unexpected argument extra"),
    ],
)
def test_bad_input_ends_in_one_clear_line(flags, message, tmp_path):
    done = _run("train.py", f"--run_dir={tmp_path}/run", f"--cache_dir={tmp_path}/cache", *flags)
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "cache").exists()


def test_sigterm_saves_and_the_same_command_goes_on(tiny_data, tmp_path):
    flags = [
        f"--data_dir={tiny_data}",
        f"--run_dir={tmp_path}/run",
        "--eval_split=",
        "--log_every=1",
        "--save_every=100000",
    ]
    many = [*flags, "--learning_rate_schedule=constant", "--steps=100000"]
    process = subprocess.Popen(
        _command("train.py", *many), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    lines = tmp_path / "run" / "scalars.jsonl"
    deadline = time.monotonic() + 120
    while not (lines.exists() and len(lines.read_text().splitlines()) > 3):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert "Stopped: ended by SIGTERM; the state is saved. Go on with:" in errors
    stopped_at = json.loads(lines.read_text().splitlines()[-1])["step"]
    few = [*flags, "--learning_rate_schedule=constant", f"--steps={stopped_at + 2}"]
    again = _run("train.py", *few)
    assert again.returncode == 0, again.stderr
    assert f"Going on at step {stopped_at} of {stopped_at + 2}" in again.stdout


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
    report = _plain("inspect_dictionary.py", f"--run={tmp_path}/run", "--draws=2")
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


def test_flags_of_media_need_media(tiny_data):
    done = _run("train.py", f"--data_dir={tiny_data}", "--frame_rate=5")
    assert done.returncode == 2
    assert "error: --frame_rate: has a meaning with --input=media only" in done.stderr


def test_benchmark_compares_negatives_side_by_side(tiny_data, tmp_path):
    output = tmp_path / "figures.json"
    done = _run("benchmark.py", f"--data_dir={tiny_data}", "--timed_steps=3", f"--output={output}")
    assert done.returncode == 0, done.stderr
    figures = json.loads(output.read_text())["figures"]
    assert list(figures) == ["active", "random"]
    assert figures["random"]["ratio"] == 1.0
    assert figures["active"]["seconds"] > 0
    assert "ratio to random" in done.stdout
