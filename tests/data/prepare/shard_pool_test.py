import os
import pathlib
import resource
import signal
import threading

import pytest

from actcl_tf.data import catalogs
from actcl_tf.data.prepare import shard_pool
from actcl_tf.data.prepare.shard_writing import PrepareSettings, ShardTask
from actcl_tf.storage.errors import DataError
from tests.media_files import write_clip

OPTIONS = PrepareSettings(short_side=32, streams="both")


def make_tasks(folder, clips, num=3):
    folder.mkdir()
    return [ShardTask("train", i, tuple(clips[i::num]), (), (), str(folder)) for i in range(num)]


def write(tasks, num_workers, advance=lambda *_: None, clip_timeout=60.0):
    return shard_pool.write_shards(
        tasks, OPTIONS, num_workers=num_workers, clip_timeout=clip_timeout, advance=advance
    )


@pytest.fixture
def clips(tmp_path):
    paths = [write_clip(tmp_path / f"{index}.mp4", 1.2) for index in range(5)]
    (tmp_path / "bad.mp4").write_bytes(b"")
    return [catalogs.Clip(str(path), path.name) for path in [*paths, tmp_path / "bad.mp4"]]


def test_several_workers_write_what_one_writes(tmp_path, clips):
    files, counts = [], []
    for name, workers in (("one", 1), ("two", 2)):
        tasks = make_tasks(tmp_path / name, clips)
        seen = []
        reports = dict(write(tasks, workers, lambda *c, s=seen: s.append(c)))
        assert reports == {task: task.read_report() for task in tasks}
        files.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
        counts.append(sorted(seen))
    assert files[0] == files[1]
    kinds = ("json", "tfrecord")
    assert set(files[0]) == {f"train-{i:05d}.{kind}" for i in range(3) for kind in kinds}
    assert counts[0] == counts[1] == [(1, 0, 1), *[(1, 1, 0)] * 5]


def test_a_shard_of_bad_videos_has_a_report_and_no_records(tmp_path, clips):
    (task,) = make_tasks(tmp_path / "bad", clips[-1:], num=1)
    ((_, report),) = write([task], 1)
    assert (report.clips, report.failures) == ([], {"empty": ["bad.mp4"]})
    assert [path.name for path in (tmp_path / "bad").iterdir()] == ["train-00000.json"]


_OTHERS = set()  # Decoder processes that other tests have left for their readers.


@pytest.fixture(autouse=True)
def _leave_others_alone():
    _OTHERS.clear()
    _OTHERS.update(children())


def children():
    """Process ids of the decoder processes of this process that a test has started."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rsplit(")", 1)[1].split()[1])
            command = (path.parent / "cmdline").read_text()
        except OSError:
            continue
        if (
            parent == os.getpid()
            and "decoder_process" in command
            and int(path.parent.name) not in _OTHERS
        ):
            found.append(int(path.parent.name))
    return found


def after_first_video(signal_number):
    """Something to call after each video: after the first it signals the decoder processes."""
    calls = iter([signal_number])

    def advance(*_):
        number = next(calls, None)
        for process in children() if number else ():
            os.kill(process, number)

    return advance


@pytest.mark.parametrize(
    "number, reason", [(signal.SIGSTOP, "timeout"), (signal.SIGSEGV, "crashed")]
)
def test_a_decoder_that_hangs_or_dies_costs_one_video(tmp_path, clips, number, reason):
    long = write_clip(tmp_path / "long.mp4", 9.5)
    bad = catalogs.Clip(str(long), "long.mp4")
    tasks = make_tasks(tmp_path / "out", [clips[0], bad, clips[1]], num=1)
    ((_, report),) = write(tasks, 1, after_first_video(number), clip_timeout=4.0)
    assert [facts.source for facts in report.clips] == ["0.mp4 [0.00, 1.20)", "1.mp4 [0.00, 1.20)"]
    assert report.failures == {reason: ["long.mp4"]}


def test_closing_the_generator_ends_the_workers(tmp_path, clips):
    tasks = make_tasks(tmp_path / "out", clips * 20, num=20)
    results = write(tasks, 2)
    next(results)
    assert children()
    results.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("shards-")]
    assert children() == []
    for path in (tmp_path / "out").iterdir():  # No shard without its report, nothing half done.
        assert path.suffix in (".json", ".tfrecord")
        assert path.with_suffix(".json").exists()


def test_a_full_disk_is_told_and_leaves_whole_shards(tmp_path, clips):
    tasks = make_tasks(tmp_path / "out", clips[:4], num=2)
    ((first, _),) = write(tasks[:1], 1)
    size = os.path.getsize(first.data_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # Writing beyond the limit is then an error.
    resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, limits[1]))
    try:
        with pytest.raises(DataError, match=r"train-00001.tfrecord cannot be written \("):
            list(write(tasks[1:], 1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["train-00000.json", "train-00000.tfrecord"]
    assert len(list(write(tasks[1:], 1))) == 1
