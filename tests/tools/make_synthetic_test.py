"""tools/make_synthetic.py as a user runs it."""

import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY = ("--num_train=20", "--num_test=4", "--size=32", "--seconds=1.2")


def command(*flags):
    return [sys.executable, str(ROOT / "tools/make_synthetic.py"), *flags]


def run(*flags, cwd=None):
    return subprocess.run(
        command(*flags), capture_output=True, text=True, check=False, timeout=600, cwd=cwd
    )


def test_makes_a_data_set_whose_next_command_runs(tmp_path):
    first = run(f"--output={tmp_path}/objects", *TINY, "--zipf=1.0", "--num_workers=2")
    assert first.returncode == 0, first.stderr
    assert "24 clips of 1.2 s" in first.stdout and "train 20, test 4" in first.stdout
    assert "16 categories, 1 to 4 training clips each" in first.stdout
    assert "100%" in first.stderr and "24/24" in first.stderr and "clip/s" in first.stderr
    assert (tmp_path / "objects/parameters.csv").is_file()
    again = run(f"--output={tmp_path}/objects", *TINY, "--zipf=1.0")
    assert again.returncode == 0 and "24 clips" in again.stdout

    following = shlex.split(re.search(r"^next: (.*)$", first.stdout, re.MULTILINE)[1])
    done = subprocess.run(
        [*following, "--num_workers=1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    for split in ("train", "test"):
        assert (tmp_path / "objects_prepared" / split / "manifest.json").is_file()


def test_killed_run_goes_on_and_leaves_no_half_clip(tmp_path):
    flags = (f"--output={tmp_path}/objects", "--num_train=60", "--num_test=4", "--num_workers=2")
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command(*flags), **quiet)
    try:
        deadline = time.monotonic() + 600
        while len(list(tmp_path.rglob("*.mp4"))) < 5:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        # The rendering processes end with the one that began them, whose output they share.
        process.communicate(timeout=600)
    before = len(list(tmp_path.rglob("*.mp4")))
    assert before < 64
    early = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.mp4")}
    done = run(*flags)
    assert done.returncode == 0, done.stderr
    files = list(tmp_path.rglob("*.mp4"))
    assert len(files) == 64 and min(path.stat().st_size for path in files) > 5000
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in early.items())
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_interruption_ends_in_one_clear_line(tmp_path, stop):
    flags = (f"--output={tmp_path}/objects", "--num_train=400", "--num_workers=2")
    # A shell lets programs in the background ignore Ctrl-C, and tests may run there.
    process = subprocess.Popen(
        command(*flags),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 600
    while not list(tmp_path.rglob("*.mp4")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(stop)
    _, errors = process.communicate(timeout=600)
    assert process.returncode != 0 and "Traceback" not in errors
    assert errors.strip().splitlines()[-1].endswith("goes on where it stopped")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ((), "--output=: must name the folder"),
        (("--output=OUT", "--size=97"), "--size=97: must be even"),
        (("--output=OUT", "--zipf=-1"), "--zipf=-1.0: must be 0"),
        (("--output=OUT", "--num_train=many"), "--num_train=many"),
        (("--output=OUT", "--num_trian=5"), "num_trian"),
        (("--output=OUT", "extra"), "unexpected argument extra"),
        (("--output=OUT", "--num_workers=0"), "--num_workers=0"),
    ],
)
def test_bad_input_is_one_line_before_any_work(tmp_path, flags, words):
    done = run(*(flag.replace("OUT", str(tmp_path / "out")) for flag in flags))
    assert done.returncode != 0 and words in done.stderr
    assert done.stderr.startswith("error: ") and len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_unwritable_and_foreign_folders(tmp_path):
    (tmp_path / "file").write_text("")
    for name, words in (("file", "is a file"), ("file/below", "file/below")):
        done = run(f"--output={tmp_path}/{name}", *TINY)
        assert done.returncode != 0 and words in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    if os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        done = run(f"--output={tmp_path}/locked/data", *TINY)
        assert done.returncode != 0 and "Permission denied" in done.stderr
