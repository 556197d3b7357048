"""What is read from checkpoints, and what is said of those that cannot be."""

import json
import pathlib

import numpy as np
import pytest

from actcl_tf.inspection import dictionary_state
from actcl_tf.train.runs import errors
from tests import saved_runs


def test_tables_are_those_of_the_model(tiny_run):
    run = tiny_run()
    model = saved_runs.save_run(run, in_dictionary=9, in_pool=7)
    state = dictionary_state.load(run.train.run_dir)
    assert state.run.step == 3
    assert state.has_pools
    assert state.checkpoint.endswith("step-3")
    assert {m: d.serves for m, d in state.dictionaries.items()} == {
        "video": "audio",
        "audio": "video",
    }
    ids = saved_runs.clip_ids(30)
    for modality, found in state.dictionaries.items():
        target = model.dictionaries[modality]
        np.testing.assert_array_equal(found.dictionary.keys, target.queue.columns["keys"])
        np.testing.assert_array_equal(found.pool.features, target.pool.columns["features"])
        assert found.dictionary.held().ids.tolist() == ids[:9].tolist()
        assert found.pool.held().ids.tolist() == ids[5:12].tolist()
        assert found.pool.held().features.shape == (7, 16)
        expected = model.key_towers[modality].head.last_layer_affine()
        for name in ("kernel", "scale", "offset"):
            value = getattr(found.last_layer, name)
            np.testing.assert_array_equal(value, getattr(expected, name))


def test_moco_has_dictionaries_and_no_pools(tiny_run):
    run = tiny_run(negatives="moco", contrast="within_modal")
    saved_runs.save_run(run)
    state = dictionary_state.load(run.train.run_dir)
    assert not state.has_pools
    for modality, found in state.dictionaries.items():
        assert found.pool is None and found.last_layer is None
        assert found.serves == modality
        assert len(found.dictionary.held().ids) == 12


def test_in_batch_has_nothing_to_inspect(tiny_run):
    run = tiny_run(negatives="in_batch")
    saved_runs.save_run(run)
    with pytest.raises(dictionary_state.InspectionError, match="in_batch keeps no dictionary"):
        dictionary_state.load(run.train.run_dir)


def test_what_cannot_be_read_is_named(tiny_run, tmp_path):
    with pytest.raises(errors.CheckpointError, match=r"holds no run\.json"):
        dictionary_state.load(str(tmp_path / "none"))
    run = tiny_run()
    saved_runs.save_run(run)
    folder = pathlib.Path(run.train.run_dir)
    with pytest.raises(errors.CheckpointError, match="no checkpoint 'best'"):
        dictionary_state.load(str(folder), "best")
    (data,) = (folder / "checkpoints").glob("*.data-*")
    data.write_bytes(data.read_bytes()[:1000])
    with pytest.raises(errors.CheckpointError, match="step-3 cannot be re"):
        dictionary_state.load(str(folder))
    (folder / "run.json").write_text(json.dumps({"config": {}}))
    with pytest.raises(errors.CheckpointError, match=r"run\.json is damaged"):
        dictionary_state.load(str(folder))
