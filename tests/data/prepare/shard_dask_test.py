import contextlib
import dataclasses
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import distributed
import pytest

from actcl_tf import config
from actcl_tf.data import catalogs
from actcl_tf.data.prepare import prepare, prepare_settings, shard_dask, shard_pool
from actcl_tf.data.prepare.shard_writing import PrepareSettings, ShardTask
from actcl_tf.storage.errors import DataError
from tests.media_files import tone, write_clip

ROOT = pathlib.Path(__file__).resolve().parents[3]
SETTINGS = PrepareSettings(short_side=32, streams="both", filters="silent,duplicate")


@pytest.fixture(scope="module")
def cluster():
    """A real cluster of two workers whose scheduler listens; all are threads of this process."""
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=False,
        protocol="tcp",
        dashboard_address="127.0.0.1:0",
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    root = tmp_path_factory.mktemp("videos")
    for index in range(8):
        write_clip(root / f"ü{index}.mp4", 1.2 + index % 3)
    shutil.copy(root / "ü0.mp4", root / "copy.mp4")
    write_clip(root / "silent.mp4", 1.2, sounds=[0 * tone(1.2)])
    (root / "empty.mp4").write_bytes(b"")
    return [catalogs.Clip(str(path), path.name) for path in sorted(root.iterdir())]


def make_tasks(folder, clips, num=3):
    folder.mkdir()
    return [ShardTask("train", i, tuple(clips[i::num]), (), (), str(folder)) for i in range(num)]


def write(tasks, scheduler, advance=lambda *_: None, clip_timeout=60.0):
    return shard_dask.write_shards(
        tasks,
        SETTINGS,
        scheduler=scheduler,
        num_workers=2,
        clip_timeout=clip_timeout,
        advance=advance,
    )


def write_locally(tasks):
    advances = []
    reports = dict(
        shard_pool.write_shards(
            tasks,
            SETTINGS,
            num_workers=1,
            clip_timeout=60.0,
            advance=lambda *counts: advances.append(counts),
        )
    )
    return reports, advances


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def totals(advances):
    return [sum(column) for column in zip(*advances, strict=True)]


def test_a_cluster_writes_what_local_processes_write(tmp_path, clips, cluster, monkeypatch):
    monkeypatch.chdir(tmp_path)  # Paths from here mean nothing to a worker elsewhere.
    here = [dataclasses.replace(c, path=os.path.relpath(c.path)) for c in clips]
    advances = []
    tasks = make_tasks(pathlib.Path("dask"), here)
    reports = dict(write(tasks, cluster, lambda *counts: advances.append(counts)))
    local, expected = write_locally(make_tasks(tmp_path / "local", clips))
    assert contents(tmp_path / "dask") == contents(tmp_path / "local")
    assert {t.name: r for t, r in reports.items()} == {t.name: r for t, r in local.items()}
    assert [r.failures for r in reports.values()] != [{}] * 3
    assert totals(advances) == totals(expected) == [11, 9, 2]
    assert len(advances) > 3  # Not only as shards are done.


def decoders():
    """Process ids of the decoder processes of this process."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(path.read_text().rsplit(")", 1)[1].split()[1])
            if parent == os.getpid() and "decoder_process" in (path.parent / "cmdline").read_text():
                found.append(int(path.parent.name))
    return found


def test_a_decoder_that_dies_costs_one_video(tmp_path, clips, cluster):
    before = set(decoders())
    write_clip(tmp_path / "long.mp4", 9.5)
    bad = catalogs.Clip(str(tmp_path / "long.mp4"), "long.mp4")
    signals = iter([signal.SIGSEGV])

    def advance(*_):
        number = next(signals, None)
        for process in set(decoders()) - before if number else ():
            os.kill(process, number)

    tasks = make_tasks(tmp_path / "out", [clips[-1], bad, clips[-2]], num=1)
    ((_, report),) = write(tasks, cluster, advance)
    assert report.failures == {"crashed": ["long.mp4"]}
    assert len({facts.source for facts in report.clips}) >= 2


def test_a_shard_that_cannot_be_written_is_told_with_its_worker(tmp_path, clips, cluster):
    tasks = make_tasks(tmp_path / "out", clips, num=1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # Writing beyond the limit is then an error.
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
    try:
        told = r"train-00000.tfrecord cannot be written \(.*\), on the Dask worker tcp://127"
        with pytest.raises(DataError, match=told):
            list(write(tasks, cluster))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert contents(tmp_path / "out") == {}
    assert len(list(write(tasks, cluster))) == 1


def test_closing_the_generator_ends_the_work(tmp_path, clips, cluster):
    before = set(decoders())
    tasks = make_tasks(tmp_path / "out", clips[2:] * 30, num=30)
    results = write(tasks, cluster)
    next(results)
    results.close()
    deadline = time.monotonic() + 60
    while set(decoders()) - before:
        assert time.monotonic() < deadline, "workers go on though nobody waits for them"
        time.sleep(0.05)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert 0 < len(names) < 60 and not [name for name in names if name.startswith(".")]
    assert {pathlib.Path(name).stem for name in names if name.endswith(".tfrecord")} <= {
        pathlib.Path(name).stem for name in names if name.endswith(".json")
    }


def test_a_worker_that_differs_is_named(tmp_path, clips, cluster):
    (task,) = make_tasks(tmp_path / "out", clips[:1], num=1)
    job = shard_dask._Job(SETTINGS, 60.0, "topic", shard_dask._versions())
    old = dataclasses.replace(job, versions={**job.versions, "av": "9.0.0"})
    cases = [
        (("", old), rf"worker tcp://.* has av {job.versions['av']} instead of 9.0.0"),
        (("/elsewhere/a.mp4", job), r"/elsewhere/a.mp4 is not seen by the Dask worker tcp://"),
    ]
    with distributed.Client(cluster, set_as_default=False) as client:
        for arguments, told in cases:
            with pytest.raises(DataError, match=told):
                client.submit(shard_dask._write, task, *arguments, pure=False).result()
    assert contents(tmp_path / "out") == {}


def test_where_no_scheduler_answers(tmp_path, clips):
    tasks = make_tasks(tmp_path / "out", clips[:1], num=1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent_port = silent.getsockname()[1]
        for address in (f"tcp://127.0.0.1:{silent_port}", "tcp://127.0.0.1:1", "xyz://h:1"):
            with pytest.raises(DataError) as error:
                list(write(tasks, address))
            assert str(error.value).startswith(f"--dask_scheduler={address}: no Dask scheduler")
            assert "\n" not in str(error.value)
    with pytest.raises(config.ConfigError, match="--dask_scheduler=tcp://h:1: needs --runner=dask"):
        prepare_settings.Execution(dask_scheduler="tcp://h:1")
    with pytest.raises(config.ConfigError, match="--dask_scheduler=h:1: must be an address such"):
        prepare_settings.Execution(runner="dask", dask_scheduler="h:1")


@contextlib.contextmanager
def started(*arguments):
    """A program of Dask, as a user starts it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard"]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def machines(tmp_path):
    """A scheduler and two workers in processes of their own: (scheduler's process, address)."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    alone = ("--host", "127.0.0.1")
    work = ("--nworkers", "2", "--nthreads", "1", "--local-directory", str(tmp_path / "scratch"))
    with (
        started("scheduler", *alone, "--port", str(port)) as scheduler,
        started("worker", address, *alone, *work),
    ):
        with distributed.Client(address, timeout=120, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=120)
        yield scheduler, address


@pytest.mark.slow
def test_killed_workers_cost_nothing(tmp_path, clips, machines):
    _, address = machines
    write_locally(make_tasks(tmp_path / "local", clips * 2))
    tasks, advances, killed = make_tasks(tmp_path / "dask", clips * 2), [], []

    def advance(*counts):
        advances.append(counts)
        if not killed:
            with distributed.Client(address, set_as_default=False) as client:
                killed.extend(client.run(os.getpid).values())
            for process in killed:
                os.kill(process, signal.SIGKILL)

    reports = dict(write(tasks, address, advance))
    assert len(killed) in (1, 2)
    left = contents(tmp_path / "dask")
    abandoned = [name for name in left if name.startswith(".")]
    assert abandoned, "no worker was at a shard as it was killed"
    whole = {name: data for name, data in left.items() if name not in abandoned}
    assert whole == contents(tmp_path / "local")
    assert totals(advances) == [
        22,
        sum(len(report.clips) for report in reports.values()),
        sum(report.num_failures for report in reports.values()),
    ]


@pytest.mark.slow
def test_a_scheduler_that_ends_is_told_and_gone_on_without(tmp_path, clips, machines):
    scheduler, address = machines
    tasks = make_tasks(tmp_path / "dask", clips * 4, num=12)
    results = write(tasks, address)
    first, _ = next(results)
    scheduler.kill()
    told = rf"--dask_scheduler={address}: the scheduler is gone; the same command goes on"
    with pytest.raises(DataError, match=told):
        list(results)
    assert first.read_report() is not None


@pytest.mark.slow
def test_processes_of_this_machine_prepare_the_same_data_set(tmp_path, clips):
    folder = str(pathlib.Path(clips[0].path).parent)
    catalog = catalogs.from_folder(folder, test_fraction=0.3)
    for name, runner in (("local", "local"), ("dask", "dask")):
        execution = prepare.Execution(runner=runner, num_workers=2, progress=False)
        prepare.prepare(catalog, str(tmp_path / name), SETTINGS, execution)
    for path in (tmp_path / "local").rglob("*"):
        other = tmp_path / "dask" / path.relative_to(tmp_path / "local")
        assert path.is_dir() or other.read_bytes() == path.read_bytes()
    assert not [t for t in threading.enumerate() if t.name.startswith("shards-")]
