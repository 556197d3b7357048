"""Features are made once, kept whole, and never mixed up."""

import types

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.data.records import records
from actcl_tf.evaluate.features import feature_store, features

IDS = np.arange(10, 17)
CLIPS = np.random.default_rng(0).normal(size=[7, 3, 5]).astype(np.float32)


def _make(calls, scale=1.0, clips=CLIPS, ids=IDS, embedding=True):
    def encode(x):
        return types.SimpleNamespace(
            features=scale * x[:, :4], embedding=x[:, 4:] if embedding else None
        )

    def make():
        calls.append(1)
        dataset = tf.data.Dataset.from_tensor_slices({"audio": clips, "clip_id": ids}).batch(3)
        return dataset, features.WindowEncoder({"audio": encode})

    return make


def test_made_once_and_found_again(tmp_path):
    calls, done = [], []
    about = {"digest": "x", "clips": 3}
    arrays, were_there = feature_store.load_or_make(
        tmp_path / "new", about, IDS, _make(calls), done.append
    )
    assert not were_there
    assert done == [3, 6, 7]
    assert sorted(arrays) == ["audio", "audio_embedding"]
    np.testing.assert_array_equal(arrays["audio"], CLIPS[..., :4])
    np.testing.assert_array_equal(arrays["audio_embedding"], CLIPS[..., 4:])
    assert isinstance(arrays["audio"], np.memmap)
    again, were_there = feature_store.load_or_make(tmp_path / "new", about, IDS, _make(calls))
    assert were_there
    assert len(calls) == 1
    np.testing.assert_array_equal(again["audio"], arrays["audio"])


def test_other_features_do_not_mix(tmp_path):
    calls = []
    first, _ = feature_store.load_or_make(tmp_path, {"clips": 3}, IDS, _make(calls))
    other, _ = feature_store.load_or_make(
        tmp_path, {"clips": 4}, IDS, _make(calls, 2.0, embedding=False)
    )
    assert len(calls) == 2
    assert sorted(other) == ["audio"]
    np.testing.assert_array_equal(other["audio"], 2 * first["audio"])


def test_what_fails_leaves_nothing(tmp_path):
    bad = CLIPS.copy()
    bad[4, 1, 0] = np.nan
    with pytest.raises(ValueError, match=r"audio features hold NaN.*in 1 of 3.*batch at clip 3"):
        feature_store.load_or_make(tmp_path, {}, IDS, _make([], clips=bad))
    with pytest.raises(records.DataError, match="the data was changed while it was read"):
        feature_store.load_or_make(tmp_path, {}, IDS[::-1].copy(), _make([]))
    with pytest.raises(records.DataError, match="7 clips instead of 8"):
        feature_store.load_or_make(tmp_path, {}, np.append(IDS, 99), _make([]))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(records.DataError, match=r"--cache_dir: features cannot be kept in .*file"):
        feature_store.load_or_make(tmp_path / "file", {}, IDS, _make([]))


def test_random_features_are_a_function_of_seed_and_clip():
    ids = np.arange(2000)
    found = feature_store.random_features(ids, (2, 3), seed=1, stream=0)
    assert found.shape == (2000, 2, 3)
    assert abs(found.mean()) < 0.05
    assert abs(found.std() - 1) < 0.05
    some = feature_store.random_features(ids[[7, 3]], (2, 3), seed=1, stream=0)
    np.testing.assert_array_equal(some, found[[7, 3]])
    for seed, stream in ((2, 0), (1, 1)):
        other = feature_store.random_features(ids, (2, 3), seed=seed, stream=stream)
        assert abs(np.corrcoef(other.ravel(), found.ravel())[0, 1]) < 0.05
