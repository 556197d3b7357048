"""The search program on real media files, killed and resumed, and given what it cannot use."""

import json
import os
import pathlib
import re
import shutil
import signal
import time

import pytest

from actcl_tf.search import store
from tests import media_files, programs, rounding

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Three videos with audio, one without, an audio file, a damaged file."""
    folder = tmp_path_factory.mktemp("search") / "videos"
    for name, levels, pitch in (("a", (20,), 200), ("b", (120,), 900), ("c", (230,), 3000)):
        tone = media_files.tone(2.0, frequency=pitch)
        media_files.write_clip(folder / "loud" / f"{name}.mp4", levels=levels, sounds=[tone])
    media_files.write_clip(folder / "quiet.mp4", levels=(60, 70), sounds=())
    tone = media_files.tone(2.0, frequency=900)
    media_files.write_media(folder / "heard.wav", sounds=[tone], sound_codec="pcm_s16le")
    (folder / "broken.mp4").write_bytes(b"no film")
    return folder


@pytest.fixture(scope="module")
def session(videos, exported_model):
    """Folder, and name -> answer, of one command after the other."""
    folder = videos.parent
    index = ["index", videos, f"--model={exported_model}", "--index=moments"]
    find = ["query", "--index=moments"]
    calls = {
        "index": index,
        "again": index,
        "video": [*find, f"--video={videos / 'loud' / 'b.mp4'}", "--find=video", "--start=0"],
        "audio": [*find, f"--audio={videos / 'heard.wav'}", "--top_k=3", "--output=out.html"],
        "one": [*find, f"--audio={videos / 'heard.wav'}", "--per_file=1", "--find=video"],
    }
    answers = programs.run_many("search.py", *calls.values(), cwd=folder)
    return folder, dict(zip(calls, answers, strict=True))


def rows(answer):
    """The table of an answer: cells of each line."""
    return [line.split() for line in answer.out.splitlines() if line[:1].isdigit() and ":" in line]


def test_indexes_and_says_what_it_did(session):
    _, answers = session
    status, out, errors = answers["index"]
    assert status == 0, errors
    assert "Files: 6 new." in out
    assert "The index holds 20 segments of 5 files: 16 with video, 16 with audio." in out
    assert "broken.mp4: it cannot be decoded" in out
    assert re.search(r"^Next: \S+python\S* \S*tools/search.py query --index=moments", out, re.M)
    assert "Indexing: 100%" in errors
    assert "Files: nothing new." in answers["again"].out


def test_finds_the_video_itself_first(session):
    folder, answers = session
    status, _, errors = answers["video"]
    assert status == 0, errors
    table = rows(answers["video"])
    assert len(table) == 10
    assert table[0] == ["1", "loud/b.mp4", "0:00.0", "1.000", "video"]
    scores = [float(row[3]) for row in table]
    assert scores == sorted(scores, reverse=True)
    assert "20 segments of 5 files, searched in " in answers["video"].out
    assert (folder / "moments.html").read_text().startswith("<!DOCTYPE html>")


def test_finds_audio_and_videos_by_audio(session):
    folder, answers = session
    table = rows(answers["audio"])
    assert len(table) == 3
    assert table[0][1:] == ["heard.wav", table[0][2], "1.000", "audio"]
    assert "To look at and listen to: out.html" in answers["audio"].out
    assert (folder / "out.html").exists()
    table = rows(answers["one"])
    assert sorted(row[1] for row in table) == [
        "loud/a.mp4",
        "loud/b.mp4",
        "loud/c.mp4",
        "quiet.mp4",
    ]
    assert {row[4] for row in table} == {"video"}


def test_what_cannot_be_used_is_told_in_one_line(session, videos, exported_model, tmp_path):
    folder, _ = session
    other = tmp_path / "other"
    shutil.copytree(exported_model, other)
    for path in other.glob("*/1/assets/metadata.json"):  # As of other weights.
        path.write_text(json.dumps({**json.loads(path.read_text()), "digest": "0" * 16}))
    cut = tmp_path / "cut"
    shutil.copytree(folder / "moments", cut)
    with open(next(cut.glob("video.*")), "rb+") as file:
        file.truncate(100)
    (tmp_path / "text.mp4").write_text("no film")
    model, index = f"--model={exported_model}", f"--index={folder / 'moments'}"
    audio = f"--audio={videos / 'heard.wav'}"
    calls = [
        ([], "the first argument must be index or query"),
        (["find", index], "the first argument must be index or query, got find"),
        (["index", model, index], "must name one folder: index FOLDER --model=DIR"),
        (["index", videos, index], "--model=: must name the folder of an exported model"),
        (["index", videos, model], "--index=: must name the index"),
        (["index", videos, f"--model={tmp_path}", index], "holds no export"),
        (["index", tmp_path / "none", model, index], "there is no such folder"),
        (["index", videos, f"--model={other}", index], "was made with model "),
        (["query", f"--index={tmp_path / 'none'}", audio], "there is no index"),
        (
            ["query", f"--index={cut}", audio],
            "is damaged (it has 100 bytes, and",
        ),
        (["query", index], "must have one of --video, --audio and --image, got none"),
        (["query", index, audio, "--image=a.png"], "got --audio and --image"),
        (["query", index, f"--video={tmp_path / 'text.mp4'}"], "text.mp4: "),
        (["query", index, f"--image={tmp_path / 'text.mp4'}"], "is no image that can be read"),
        (["query", index, audio, "--start=50"], "heard.wav: "),
        (["query", index, audio, "--start=nan"], "--start=nan: must be a second"),
        (["query", index, audio, "--top_k=0"], "--top_k=0: must be in [1, 1000]"),
        (["query", index, audio, "--find=smell"], "smell"),
        (["query", index, audio, f"--output={tmp_path / 'no' / 'p.html'}"], "cannot be written"),
    ]
    answers = programs.run_many("search.py", *(arguments for arguments, _ in calls))
    for (arguments, expected), answer in zip(calls, answers, strict=True):
        last = answer.errors.strip().splitlines()[-1]
        assert answer.status == 2, (arguments, answer)
        assert last.startswith("error: ") and expected in last, (arguments, last)
        assert "Traceback" not in answer.errors


def start(*arguments):
    return programs.start(ROOT / "tools" / "search.py", *arguments)


def num_files(index):
    """Files that count; 0 before there is an index."""
    return len(store.load(index).entries) if (index / store.INDEX).exists() else 0


# In indexing_test, work that is broken off is gone on with, too.
@pytest.mark.slow
@pytest.mark.parametrize("sent, status", [(signal.SIGKILL, -9), (signal.SIGTERM, 130)])
def test_a_stopped_indexing_goes_on(videos, exported_model, tmp_path, sent, status):
    many, index = tmp_path / "many", tmp_path / "index"
    many.mkdir()
    for number in range(200):
        os.link(videos / "loud" / f"{'abc'[number % 3]}.mp4", many / f"{number}.mp4")
    arguments = ("index", many, f"--model={exported_model}", f"--index={index}")
    process = start(*arguments)
    deadline = time.monotonic() + 600
    while num_files(index) == 0 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(sent)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == status, errors
    if sent == signal.SIGTERM:
        assert "goes on where" in errors
    done = store.load(index).entries
    assert 0 < len(done) < 200

    (answer,) = programs.run_many("search.py", list(arguments))
    assert answer.status == 0, answer.errors
    assert f"Files: {200 - len(done)} new." in answer.out
    content = store.load(index)
    assert content.entries[: len(done)] == done
    assert sorted(int(entry.name[:-4]) for entry in content.entries) == list(range(200))
    # The same video gives the same vectors, before the stop and after.
    of_name = {}
    for entry, rows in content.by_entry():
        kept = of_name.setdefault(int(entry.name[:-4]) % 3, rows["video"])
        rounding.assert_close(rows["video"], kept)
