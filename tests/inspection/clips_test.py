"""Clips looked up by their ids."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.data.records import records
from actcl_tf.inspection import clips
from tests import saved_runs


def test_labels_and_pictures_of_the_wanted_clips(tiny_data):
    ids = saved_runs.clip_ids(30)
    places = clips.find(tiny_data, "train", [ids[4], ids[17], 123])
    assert {clip_id: place.label for clip_id, place in places.items()} == {ids[4]: 1, ids[17]: 2}
    found = clips.read(places)
    assert set(found) == {ids[4], ids[17]}
    # Clips of class 2 are brighter than those of class 1.
    assert found[ids[17]].frame.mean() > found[ids[4]].frame.mean() + 20
    assert found[ids[4]].frame.shape == (32, 40, 3)
    assert found[ids[4]].waveform.shape == (8000,)
    assert found[ids[4]].filename == "train/m0_004.mp4"


def test_the_middle_frame_and_no_label(tiny_data, tmp_path):
    folder = tmp_path / "train"
    shutil.copytree(tiny_data / "train", folder)
    saved_runs.remove_labels(folder)
    clip_id = saved_runs.clip_ids(30)[4]
    places = clips.find(tmp_path, "train", [clip_id])
    assert places[clip_id].label == records.NO_LABEL
    record = saved_runs.read_shard(folder / "train-00000-of-00002.tfrecord")[2]
    frames = records.parse_example(record)["frames_jpeg"]
    expected = tf.io.decode_jpeg(frames[5])  # Of ten.
    np.testing.assert_array_equal(clips.read(places)[clip_id].frame, expected)


def test_no_ids_find_nothing(tiny_data):
    assert clips.find(tiny_data, "train", []) == {}
    assert clips.read({}) == {}


def test_a_damaged_shard_is_named(tiny_data, tmp_path):
    shutil.copytree(tiny_data / "train", tmp_path / "train")
    shard = tmp_path / "train" / "train-00001-of-00002.tfrecord"
    places = clips.find(tmp_path, "train", saved_runs.clip_ids(30))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 255
    shard.write_bytes(content)
    for action in (lambda: clips.find(tmp_path, "train", [1]), lambda: clips.read(places)):
        with pytest.raises(records.DataError, match=r"train-00001-of-00002.* is damaged"):
            action()
