"""Whole inspections of runs in which something is missing."""

import dataclasses
import shutil

import pytest

from actcl_tf import config
from actcl_tf.data.records import records
from actcl_tf.inspection import dictionary_state, inspector
from tests import saved_runs


def names(found):
    return sorted(path.name for path in found.files)


def test_moco_without_labels(tiny_run, tiny_data, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(tiny_data, data)
    saved_runs.remove_labels(data / "train")
    run = tiny_run(data_dir=str(data), negatives="moco")
    saved_runs.save_run(run)
    found = inspector.inspect(run.train.run_dir, str(tmp_path / "out"), say=lambda _: None)
    assert names(found) == [
        "inspection.json",
        "map_audio.png",
        "map_video.png",
        "report.html",
        "similarity_audio.png",
        "similarity_video.png",
    ]
    assert all(path.stat().st_size > 500 for path in found.files)
    for each in found.dictionaries:
        assert list(each.figures) == ["dictionary"]
        assert each.sampling is None and each.shares == {}
        assert "no labels" in each.notes[0]


def test_an_empty_dictionary_and_the_wrong_data(tiny_run, tiny_data, tmp_path):
    run = tiny_run(negatives="random")
    saved_runs.save_run(run, in_dictionary=0, in_pool=3)
    moved = tmp_path / "moved"
    shutil.copytree(tiny_data, moved)
    found = inspector.inspect(
        run.train.run_dir, str(tmp_path / "out"), data_dir=str(moved), draws=2, say=lambda _: None
    )
    for each in found.dictionaries:
        assert "The dictionary is still empty." in each.notes
        assert each.figures["dictionary"].cosine_mean is None
        assert each.figures["pool"].keys == 3
        assert each.sampling.candidates == 3 and each.sampling.never == 0
    assert "picked_most_audio.png" in names(found) and "map_audio.png" not in names(found)

    manifest = dataclasses.replace(records.read_manifest(moved / "train"), tool_version="other")
    records.write_manifest(moved / "train", manifest)
    with pytest.raises(records.DataError, match="is not the data that the run was trained on"):
        inspector.inspect(run.train.run_dir, str(tmp_path / "new"), data_dir=str(moved))
    with pytest.raises(records.DataError, match="--data_dir=DIR"):
        inspector.inspect(run.train.run_dir, str(tmp_path / "new"), data_dir="/nowhere")
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").touch()
    with pytest.raises(dictionary_state.InspectionError, match=r"--output=.*: cannot be written"):
        inspector.inspect(run.train.run_dir, str(tmp_path / "file"))
    with pytest.raises(config.ConfigError, match="--draws=0"):
        inspector.inspect(run.train.run_dir, str(tmp_path / "new"), draws=0)
