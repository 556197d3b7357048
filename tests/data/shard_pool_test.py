import os
import pathlib
import signal

import pytest

from actcl_tf.data import catalogs, shard_pool
from actcl_tf.data.records import DataError
from actcl_tf.data.shard_writing import Settings, ShardTask
from tests.media_files import write_clip

OPTIONS = Settings(short_side=32)


def make_tasks(folder, clips, num=3):
    folder.mkdir()
    return [ShardTask("train", i, tuple(clips[i::num]), (), str(folder)) for i in range(num)]


@pytest.fixture
def clips(tmp_path):
    paths = [write_clip(tmp_path / f"{index}.mp4", 1.2) for index in range(5)]
    (tmp_path / "bad.mp4").write_bytes(b"")
    return [catalogs.Clip(str(path), path.name) for path in [*paths, tmp_path / "bad.mp4"]]


def test_processes_write_what_one_process_writes(tmp_path, clips):
    files, counts = [], []
    for name, workers in (("one", 1), ("two", 2)):
        tasks = make_tasks(tmp_path / name, clips)
        seen = []
        results = shard_pool.write_shards(tasks, OPTIONS, workers, lambda *c, s=seen: s.append(c))
        reports = {task.index: report for task, report in results}
        assert reports == {task.index: task.read_report() for task in tasks}
        files.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
        counts.append(sorted(seen))
    assert files[0] == files[1]
    kinds = ("json", "tfrecord")
    assert set(files[0]) == {f"train-{i:05d}.{kind}" for i in range(3) for kind in kinds}
    assert counts[0] == counts[1] == [(0, 1), *[(1, 0)] * 5]


def test_a_shard_of_bad_videos_has_a_report_and_no_records(tmp_path, clips):
    (task,) = make_tasks(tmp_path / "bad", clips[-1:], num=1)
    ((_, report),) = shard_pool.write_shards([task], OPTIONS, 1, lambda *_: None)
    assert (report.clips, report.failures) == (0, {"empty": ["bad.mp4"]})
    assert [path.name for path in (tmp_path / "bad").iterdir()] == ["train-00000.json"]


def children():
    """Process ids of the worker processes of this process."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rsplit(")", 1)[1].split()[1])
            command = (path.parent / "cmdline").read_text()
        except OSError:
            continue
        if parent == os.getpid() and "spawn_main" in command:
            found.append(int(path.parent.name))
    return found


@pytest.mark.skipif(not pathlib.Path("/proc/self/stat").exists(), reason="needs /proc")
def test_the_death_of_a_worker_is_told(tmp_path, clips):
    tasks = make_tasks(tmp_path / "out", clips * 20, num=10)
    before = set(children())

    def kill_one(*_):
        for process in set(children()) - before:
            os.kill(process, signal.SIGKILL)
            return

    with pytest.raises(DataError, match=r"a worker process died.*the same command goes on"):
        list(shard_pool.write_shards(tasks, OPTIONS, 2, kill_one))
    for path in (tmp_path / "out").glob("*.tfrecord"):
        assert path.with_suffix(".json").exists()
