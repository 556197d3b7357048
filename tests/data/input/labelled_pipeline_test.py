"""Batches with targets: which clips, in what order, with what beside them."""

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.config import DataConfig
from actcl_tf.data.input import labelled_pipeline, pipeline
from actcl_tf.data.records import records
from tests import split_files

NUM_CLIPS = 10


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelled")
    clips = [split_files.ramp_clip(f"clip {i}", 12 + i) for i in range(NUM_CLIPS)]
    split_files.write_split(folder, "all", clips, 3)
    return folder


def _ids(*numbers):
    return np.array([records.clip_id_of(tf.constant(f"clip {i}")).numpy() for i in numbers])


def _batches(data_dir, numbers, targets, count, **changes):
    arguments = {"batch_size": 2, "seed": 0, "modalities": ("audio",), **changes}
    dataset = labelled_pipeline.build_labelled_dataset(
        DataConfig(data_dir=str(data_dir), num_frames=2, image_size=16, shuffle_buffer=4),
        split="all",
        clip_ids=_ids(*numbers),
        targets=np.asarray(targets),
        **arguments,
    )
    return [{key: value.numpy() for key, value in batch.items()} for batch in dataset.take(count)]


def test_each_chosen_clip_once_an_epoch_with_its_target(data_dir):
    chosen, targets = [7, 2, 9, 4], np.array([5, 3, 1, 0])
    target_of = dict(zip(_ids(*chosen), targets, strict=True))
    batches = _batches(data_dir, chosen, targets, 6)
    orders = []
    for epoch in range(3):
        both = batches[2 * epoch : 2 * epoch + 2]
        ids = np.concatenate([batch["clip_id"] for batch in both])
        assert sorted(ids) == sorted(target_of)
        assert [target_of[i] for i in ids] == list(np.concatenate([b["target"] for b in both]))
        orders.append(tuple(ids))
    assert len(set(orders)) > 1
    assert len({tuple(seed) for batch in batches for seed in batch["seed"]}) == 12


@pytest.mark.parametrize("start_step", [1, 2, 3, 5])
def test_a_restart_comes_to_the_same_batches(data_dir, start_step):
    """Batches of 2 of 5 clips, so that some cross the end of an epoch."""
    chosen, targets = [0, 3, 5, 6, 8], np.arange(5)
    whole = _batches(data_dir, chosen, targets, 8)
    rest = _batches(data_dir, chosen, targets, 8 - start_step, start_step=start_step)
    for one, other in zip(whole[start_step:], rest, strict=True):
        for key in one:
            np.testing.assert_array_equal(one[key], other[key], err_msg=key)


def test_several_labels_a_clip(data_dir):
    targets = np.eye(3, 4, dtype=np.float32)
    batch = _batches(data_dir, [1, 2, 3], targets, 1, batch_size=3)[0]
    rows = dict(zip(_ids(1, 2, 3), targets, strict=True))
    np.testing.assert_array_equal(batch["target"], [rows[i] for i in batch["clip_id"]])


@pytest.mark.parametrize(
    "modalities, shapes",
    [
        (("video",), {"video": (2, 2, 16, 16, 3)}),
        (("audio",), {"audio": (2, 200)}),
        (("video", "audio"), {"video": (2, 2, 16, 16, 3), "audio": (2, 200)}),
    ],
)
def test_streams(data_dir, modalities, shapes):
    batch = _batches(data_dir, [0, 1], [0, 1], 1, modalities=modalities)[0]
    assert sorted(batch) == sorted([*shapes, "clip_id", "seed", "target"])
    assert {key: batch[key].shape for key in shapes} == shapes


def test_sound_alone_starts_anywhere_and_has_the_length_asked_for(data_dir):
    batches = _batches(data_dir, [9], [0], 40, batch_size=1, num_samples=700)
    assert {batch["audio"].shape for batch in batches} == {(1, 700)}
    # Samples are ramps of 1e-4 whatever gain and noise do to them: their order is kept.
    assert len({float(batch["audio"][0, 0]) for batch in batches}) > 20


def test_chosen_clips_alone_are_measured(data_dir):
    config = DataConfig(data_dir=str(data_dir), num_frames=2, image_size=16)
    dataset = pipeline.build_eval_dataset(
        config, split="all", batch_size=2, num_windows=1, clip_ids=_ids(8, 0, 5)
    )
    assert int(dataset.cardinality()) == 2
    names = [name for batch in dataset for name in batch["filename"].numpy()]
    assert names == [b"clip 0.mp4", b"clip 5.mp4", b"clip 8.mp4"]


@pytest.mark.parametrize("batch_size", [0, 3])
def test_no_such_batches(data_dir, batch_size):
    with pytest.raises(ValueError, match="batch_size must be from 1 to 2"):
        _batches(data_dir, [0, 1], [0, 1], 1, batch_size=batch_size)


def test_a_clip_named_twice_is_refused(data_dir):
    with pytest.raises(ValueError, match="must all be different"):
        _batches(data_dir, [0, 0], [0, 1], 1)
