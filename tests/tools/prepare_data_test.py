import csv
import os
import pathlib
import re
import shutil
import signal
import time

import pytest

from actcl_tf.data.records import records
from tests import programs
from tests.media_files import tone, write_clip

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "prepare_data.py"
SMALL = ["--short_side=32", "--num_workers=1"]


def start(*flags):
    quiet = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    return programs.start(TOOL, *flags, env=quiet)


def finish(process):
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


@pytest.fixture
def videos(tmp_path):
    root = tmp_path / "videos"
    for index in range(4):
        write_clip(root / "dog" / f"{index}.mp4", 1.2)
        write_clip(root / "cat" / f"{index}.mp4", 1.2)
    write_clip(root / "cat" / "silent.mp4", 1.2, sounds=[0 * tone(1.2)])
    (root / "dog" / "empty.mp4").write_bytes(b"")
    return root


def test_a_folder_becomes_a_data_set(tmp_path, videos):
    data = tmp_path / "data"
    status, out, err = finish(
        start(f"--input={videos}", f"--output={data}", "--test_fraction=0.2", *SMALL)
    )
    assert status == 0, err
    assert "8 clips" in out and "Left out as unusable or filtered: 2" in out
    assert "1  silent (the audio is digital silence): cat/silent.mp4" in out
    assert "1  empty (the file has no bytes): dog/empty.mp4" in out
    next_flags = (
        rf"--flagfile=\S*configs/pretrain.cfg --data_dir={data} --run_dir=runs/data "
        r"--batch_size=2 --dictionary_size=\d"
    )
    assert re.search(rf"^Next: \S+python\S* \S*tools/train.py {next_flags}$", out, re.M)
    assert "clips/s" in err  # The progress bar.
    manifests = [records.read_manifest(data / split) for split in ("train", "test")]
    assert sum(manifest.num_clips for manifest in manifests) == 8
    assert manifests[0].classes == ["cat", "dog"]

    def start_again(output, *more):
        return start(
            f"--input={videos}", f"--output={output}", "--test_fraction=0.2", *SMALL, *more
        )

    # Two folders together, because starting takes longest; one folder has one writer at a time.
    again, strict = start_again(data), start_again(tmp_path / "new", "--max_failures=10%")
    status, out, _ = finish(again)
    assert status == 0 and "nothing was made" in out
    status, _, err = finish(start_again(data, "--frame_rate=10"))
    assert status == 2
    assert err.startswith(f"error: --output={data}: holds a data set with --frame_rate=12.5")
    status, _, err = finish(strict)
    assert status == 3
    assert "error: --max_failures=10%: 2 of 10 videos" in err


def test_bad_input_ends_in_one_line_before_any_work(tmp_path, videos):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    good = {"--input": str(videos), "--output": str(tmp_path / "data")}
    cases = [
        ({"--input": str(tmp_path / "empty")}, "no video in it", 2),
        ({"--input": str(tmp_path / "file")}, "is a file; name the folder that holds it", 2),
        ({"--input": str(tmp_path / "none")}, "there is no such folder", 2),
        ({"--output": str(tmp_path / "file" / "data")}, "cannot be written", 2),
        ({"--frame_rate": "-1"}, "--frame_rate=-1.0: must be in", 2),
        ({"--no_such_flag": "1"}, "no_such_flag", 2),
        ({"--dataset": "imagenet"}, "--dataset=imagenet: must be one of folder, csv", 2),
        ({"--fold": "2"}, "--fold=2: means nothing for --dataset=folder", 2),
        ({"--output": ""}, "--output=: must name a folder", 2),
        (
            ["--flagfile=configs/none.cfg"],
            "error: --flagfile=configs/none.cfg: No such file or directory; run the program from",
            2,
        ),
        (["in", "out"], "unexpected argument in; did you mean --input=in --output=out?", 2),
        (["in", "--output=out"], "unexpected argument in; did you mean --input=in?", 2),
        (["--input=in", "--output=out", "x"], "unexpected argument x; flags look like", 2),
    ]
    running = [
        start(*(bad if isinstance(bad, list) else (f"{k}={v}" for k, v in {**good, **bad}.items())))
        for bad, *_ in cases
    ]
    for process, (bad, message, expected) in zip(running, cases, strict=True):
        status, out, err = finish(process)
        assert status == expected, bad
        assert err.count("\n") == 1 and err.startswith("error: ") and message in err, err
        assert out == ""
    assert sorted(os.listdir(tmp_path)) == ["empty", "file", "videos"]


def test_nothing_usable_is_an_error_that_says_why(tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(b"")
    flags = [f"--input={tmp_path / 'videos'}", f"--output={tmp_path / 'data'}", *SMALL]
    status, _, err = finish(start(*flags))
    assert status == 1
    assert "1  empty (the file has no bytes): a.mp4" in err
    assert err.endswith("error: not one of 1 videos is usable\n")


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_is_gone_on_with(tmp_path, sent):
    # So many that they are not done before this process has its turn again.
    first = write_clip(tmp_path / "videos" / "0.mp4", 1.2)
    for index in range(1, 80):
        os.link(first, first.with_name(f"{index}.mp4"))
    data = tmp_path / "data"
    flags = [f"--input={tmp_path / 'videos'}", f"--output={data}", "--short_side=32"]
    flags += ["--clips_per_shard=1", "--num_workers=2"]
    process = start(*flags)
    while not list(data.glob(".partial/t*.json")):  # Of a shard that is done: not plan.json.
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    process.send_signal(sent)
    status, _, err = finish(process)
    if sent == signal.SIGTERM:
        assert status == 130
        assert err.endswith("Interrupted; the same command goes on where this one stopped.\n")
    assert os.listdir(data) == [".partial"]
    assert not list(data.glob(".partial/.*.tmp")) or sent == signal.SIGKILL
    if sent == signal.SIGTERM:
        return  # What comes next is the same.
    status, out, err = finish(start(*flags))
    assert status == 0, err
    made = int(out.split("Made ")[1].split()[0])
    assert 0 < made < 80
    assert sorted(os.listdir(data)) == ["test", "train"]
    assert records.read_manifest(data / "train").num_clips == 72
    assert records.read_manifest(data / "test").num_clips == 8


def test_a_benchmark_is_prepared_by_name(tmp_path, shared_data):
    data, part = tmp_path / "esc10", tmp_path / "part"
    whole = shared_data / "esc10"
    with (whole / "meta" / "esc50.csv").open() as table:
        rows = list(csv.DictReader(table))
    kept = [
        row
        for name in sorted({row["category"] for row in rows})
        for row in [row for row in rows if row["category"] == name][::9]
    ]
    for folder in ("meta", "audio"):
        (part / folder).mkdir(parents=True)
    with (part / "meta" / "esc50.csv").open("w") as table:
        writer = csv.DictWriter(table, rows[0])
        writer.writeheader()
        writer.writerows(kept)
    for row in kept:
        shutil.copy(whole / "audio" / row["filename"], part / "audio")
    flags = ["--dataset=esc50", f"--input={part}", f"--output={data}", "--fold=2"]
    status, out, err = finish(start(*flags, "--num_workers=2"))
    assert status == 0, err
    assert "audio at 16000 Hz" in out and "tools/train.py" not in out
    manifests = {split: records.read_manifest(data / split) for split in ("train", "test")}
    tests = sum(row["fold"] == "2" for row in kept)
    assert 0 < tests < len(kept) == 50
    assert {split: found.num_clips for split, found in manifests.items()} == {
        "train": 50 - tests,
        "test": tests,
    }
    assert len(manifests["train"].classes) == 10


@pytest.mark.slow
def test_a_dask_cluster_of_this_machine_can_be_interrupted(tmp_path, videos):
    data = tmp_path / "data"
    flags = [f"--input={videos}", f"--output={data}", *SMALL, "--runner=dask"]
    process = start(*flags, "--clips_per_shard=1")
    while not list(data.glob(".partial/t*.json")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    status, out, err = finish(process)
    assert (status, out) == (130, "")
    *bar, last = err.splitlines()
    assert last == "Interrupted; the same command goes on where this one stopped."
    assert all(line.startswith("Preparing: ") for line in bar), err
    status, out, err = finish(start(*flags, "--clips_per_shard=1"))
    assert status == 0, err
    assert 0 < int(out.split("Made ")[1].split()[0]) < 8
    assert "1  silent (" in out and "1  empty (" in out
    assert all(line.startswith("Preparing: ") for line in err.splitlines()), err


def test_a_scheduler_of_dask_that_is_not_there(tmp_path, videos):
    flags = [f"--input={videos}", f"--output={tmp_path / 'data'}", "--short_side=32"]
    address = "--dask_scheduler=tcp://127.0.0.1:1"
    status, out, err = finish(start(*flags, "--runner=dask", address))
    assert (status, out) == (2, "")
    assert err.splitlines()[-1].startswith(f"error: {address}: no Dask scheduler answers there")
    assert finish(start(*flags, address))[0::2] == (2, f"error: {address}: needs --runner=dask\n")


def test_beam_takes_its_own_options_after_a_dash(tmp_path, videos):
    data = tmp_path / "data"
    flags = [f"--input={videos}", f"--output={data}", "--short_side=32", "--runner=beam"]
    status, out, err = finish(start(*flags, "--", "--runner=DirectRunner"))
    assert status == 0, err
    assert "8 clips" in out or "Made 8 clips" in out
    status, _, err = finish(start(*flags[:3], "--", "--runner=DirectRunner"))
    assert status == 2
    assert err == "error: --runner=DirectRunner: Beam's options, after --, need --runner=beam\n"
