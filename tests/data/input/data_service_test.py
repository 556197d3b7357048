"""Clips through a tf.data service of real processes: a dispatcher and two workers on loopback."""

import os
import pathlib
import signal
import socket

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf import config
from actcl_tf.data.input import data_service, pipeline, tagged_errors
from tests import programs, split_files

TOOL = pathlib.Path(__file__).resolve().parents[3] / "tools" / "data_service.py"
NUM_CLIPS = 20


def start(*flags_of_tool):
    """A process of the tool, and the last word of what it says first."""
    process = programs.start(TOOL, "--all_interfaces", *flags_of_tool)
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    return process, line.split()


@pytest.fixture(scope="module")
def service():
    processes = [start("--role=dispatcher")]
    address = processes[0][1][-1]  # grpc://localhost:PORT
    try:
        for _ in range(2):
            to = f"--dispatcher={address.split('://')[1]}"
            processes.append(start("--role=worker", to, "--host=localhost"))
        yield address
    finally:
        codes = []
        for process, _ in reversed(processes):
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=600)
            codes.append(process.returncode)
    assert codes == [143, 143, 143]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    clips = [split_files.ramp_clip(f"clip {i}", 12 + i, label=i) for i in range(NUM_CLIPS)]
    split_files.write_split(folder, "train", clips, 7)
    return str(folder)


def _config(data_dir, **changes):
    return config.DataConfig(data_dir=data_dir, num_frames=4, image_size=16, **changes)


def test_each_clip_comes_once_an_epoch(service, data_dir):
    data = _config(data_dir, data_service=service)
    dataset = pipeline.build_train_dataset(data, batch_size=8, seed=0)
    local = pipeline.build_train_dataset(_config(data_dir), batch_size=8, seed=0)
    assert dataset.element_spec == local.element_spec
    labels, clips = [], {}
    for batch in dataset.take(8):  # Three epochs and four clips of the next.
        labels += batch["label"].numpy().tolist()
        for index, clip_id in enumerate(batch["clip_id"].numpy().tolist()):
            clips.setdefault(clip_id, []).append(batch["video"][index].numpy())
    for epoch in range(3):
        members = labels[epoch * NUM_CLIPS : (epoch + 1) * NUM_CLIPS]
        assert sorted(members) == list(range(NUM_CLIPS))
    # The augmentation of a clip in an epoch is that of the local pipeline.
    expected = {}
    for batch in local.take(8):
        for index, clip_id in enumerate(batch["clip_id"].numpy().tolist()):
            expected.setdefault(clip_id, []).append(batch["video"][index].numpy())
    for clip_id, videos in expected.items():
        for one, other in zip(clips[clip_id][:2], videos[:2], strict=True):
            np.testing.assert_array_equal(one, other)


def test_trainers_of_one_job_share_the_elements(service):
    trainers = [
        iter(
            data_service.endless_epochs(
                lambda epoch: tf.data.Dataset.range(100).map(lambda n: {"n": n, "epoch": epoch}),
                service=service,
                job="shared",
                first_epoch=0,
                skip=0,
            )
        )
        for _ in range(2)
    ]
    seen = []
    for _ in range(150):
        seen += [(int(part["epoch"]), int(part["n"])) for part in map(next, trainers)]
    # Each comes to one of the two, once an epoch.
    assert len(set(seen)) == len(seen) == 300
    assert {(0, n) for n in range(100)} <= set(seen)


def test_a_restart_begins_in_the_right_epoch(service, data_dir):
    data = _config(data_dir, data_service=service)
    dataset = pipeline.build_train_dataset(data, batch_size=4, seed=0, start_step=7)
    labels = [label for batch in dataset.take(7) for label in batch["label"].numpy().tolist()]
    # 28 clips are done, 8 of the second epoch: 12 are left of it, then the third.
    assert len(set(labels[:12])) == 12
    assert len(set(labels[12:])) == 16


def _first_batch(data):
    """What is said where clips never come; an element that is waited for cannot be called off."""
    data_service._PATIENCE_SECONDS = 2.0
    try:
        pipeline.build_train_dataset(data, batch_size=4, seed=0)
    except config.ConfigError as error:
        return str(error)


def test_a_data_set_that_the_service_refuses_is_told_at_once():
    class Refused:
        def __iter__(self):
            raise tf.errors.InvalidArgumentError(None, None, "another data set of this name")

    with pytest.raises(tf.errors.InvalidArgumentError, match="of this name"):
        next(data_service._in_time(Refused(), "grpc://localhost:1", 60.0))


def test_a_dispatcher_without_workers_is_told(data_dir):
    process, words = start("--role=dispatcher")
    try:
        said = programs.call(_first_batch, _config(data_dir, data_service=words[-1]))
    finally:
        process.kill()
        process.communicate()
    assert "nothing came for 2 seconds; are its workers" in said


def _batches_without_end(data, worker):
    """What is said where the clips stop coming."""
    dataset = pipeline.build_train_dataset(data, batch_size=4, seed=0)
    next(iter(dataset))  # A busy machine may take its time for it.
    data_service._PATIENCE_SECONDS = 5.0
    os.kill(worker, signal.SIGKILL)
    try:
        for _ in dataset.take(1000):
            pass
    except tf.errors.OpError as error:
        return tagged_errors.message_of(error, data_service.TAG)


def test_workers_that_die_end_the_run_with_their_name(data_dir):
    dispatcher, words = start("--role=dispatcher")
    worker, _ = start("--role=worker", f"--dispatcher={words[-1]}", "--host=localhost")
    try:
        data = _config(data_dir, data_service=words[-1])
        told = programs.call(_batches_without_end, data, worker.pid)
    finally:
        for process in (worker, dispatcher):
            process.kill()
            process.communicate()
    assert told.startswith(f"--data_service={words[-1]}: nothing came for 5 seconds")


def test_an_address_that_nobody_listens_at_is_told_at_once(data_dir):
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    data = _config(data_dir, data_service=f"grpc://localhost:{port}")
    with pytest.raises(
        config.ConfigError, match=rf"--data_service=grpc://localhost:{port}: no disp"
    ):
        pipeline.build_train_dataset(data, batch_size=4, seed=0)


@pytest.mark.parametrize(
    "address", ["localhost:5050", "grpc://localhost", "http://a:1", "grpc://:x"]
)
def test_wrong_addresses_are_refused(address):
    with pytest.raises(config.ConfigError, match="must be grpc://host:port, or empty"):
        config.DataConfig(data_service=address)


def test_a_repeatable_run_refuses_it():
    flat = {"data_service": "grpc://a:1", "deterministic": True}
    with pytest.raises(config.ConfigError, match="--deterministic=True: clips of a --data_service"):
        config.from_flat(flat)


@pytest.mark.parametrize(
    "flags_of_tool",
    [
        ["--role=worker"],
        ["--role=dispatcher", "--dispatcher=a:1"],
        ["--role=none"],
        [],
        ["--role=dispatcher", "--noall_interfaces"],
        ["--role=worker", "--dispatcher=localhost:1"],
        ["--role=worker", "--dispatcher=x"],
    ],
)
def test_wrong_flags_of_the_tool_end_it(flags_of_tool):
    done = programs.run(TOOL, "--all_interfaces", *flags_of_tool)
    assert done.returncode in (1, 2) and done.stdout == ""
    assert "--dispatcher" in done.stderr or "--role" in done.stderr or "flag" in done.stderr
