"""tools/inspect_dictionary.py as a user runs it."""

import base64
import json
import pathlib
import re

import matplotlib.image
import pytest

from tests import programs, saved_runs

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "inspect_dictionary.py"


@pytest.fixture(scope="module")
def run(tiny_config, tmp_path_factory):
    run = tiny_config(tmp_path_factory.mktemp("inspect") / "run")
    saved_runs.save_run(run)
    return run


def test_what_a_user_looks_at(run, tmp_path):
    done = programs.run(TOOL, f"--checkpoint={run.train.run_dir}", "--draws=4", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    output = pathlib.Path(run.train.run_dir) / "dictionary"
    parts = ("categories", "map", "picked_least", "picked_most", "similarity")
    pictures = {f"{part}_{m}.png" for part in parts for m in ("audio", "video")}
    assert {path.name for path in output.iterdir()} == {
        "report.html",
        "inspection.json",
        *pictures,
    }
    for name in pictures:
        assert matplotlib.image.imread(output / name)[..., :3].std() > 0.02
        assert name in done.stdout

    found = json.loads((output / "inspection.json").read_text())
    assert (found["step"], found["negatives"]) == (3, "active")
    audio = found["dictionaries"]["audio"]
    assert audio["serves"] == "video"
    figures = audio["figures"]
    assert [figures[name]["keys"] for name in figures] == [12, 18, 12]
    assert figures["dictionary"]["categories"] == 3
    assert 1.0 < figures["dictionary"]["effective_rank"] <= 8.0
    # The first twelve clips are four of each class.
    assert list(audio["class_shares"]["dictionary"].values()) == pytest.approx([1 / 3] * 3)
    sampling = audio["sampling"]
    assert (sampling["draws"], sampling["candidates"], sampling["picked"]) == (4, 18, 6.0)

    page = (output / "report.html").read_text()
    embedded = {base64.b64decode(data) for data in re.findall(r"base64,([\w+/=]+)", page)}
    assert embedded == {(output / name).read_bytes() for name in pictures}
    rank = f"{figures['dictionary']['effective_rank']:.1f}"
    assert f"<td>{rank}</td>" in page and rank in done.stdout
    assert "repeated sampling from the pool of this checkpoint: 4 draws" in page
    for words in (
        "Audio keys, serving video queries",
        "Video keys, serving audio queries",
        f"10 pictures in {output}",
        f"in a browser: {output}/report.html",
        "tools/export.py --checkpoint=",
    ):
        assert words in done.stdout
    for bar in (
        "looking up clips: 100%",
        "encoding queries: 100%",
        "drawing: 100%",
        "reading clips: 100%",
    ):
        assert bar in done.stderr


def test_bad_input_ends_in_one_clear_line(run, tmp_path):
    folder = run.train.run_dir
    before = sorted(path.name for path in pathlib.Path(folder).iterdir())
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    table = [
        ([], "--checkpoint must have a value"),
        ([f"--checkpoint={tmp_path}/none"], "holds no run.json"),
        ([f"--checkpoint={tmp_path}/empty"], "holds no run.json"),
        ([f"--checkpoint={folder}", "--which=best"], "holds no checkpoint 'best'"),
        ([f"--checkpoint={folder}", "extra"], "unexpected argument extra"),
        ([f"--checkpoint={folder}", "--draws=0"], "--draws=0"),
        ([f"--checkpoint={folder}", "--dras=1"], "Unknown command line flag 'dras'"),
        (
            [f"--checkpoint={folder}", "--data_dir=/nowhere"],
            "say where its data is with --data_dir=DIR",
        ),
        ([f"--checkpoint={folder}", f"--output={tmp_path}/file"], "cannot be written"),
    ]
    answers = programs.run_many(TOOL.name, *(arguments for arguments, _ in table))
    for (arguments, message), (status, _, errors) in zip(table, answers, strict=True):
        lines = errors.strip().splitlines()
        assert status == 2, (arguments, errors)
        assert lines[-1].startswith("error: ") and message in lines[-1], (arguments, errors)
        assert "Traceback" not in errors
    assert sorted(path.name for path in pathlib.Path(folder).iterdir()) == before
