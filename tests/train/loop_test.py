import json
import multiprocessing
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf import config
from actcl_tf.data import records
from actcl_tf.train import checkpointing, failures, loop


def _values(run_dir):
    """Everything in the last checkpoint, name -> array."""
    path = checkpointing.find_checkpoint(str(run_dir))
    reader = tf.train.load_checkpoint(path)
    return {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        if not name.startswith(("save_counter", "_CHECKPOINTABLE"))
    }


def _quiet(_):
    pass


def _run_whole_and_in_parts(whole, parts, said):
    """In a process of its own, since determinism cannot be switched off again."""
    loop.run(whole, say=_quiet)
    loop.run(parts, say=said.put, stop_at=4)
    loop.run(parts, say=said.put)
    said.put(None)


@pytest.mark.parametrize("changes", [{}, {"pool": "epoch", "optimizer": "lamb"}])
def test_stopping_and_going_on_changes_no_bit(tiny_run, tmp_path, changes):
    changes = {"deterministic": True, "save_every": 3, **changes}
    whole = tiny_run(run_dir=str(tmp_path / "whole"), **changes)
    parts = tiny_run(run_dir=str(tmp_path / "parts"), **changes)
    context = multiprocessing.get_context("spawn")
    said = context.Queue()
    process = context.Process(target=_run_whole_and_in_parts, args=(whole, parts, said))
    process.start()
    lines = list(iter(lambda: said.get(timeout=240), None))
    process.join()
    assert process.exitcode == 0
    assert any("Going on at step 4" in line for line in lines)
    expected, found = _values(whole.train.run_dir), _values(parts.train.run_dir)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    held = [value for name, value in found.items() if "queue/ids" in name]
    assert len(held) == 2
    assert all((ids >= 0).any() for ids in held)


def test_what_a_run_leaves_behind(tiny_run):
    run = tiny_run(steps=8, keep=1)
    scores = {"retrieval/video_to_audio/mean_reciprocal_rank": 0.5}
    calls = []

    def evaluate(video_tower, audio_tower):
        calls.append((video_tower.name, audio_tower.name))
        return {name: value + len(calls) / 10 for name, value in scores.items()}

    result = loop.run(run, evaluate=evaluate, say=_quiet)
    folder = pathlib.Path(run.train.run_dir)
    assert calls == [("video_tower", "audio_tower")] * 2
    assert (result.step, list(result.initial.values()), list(result.trained.values())) == (
        8,
        [0.6],
        [0.7],
    )
    lines = [json.loads(line) for line in (folder / "scalars.jsonl").read_text().splitlines()]
    training = [line for line in lines if "loss" in line]
    assert [line["step"] for line in training] == [2, 4, 6, 8]
    wanted = {
        "loss/video_to_audio",
        "loss/audio_to_video",
        "top1/video_to_audio",
        "top5/audio_to_video",
        "mutual_information_bound/video_to_audio",
        "temperature",
        "learning_rate",
        "key_momentum",
        "gradient_norm",
        "steps_per_second",
        "clips_per_second",
        "data_wait_seconds",
    }
    assert wanted <= set(training[0])
    assert all(np.isfinite(list(line.values())).all() for line in training)
    assert len(list((folder / "checkpoints").glob("*.index"))) == 1
    assert json.loads((folder / "best" / "score.json").read_text())["step"] == 8
    events = list((folder / "tensorboard").glob("*tfevents*"))
    tags = {
        value.tag
        for event in tf.compat.v1.train.summary_iterator(str(events[0]))
        for value in event.summary.value
    }
    assert wanted <= tags
    assert any(tag.startswith("clip/frames_over_spectrogram") for tag in tags)
    assert "similarity/pairs" in tags


def test_a_trained_run_is_loaded_with_its_weights(tiny_run):
    run = tiny_run(steps=4)
    loop.run(run, say=_quiet)
    loaded = checkpointing.load_towers(run.train.run_dir)
    assert (loaded.step, loaded.config) == (4, run)
    stored = [
        value
        for name, value in _values(run.train.run_dir).items()
        if name.startswith("video/head/last_layer/kernel") and "OPTIMIZER" not in name
    ]
    np.testing.assert_array_equal(loaded.video_tower.head.last_layer.kernel, stored[0])


def test_another_run_in_the_folder_is_refused(tiny_run):
    loop.run(tiny_run(steps=4), say=_quiet)
    with pytest.raises(checkpointing.CheckpointError, match="--embedding_size is 8 there, 4 here"):
        loop.run(tiny_run(steps=4, embedding_size=4), say=_quiet)
    with pytest.raises(checkpointing.CheckpointError, match="--steps is 4 there, 5 here"):
        loop.run(tiny_run(steps=5), say=_quiet)


def test_a_folder_that_is_no_run_is_refused(tiny_run, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("important")
    with pytest.raises(checkpointing.CheckpointError, match="is not a run of this program"):
        loop.run(tiny_run(), say=_quiet)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 31, "dictionary_size": 40, "pool_size": 80}, "only 30 clips"),
        ({"dictionary_size": 25, "pool_size": 40}, "at most 24 keys"),
        ({"num_frames": 11}, "--num_frames=11"),
        ({"data_dir": "/nowhere"}, "/nowhere"),
        ({"train_split": "holiday"}, "holiday"),
    ],
)
def test_contradictions_are_found_before_any_work(tiny_run, changes, message):
    run = tiny_run(**changes)
    with pytest.raises((config.ConfigError, records.DataError), match=message):
        loop.run(run, say=_quiet)
    assert not pathlib.Path(run.train.run_dir).exists()


def test_nan_stops_the_run_and_names_the_quantity(tiny_run):
    run = tiny_run(learning_rate=1e30, optimizer="sgd", warmup_steps=0, save_every=1, steps=8)
    with pytest.raises(failures.NonFiniteError, match=r"(queries|keys|loss|gradient).*at step \d+"):
        loop.run(run, say=_quiet)
    stored = _values(run.train.run_dir)
    assert 1 <= int(stored["model/step/.ATTRIBUTES/VARIABLE_VALUE"]) < 8


def test_what_was_logged_after_the_last_checkpoint_is_logged_once(tiny_run):
    run = tiny_run(steps=8, save_every=4)
    loop.run(run, say=_quiet, stop_at=4)
    lines = pathlib.Path(run.train.run_dir) / "scalars.jsonl"
    with lines.open("a") as file:
        file.write(json.dumps({"step": 6, "loss": 1.0}) + '\n{"step": 6, "lo')
    loop.run(run, say=_quiet)
    steps = [json.loads(line)["step"] for line in lines.read_text().splitlines()]
    assert steps == [2, 4, 6, 8]


def test_a_damaged_record_is_named_by_its_shard(tiny_data, tiny_run, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(tiny_data, data)
    shard = sorted((data / "train").glob("*.tfrecord"))[1]
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 0xFF
    shard.write_bytes(content)
    with pytest.raises(records.DataError, match=shard.name):
        loop.run(tiny_run(data_dir=str(data)), say=_quiet)


def test_a_checkpoint_that_was_cut_off_is_named(tiny_run):
    run = tiny_run(negatives="in_batch", save_every=2)
    loop.run(run, say=_quiet, stop_at=2)
    path = checkpointing.find_checkpoint(run.train.run_dir)
    data = pathlib.Path(f"{path}.data-00000-of-00001")
    data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    for load in (loop.run, lambda run, say: checkpointing.load_towers(run.train.run_dir)):
        with pytest.raises(checkpointing.CheckpointError, match="cannot be restored"):
            load(run, say=_quiet)
