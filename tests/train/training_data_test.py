import numpy as np
import tensorflow as tf

from actcl_tf.data.input import pipeline
from actcl_tf.train import training_data


def _assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        if name != "data_wait":
            np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_the_first_batch_to_look_at_is_the_one_that_is_trained_on(tiny_run):
    batches = training_data.TrainingBatches(tiny_run())
    _assert_equal(batches.first(), next(iter(batches.from_step(0))))


def test_pools_get_one_view_of_clips_that_are_drawn_anew_each_epoch(tiny_run):
    run = tiny_run(contrast="joint", pool="epoch", pool_size=20)
    batches, strategy = training_data.TrainingBatches(run), tf.distribute.get_strategy()
    ids = []
    for epoch in (0, 1):
        found = list(batches.of_pool(strategy, 1, epoch))
        assert [len(batch["clip_id"]) for batch in found] == [6, 6, 6, 2]
        assert "video" in found[0] and "key_video" not in found[0]
        ids.append(np.concatenate([batch["clip_id"] for batch in found]).tolist())
    assert ids[0] != ids[1]
    alone = pipeline.build_random_dataset(
        run.data, num_clips=20, batch_size=6, seed=run.train.seed, epoch=1
    )
    _assert_equal(found[0], next(iter(alone)))
