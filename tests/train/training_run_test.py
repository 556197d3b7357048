import dataclasses
import functools
import json
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf import config
from actcl_tf.data.records import records
from actcl_tf.train import failures, training_run
from actcl_tf.train.runs import checkpoints, errors, loading, run_folder
from tests import programs


def _values(run_dir):
    """Everything in the last checkpoint, name -> array."""
    path = checkpoints.find(str(run_dir))
    reader = tf.train.load_checkpoint(path)
    return {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        if not name.startswith(("save_counter", "_CHECKPOINTABLE"))
    }


def _tags(run_dir):
    """Names of all that TensorBoard shows of a run."""
    return {
        value.tag
        for path in pathlib.Path(run_dir, "tensorboard").glob("*tfevents*")
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    }


def _quiet(_):
    pass


# Two ways through training that have as little as possible in common.
CHANGES = {
    "stream": {},
    "epoch": {
        "pool": "epoch",
        "optimizer": "lamb",
        "negatives": "random",
        "diagnostics_every": 0,
        "on_bad_record": "skip",
    },
}


def _damage(data):
    """Turns one byte in the middle of the second shard; returns the shard."""
    shard = sorted((data / "train").glob("*.tfrecord"))[1]
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 0xFF
    shard.write_bytes(content)
    return shard


def _score(towers):
    """An evaluation that notes the names of the towers it gets, and scores better each time."""

    def evaluate(video_tower, audio_tower):
        towers.append((video_tower.name, audio_tower.name))
        return {"retrieval/video_to_audio/mean_reciprocal_rank": 0.5 + len(towers) / 10}

    return evaluate


def _run_whole_and_in_parts(pairs):
    """What is said of each pair when it goes on, what the first run came to, and its towers.

    In a process of its own, since determinism cannot be switched off again.
    """
    lines, towers = {}, []
    for name, (whole, parts) in pairs.items():
        if name == "stream":
            result = training_run.TrainingRun(whole, say=_quiet).train(evaluate=_score(towers))
            training_run.TrainingRun(parts, say=_quiet).train(stop_at=4)
        else:  # As if killed before it had saved again.
            training_run.TrainingRun(whole, say=_quiet).train()
            _go_back(whole, parts, step=4)
        # What a run has logged that was ended without a word after its last checkpoint.
        with pathlib.Path(parts.train.run_dir, "scalars.jsonl").open("a") as file:
            file.write(json.dumps({"step": 6, "loss/total": 1.0}) + '\n{"step": 6, "lo')
        lines[name] = []
        training_run.TrainingRun(parts, say=lines[name].append).train()
    return lines, result, towers


def _go_back(whole, parts, step):
    """Copies a finished run, and takes away all checkpoints but that of a step."""
    shutil.copytree(whole.train.run_dir, parts.train.run_dir)
    folder = pathlib.Path(parts.train.run_dir, "checkpoints")
    kept = f"step-{step}"
    for path in folder.glob("step-*"):
        if path.stem != kept:
            path.unlink()
    tf.compat.v1.train.update_checkpoint_state(str(folder), kept, [kept])


@pytest.fixture(scope="module")
def all_runs(tiny_config, tiny_data, tmp_path_factory):
    """Name of the changes -> (a whole run, one in parts), and what came of running them."""
    folder = tmp_path_factory.mktemp("whole_and_in_parts")
    shutil.copytree(tiny_data, folder / "data")
    _damage(folder / "data")
    pairs = {}
    for name, changes in CHANGES.items():
        is_damaged = changes.get("on_bad_record") == "skip"
        data_dir = str(folder / "data" if is_damaged else tiny_data)
        common = {"deterministic": True, "data_dir": data_dir, **changes}
        parts = {**common, "steps_per_execution": 2 if name == "stream" else 1}
        whole = {"save_every": 4}
        if name == "stream":
            whole = {"save_every": 3, "keep": 1, "summary_every": 4}
        pairs[name] = [
            tiny_config(folder / name / "whole", **common, **whole),
            tiny_config(folder / name / "parts", **parts, save_every=4),
        ]
    return pairs, *programs.call(_run_whole_and_in_parts, pairs)


@pytest.fixture(scope="module")
def whole_and_in_parts(all_runs):
    """Name of the changes -> (a whole run, one in parts, what the latter said when going on)."""
    pairs, lines, *_ = all_runs
    return {name: (*pair, lines[name]) for name, pair in pairs.items()}


@pytest.mark.parametrize("name", CHANGES)
def test_stopping_and_going_on_changes_no_bit(whole_and_in_parts, name):
    whole, parts, lines = whole_and_in_parts[name]
    assert any("Going on at step 4" in line for line in lines)
    expected, found = _values(whole.train.run_dir), _values(parts.train.run_dir)
    assert expected.keys() == found.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value, err_msg=key)
    held = [value for key, value in found.items() if "queue/ids" in key]
    assert len(held) == 2
    assert all((ids >= 0).any() for ids in held)


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_logged_after_the_last_checkpoint_is_logged_once(whole_and_in_parts, name):
    whole, parts, _ = whole_and_in_parts[name]
    for run in (whole, parts):
        lines = pathlib.Path(run.train.run_dir, "scalars.jsonl").read_text().splitlines()
        logged = [line for line in map(json.loads, lines) if "loss/total" in line]
        assert [line["step"] for line in logged] == [2, 4, 6, 8]


def test_a_bad_record_is_left_out_and_counted(whole_and_in_parts):
    """Of 48 clips used, one in 30 is bad; a second epoch has begun, a third one not."""
    whole, parts, _ = whole_and_in_parts["epoch"]
    accounts = []
    for run in (whole, parts):
        folder = pathlib.Path(run.train.run_dir)
        account = [json.loads(line) for line in (folder / "skipped.jsonl").open()]
        assert len({(line["shard"], line["record"]) for line in account}) == 1
        assert account[0]["why"] == "its checksum is wrong"
        accounts.append([line["slot"] for line in account if line["slot"] < 48])
        scalars = [json.loads(line) for line in (folder / "scalars.jsonl").open()]
        counts = [line["input/skipped_clips"] for line in scalars if "loss/total" in line]
        assert counts == sorted(counts) and counts[-1] == len(account)
    assert accounts[0] == accounts[1] and 1 <= len(accounts[0]) <= 2
    careful = dataclasses.replace(whole.data, on_bad_record="fail")
    with pytest.raises(errors.CheckpointError, match=r"left out the clips in .*skipped"):
        training_run.TrainingRun(dataclasses.replace(whole, data=careful), say=_quiet).train()


@pytest.fixture(scope="module")
def finished(all_runs):
    """A finished run with evaluations: (configuration, result, names of the towers each time)."""
    pairs, _, result, towers = all_runs
    return pairs["stream"][0], result, towers


def test_what_a_run_leaves_behind(finished):
    run, result, calls = finished
    folder = pathlib.Path(run.train.run_dir)
    assert calls == [("video_tower", "audio_tower")] * 2
    assert (result.step, list(result.initial.values()), list(result.trained.values())) == (
        8,
        [0.6],
        [0.7],
    )
    lines = [json.loads(line) for line in (folder / "scalars.jsonl").read_text().splitlines()]
    training = [line for line in lines if "loss/total" in line]
    assert [line["step"] for line in training] == [2, 4, 6, 8]
    wanted = {
        "loss/video_to_audio",
        "loss/audio_to_video",
        "contrast/top1/video_to_audio",
        "contrast/top5/audio_to_video",
        "contrast/mutual_information_bound/video_to_audio",
        "contrast/temperature",
        "optimiser/learning_rate",
        "contrast/key_momentum",
        "optimiser/gradient_norm",
        "speed/steps_per_second",
        "speed/clips_per_second",
    }
    assert wanted <= set(training[0])
    assert all(np.isfinite(list(line.values())).all() for line in training)
    assert len(list((folder / "checkpoints").glob("*.index"))) == 1
    assert json.loads((folder / "best" / "score.json").read_text())["step"] == 8
    tags = _tags(folder)
    assert wanted <= tags
    assert any(tag.startswith("clip/frames_over_spectrogram") for tag in tags)
    assert "similarity/pairs" in tags


def test_without_pictures_there_are_scalars_alone(whole_and_in_parts):
    whole, parts, _ = whole_and_in_parts["stream"]
    assert (whole.train.summary_every, parts.train.summary_every) == (4, 0)
    more = _tags(whole.train.run_dir) - _tags(parts.train.run_dir)
    assert {tag.partition("/")[0] for tag in more} >= {"clip", "similarity"}
    assert "loss/total" in _tags(parts.train.run_dir)
    assert not any(tag.startswith(("clip/", "similarity/")) for tag in _tags(parts.train.run_dir))


def test_a_trained_run_is_loaded_with_its_weights(finished):
    run = finished[0]
    loaded = loading.load_towers(run.train.run_dir)
    assert (loaded.step, loaded.config) == (8, run)
    stored = [
        value
        for name, value in _values(run.train.run_dir).items()
        if name.startswith("video/head/last_layer/kernel") and "OPTIMIZER" not in name
    ]
    np.testing.assert_array_equal(loaded.video_tower.head.last_layer.kernel, stored[0])


def test_another_run_in_the_folder_is_refused(finished, tiny_config):
    make = functools.partial(tiny_config, finished[0].train.run_dir, deterministic=True)
    with pytest.raises(errors.CheckpointError, match="--embedding_size is 8 there, 4 here"):
        training_run.TrainingRun(make(embedding_size=4), say=_quiet).train()
    with pytest.raises(errors.CheckpointError, match="--steps is 8 there, 9 here"):
        training_run.TrainingRun(make(steps=9), say=_quiet).train()


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda run: run.update(format=2),
            "version of actcl_tf: its format is 2, and here",
        ),
        (lambda run: run["config"]["train"].update(sparkle=1), "sparkle"),
        (lambda run: run.pop("data"), "is damaged"),
    ],
)
def test_a_run_of_another_version_is_refused(finished, tiny_config, tmp_path, change, message):
    folder = tmp_path / "run"
    shutil.copytree(finished[0].train.run_dir, folder)
    there = json.loads((folder / "run.json").read_text())
    assert there["format"] == run_folder.FORMAT
    change(there)
    (folder / "run.json").write_text(json.dumps(there))
    with pytest.raises(errors.CheckpointError, match=message):
        training_run.TrainingRun(tiny_config(folder), say=_quiet).train()
    with pytest.raises(errors.CheckpointError, match=message):
        loading.load_towers(str(folder))


def test_a_folder_that_is_no_run_is_refused(tiny_run, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("important")
    with pytest.raises(errors.CheckpointError, match="is not a run of this program"):
        training_run.TrainingRun(tiny_run(), say=_quiet).train()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"batch_size": 31, "dictionary_size": 40, "pool_size": 80},
            "has 30 clips; --batch_size=4 --dictionary_size=24 fits",
        ),
        ({"dictionary_size": 25, "pool_size": 40}, "--batch_size=6 --dictionary_size=24 fits"),
        ({"num_frames": 11}, "--num_frames=11"),
        ({"data_dir": "/nowhere"}, "/nowhere"),
        ({"train_split": "holiday"}, "holiday"),
    ],
)
def test_contradictions_are_found_before_any_work(tiny_run, changes, message):
    run = tiny_run(**changes)
    with pytest.raises((config.ConfigError, records.DataError), match=message):
        training_run.TrainingRun(run, say=_quiet).train()
    assert not pathlib.Path(run.train.run_dir).exists()


def test_nan_stops_the_run_and_names_the_quantity(tiny_run):
    run = tiny_run(
        learning_rate=1e30, optimizer="sgd", negatives="in_batch", warmup_steps=0, save_every=1
    )
    with pytest.raises(failures.NonFiniteError, match=r"(queries|keys|loss|gradient).*at step \d+"):
        training_run.TrainingRun(run, say=_quiet).train()
    stored = _values(run.train.run_dir)
    assert 1 <= int(stored["model/step/.ATTRIBUTES/VARIABLE_VALUE"]) < 8


def test_a_damaged_record_is_named_by_its_shard(tiny_data, tiny_run, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(tiny_data, data)
    shard = _damage(data)
    named = rf"{shard}, record \d+: its checksum is wrong. .*--on_bad_record=skip"
    with pytest.raises(records.DataError, match=named):
        training_run.TrainingRun(tiny_run(data_dir=str(data)), say=_quiet).train()


def test_a_checkpoint_that_was_cut_off_is_named(finished, tiny_config, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished[0].train.run_dir, folder)
    path = checkpoints.find(str(folder))
    data = pathlib.Path(f"{path}.data-00000-of-00001")
    data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    told = programs.call(_refusal, tiny_config(folder, deterministic=True))
    assert "cannot be restored" in told
    with pytest.raises(errors.CheckpointError, match="cannot be restored"):
        loading.load_towers(str(folder))


def _refusal(run):
    with pytest.raises(errors.CheckpointError) as refused:
        training_run.TrainingRun(run, say=_quiet).train()
    return str(refused.value)
