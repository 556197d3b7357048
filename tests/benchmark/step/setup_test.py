"""Batches of noise and of data, and pools filled without a step."""

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf import config
from actcl_tf.benchmark.step import setup
from actcl_tf.train import run_checks


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"augment_on": "device"},
        {"contrast": "joint"},
        {"contrast": "joint", "augment_on": "device"},
    ],
    ids=str,
)
def test_noise_looks_like_data(tiny_run, changes):
    run = tiny_run(frame_stride=1, **changes)
    facts = setup.find_facts(run)
    assert facts == run_checks.check(run)
    (data, *_) = setup.make_batches(run, facts)
    batches = [setup._noise(run, facts, np.random.default_rng(0), index) for index in (0, 1)]
    expected = {name: (value.shape, value.dtype) for name, value in data.items()}
    expected.pop("data_wait")
    assert {name: (value.shape, value.dtype) for name, value in batches[1].items()} == expected
    ids = np.concatenate([batch["clip_id"] for batch in batches])
    np.testing.assert_array_equal(ids, np.arange(12))


def test_without_data_there_is_noise(tiny_run):
    run = tiny_run(data_dir="")
    facts = setup.find_facts(run)
    batches = setup.make_batches(run, facts)
    assert len(batches) == 4
    assert batches[0]["audio"].shape == (6, facts.num_audio_samples)
    assert float(tf.reduce_max(tf.abs(batches[0]["audio"]))) <= 1.0
    assert not np.array_equal(batches[0]["video"], batches[1]["video"])
    again = setup.make_batches(run, facts)
    np.testing.assert_array_equal(batches[3]["video"], again[3]["video"])


def test_pools_are_full(tiny_run):
    run = tiny_run(data_dir="")
    model = setup.build_model(run, setup.find_facts(run), "bfloat16", "random")
    for target in model.dictionaries.values():
        assert int(target.pool.filled()) == 20 and int(target.queue.filled()) == 0
        lengths = np.linalg.norm(target.pool.columns["keys"], axis=1)
        np.testing.assert_allclose(lengths, 1.0, rtol=1e-5)
        assert (np.array(target.pool.ids) >= 2**40).all()
    tower = model.query_towers["video"]
    assert tower.backbone.compute_dtype == "bfloat16"
    tf.keras.mixed_precision.set_global_policy("float32")


def test_input_is_timed(tiny_run):
    assert 0 < setup.seconds_a_batch(tiny_run(deterministic=True), 2) < 5


def test_missing_data_is_told(tiny_run):
    with pytest.raises((config.ConfigError, ValueError), match="nowhere"):
        setup.find_facts(tiny_run(data_dir="/nowhere"))
