"""tools/inspect_records.py as a user runs it."""

import os
import pathlib
import subprocess
import sys

import matplotlib.image
import pytest

from actcl_tf.data.prepare import prepare
from actcl_tf.data.records import records
from tests import programs
from tests.contract_writer import clip, jpeg, labelled, write
from tests.media_files import tone, write_clip

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "inspect_records.py"


def run_many(*argument_lists):
    return programs.run_many(TOOL.name, *argument_lists)


def test_what_a_user_looks_at(tmp_path):
    for index, level in enumerate((60, 120, 180)):
        for name in ("bell", "dog"):
            write_clip(tmp_path / "in" / name / f"{index}.mp4", levels=(level, 250))
    write_clip(tmp_path / "in" / "dog" / "silent.mp4", sounds=[0 * tone(2.0)])
    data = tmp_path / "data"
    execution = prepare.Execution(num_workers=1, progress=False)
    prepare.prepare_folder(
        str(tmp_path / "in"), str(data), test_fraction=0.34, execution=execution, short_side=32
    )
    done = programs.run(TOOL, data, "--clips=3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    counts = {split: records.read_manifest(data / split).num_clips for split in ("train", "test")}
    assert sum(counts.values()) == 6
    for words in (
        f"train: {counts['train']} clips in ",
        f"test: {counts['test']} clips in ",
        "  lengths  all 2.00 s",
        f"  video    12.5 frames a second; 43 x 32 ({counts['train']})",
        "  audio    16000 Hz; median of the loudest 0.1 s",
        "  classes  2; the largest is ",
        "           bell ",
        "(the audio is digital silence): dog/silent.mp4",
        f"3 clips to look at: {data}/contact_sheet.png",
    ):
        assert words in done.stdout
    assert "Reading: 100%" in done.stderr and "6 clips, 0 faults" in done.stderr
    assert matplotlib.image.imread(data / "contact_sheet.png")[..., :3].std() > 0.1

    train = sorted((data / "train").glob("*.tfrecord"))[0]
    train.write_bytes(train.read_bytes()[:-1])
    (data / "contact_sheet.png").unlink()
    good, bad = run_many([data / "test", "--verify"], ["--data_dir", data, "--verify"])
    assert good[0] == 0
    assert f"Verified: all {counts['test']} clips are whole." in good[1]
    status, out, errors = bad
    assert status == 1 and "Verified" not in out
    lines = errors.splitlines()[-3:]
    assert lines[0].startswith(f"{train} is damaged after ")
    assert lines[1].startswith(f"{train} has ") and " bytes instead of " in lines[1]
    assert lines[2] == "error: 2 faults, each named above"
    assert not (data / "contact_sheet.png").exists()


def test_records_made_elsewhere(tmp_path):
    for split in ("train", "test"):
        clips = [labelled(index, name) for index, name in enumerate("ba")]
        write(tmp_path / "data" / split / f"{split}-00000-of-00001", clips)
    write(tmp_path / "gif" / "a.tfrecord", [clip(frames=[jpeg(kind="GIF")])])
    rates = ["--frame_rate=10", "--sample_rate=1000"]
    asked, written, again, looked, gif = run_many(
        [tmp_path / "data", "--write_manifest"],
        [tmp_path / "data", "--write_manifest", *rates, f"--sheet={tmp_path}/sheet.png"],
        [tmp_path / "data", "--write_manifest", *rates],
        [tmp_path / "data", "--verify"],
        [tmp_path / "gif", "--write_manifest", *rates],
    )
    assert asked[0] == 2
    assert asked[2].splitlines()[-1] == (
        "error: --frame_rate: must be given, the records do not say it; by their start and end it "
        "is about 10"
    )
    assert written[0] == 0
    for split in ("train", "test"):
        assert f"Written: {tmp_path}/data/{split}/manifest.json" in written[1]
        assert records.read_manifest(tmp_path / "data" / split).classes == ["b", "a"]
    assert f"4 clips to look at: {tmp_path}/sheet.png" in written[1]
    assert (tmp_path / "sheet.png").exists()
    assert again[0] == 2 and "as all splits have; remove" in again[2]
    assert looked[0] == 0 and "10 frames a second; 32 x 24 (2)" in looked[1]
    assert "test and train share 2 videos: a.mp4, b.mp4" in looked[1]
    assert gif[0] == 1 and not (tmp_path / "gif" / "manifest.json").exists()
    assert f"{tmp_path}/gif/a.tfrecord: record 0 holds a frame, number 0, that is" in gif[2]


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "data" / "a.tfrecord", [clip(2)])
    (tmp_path / "empty").mkdir()
    return tmp_path / "data"


def test_bad_input_ends_in_one_clear_line(folder):
    above = folder.parent
    table = [
        ([], 2, "--data_dir=: must name one folder"),
        ([folder, above], 2, f"--data_dir={folder} {above}: must name one folder"),
        ([folder, f"--data_dir={above}"], 2, "must name one folder"),
        ([folder, "--verfy"], 2, "Unknown command line flag 'verfy'"),
        ([folder, "--clips=0"], 2, "--clips=0"),
        ([folder, "--frame_rate=-1"], 2, "--frame_rate=-1"),
        ([above / "none"], 2, "is not a folder"),
        ([above / "empty"], 2, "holds no data set"),
        ([folder, f"--sheet={above}/none/x.png"], 2, "none/x.png cannot be written"),
    ]
    for (arguments, status, words), found in zip(
        table, run_many(*(row[0] for row in table)), strict=True
    ):
        assert found[0] == status, (arguments, found)
        last = found[2].splitlines()[-1]
        assert last.startswith("error: ") and words in last, (arguments, found)


def test_names_that_are_no_text_on_a_terminal_of_ascii(tmp_path):
    """From the file to the sheet: no name ends the work, and every one is shown."""
    write_clip(tmp_path / "in" / "dog" / "good.mp4", 1.2)
    (tmp_path / "in" / "dog" / "bad.mp4").write_text("no video" * 100)
    os.rename(tmp_path / "in" / "dog" / "bad.mp4", os.fsencode(tmp_path / "in/dog") + b"/\xff.mp4")
    os.rename(tmp_path / "in" / "dog", os.fsencode(tmp_path / "in") + b"/d\xf6g \xc3\xbc")
    data, out = tmp_path / "data", []
    for tool, flags in (
        ("prepare_data.py", [f"--input={tmp_path / 'in'}", f"--output={data}", "--num_workers=1"]),
        ("inspect_records.py", [str(data)]),
    ):
        done = subprocess.run(
            [sys.executable, str(TOOL.with_name(tool)), *flags],
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        out.append(done.stdout)
    assert r"d\udcf6g \xfc/\udcff.mp4" in out[0] and "Written to " in out[0]
    assert r"d\udcf6g \xfc " in out[1]
    assert (data / "contact_sheet.png").stat().st_size > 0
