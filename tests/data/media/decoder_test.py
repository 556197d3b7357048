import os
import resource
import signal
import sys
import tempfile
import threading
import time

import pytest

from actcl_tf.data import catalogs
from actcl_tf.data.media import decoder
from actcl_tf.data.media.clip_cutting import Rejected
from actcl_tf.data.media.containers import media
from actcl_tf.data.prepare.shard_writing import PrepareSettings, ShardTask, write_shard
from actcl_tf.storage import files
from tests.media_files import tone, write_clip

OPTIONS = PrepareSettings(short_side=32, clip_seconds=1.0, streams="both").read_options


@pytest.fixture
def cutter():
    with decoder.Decoder(OPTIONS, timeout=60.0) as made:
        yield made


def spans(pieces):
    return [(type(p).__name__, round(getattr(p, "clip", p).start, 2)) for p in pieces]


def test_clips_come_as_they_are_cut(tmp_path, cutter):
    long = write_clip(tmp_path / "long.mp4", 2.2)
    quiet = write_clip(tmp_path / "quiet.mp4", 1.2, sounds=[0 * tone(1.2)])
    pieces = list(cutter.cut(str(long), 0.0, None))
    assert spans(pieces) == [("CutClip", 0.0), ("CutClip", 0.96)]
    assert len(pieces[0].clip.frames_jpeg) == 12
    assert pieces[0].clip.waveform.shape == (15360,)
    assert pieces[0].fingerprint is None
    child = cutter._process.pid
    assert spans(cutter.cut(str(long), 1.0, 2.1)) == [("CutClip", 1.0)]
    (rejected,) = cutter.cut(str(quiet), 0.0, None)
    assert isinstance(rejected, Rejected) and rejected.reason == "silent"
    assert cutter._process.pid == child


def test_a_child_is_replaced_after_a_while(tmp_path, cutter, monkeypatch):
    monkeypatch.setattr(decoder, "_MOST_REQUESTS", 2)
    video = str(write_clip(tmp_path / "video.mp4", 1.2))
    children, pieces = [], []
    for _ in range(5):
        pieces.append(spans(cutter.cut(video, 0.0, None)))
        children.append(cutter._process.pid)
    first, second, third = children[::2]
    assert children == [first, first, second, second, third]
    assert len({first, second, third}) == 3
    assert pieces == [[("CutClip", 0.0)]] * 5


@pytest.mark.parametrize("content, reason", [(b"", "empty"), (b"no video" * 99, "damaged")])
def test_a_bad_video_has_a_reason(tmp_path, cutter, content, reason):
    (tmp_path / "bad.mp4").write_bytes(content)
    with pytest.raises(media.MediaError) as error:
        list(cutter.cut(str(tmp_path / "bad.mp4"), 0.0, None))
    assert error.value.reason == reason


def test_a_hanging_decoder_costs_the_video_it_was_at(tmp_path):
    long = write_clip(tmp_path / "long.mp4", 8.2)
    good = write_clip(tmp_path / "good.mp4", 1.2)
    with decoder.Decoder(OPTIONS, timeout=600.0) as cutter:
        list(cutter.cut(str(good), 0.0, None))
        pieces = cutter.cut(str(long), 0.0, None)
        next(pieces)
        os.kill(cutter._process.pid, signal.SIGSTOP)
        cutter._timeout = 1.5  # Not before: good videos take longer where much else runs.
        with pytest.raises(media.MediaError) as error:
            list(pieces)
        assert error.value.reason == "timeout"
        assert str(error.value) == "no clip for 1.5 seconds"
        assert cutter._process is None
        cutter._timeout = 600.0
        assert len(list(cutter.cut(str(good), 0.0, None))) == 1


def test_a_crash_costs_the_video_it_was_at(tmp_path, cutter):
    long = write_clip(tmp_path / "long.mp4", 8.2)
    good = write_clip(tmp_path / "good.mp4", 1.2)
    pieces = cutter.cut(str(long), 0.0, None)
    next(pieces)
    child = cutter._process.pid
    os.kill(child, signal.SIGSEGV)
    with pytest.raises(media.MediaError) as error:
        list(pieces)
    assert error.value.reason == "crashed"
    assert str(error.value) == f"exit status {-signal.SIGSEGV}"
    assert len(list(cutter.cut(str(good), 0.0, None))) == 1
    assert cutter._process.pid != child


def test_what_is_left_of_an_abandoned_video_is_not_taken_for_the_next(tmp_path, cutter):
    long = write_clip(tmp_path / "long.mp4", 3.2)
    other = write_clip(tmp_path / "other.mp4", 1.2)
    first = cutter.cut(str(long), 0.0, None)
    assert spans([next(first)]) == [("CutClip", 0.0)]
    first.close()
    assert spans(cutter.cut(str(other), 0.0, None)) == [("CutClip", 0.0)]


def test_work_that_is_called_off_ends_the_child(tmp_path):
    long = write_clip(tmp_path / "long.mp4", 8.2)
    stop = threading.Event()
    with decoder.Decoder(OPTIONS, timeout=600.0, stop=stop) as cutter:
        pieces = cutter.cut(str(long), 0.0, None)
        next(pieces)
        os.kill(cutter._process.pid, signal.SIGSTOP)
        threading.Timer(0.5, stop.set).start()
        with pytest.raises(decoder.Stopped):
            list(pieces)
        assert cutter._process is None


def test_a_child_ends_with_the_other_side(tmp_path):
    good = write_clip(tmp_path / "good.mp4", 1.2)
    cutter = decoder.Decoder(OPTIONS, timeout=60.0)
    list(cutter.cut(str(good), 0.0, None))
    process = cutter._process
    cutter._connection.close()
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process.poll() == 0


def test_a_child_that_cannot_start_is_told(tmp_path, monkeypatch):
    (tmp_path / "av.py").write_text("raise ImportError('no decoder here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    told = pytest.raises(files.DataError, match=r"can be started: ImportError: no decoder here")
    with decoder.Decoder(OPTIONS, timeout=60.0) as cutter, told:
        list(cutter.cut("a.mp4", 0.0, None))


@pytest.mark.parametrize("lacking", ["program", "room for its errors", "open files"])
def test_a_child_that_the_system_refuses_is_no_shard_that_cannot_be_written(
    tmp_path, monkeypatch, lacking
):
    if lacking == "program":
        monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    elif lacking == "room for its errors":
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    settings = PrepareSettings(clip_seconds=1.0, streams="both")
    clip = catalogs.Clip(path=str(tmp_path / "a.mp4"), name="a.mp4")
    task = ShardTask("train", 0, (clip,), (), (), str(tmp_path))
    _, most = limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with decoder.Decoder(settings.read_options, timeout=60.0) as cutter:
        told = pytest.raises(files.DataError, match=r"^no process to decode videos in can be start")
        try:
            with told as error:
                if lacking == "open files":
                    # One for the shard; files of the program itself are open already.
                    lowest_free = os.dup(0)
                    os.close(lowest_free)
                    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free + 2, most))
                write_shard(task, settings, cutter, lambda *_: None)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert "[Errno " in str(error.value) and "written" not in str(error.value)
    assert os.listdir(tmp_path) == []
