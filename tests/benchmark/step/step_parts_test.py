"""A step in parts against the whole step."""

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.benchmark import arithmetic
from actcl_tf.benchmark.step import step_parts
from actcl_tf.train.callbacks import replica_check
from tests import small_models


@pytest.mark.parametrize(
    "flags",
    [
        {},
        pytest.param({"negatives": "moco", "contrast": "joint"}, marks=pytest.mark.slow),
        pytest.param({"negatives": "random", "key_statistics": "moving"}, marks=pytest.mark.slow),
        pytest.param({"negatives": "in_batch"}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_a_step_in_parts_does_what_the_whole_does(flags):
    views = 2 if "contrast" in flags else 1
    batches = list(small_models.batches(4, views=views))
    whole, apart = (small_models.build(**flags) for _ in range(2))
    step, parts = step_parts.compiled(whole.train_step), step_parts.StepInParts(apart)
    for batch in batches:
        step(batch)
        seconds = parts.step(batch)
    assert tuple(seconds) == step_parts.PARTS
    for part in ("query forward", "key forward", "backward", "optimiser", "momentum"):
        assert 0 < seconds[part] < 10
    samples = flags.get("negatives", "active") in ("active", "random")
    assert (seconds["sampling"] != 0) == samples
    held = replica_check.values(apart)
    assert len(held) > 20 and int(apart.step) == 4
    for name, variable in replica_check.values(whole).items():
        np.testing.assert_allclose(held[name], variable, rtol=1e-4, atol=1e-5, err_msg=name)


def test_arithmetic_of_the_encoders_is_counted():
    parts = step_parts.StepInParts(small_models.build())
    (batch,) = small_models.batches(1)
    counts = {part: arithmetic.multiply_adds(g) for part, g in parts.graphs(batch).items()}
    # 12 clips; dense layers 96 -> 16 (video) and 40 -> 16 (audio), heads 16 -> 16 -> 8.
    first, heads = 12 * (96 + 40) * 16, 2 * 12 * (16 * 16 + 16 * 8)
    assert counts["key forward"] == counts["query forward"] == first + heads
    # Backward, each takes as much again for its weights and, but for the first, for its input.
    assert counts["backward"] == 2 * (first + heads) + heads


def test_no_copy_of_the_pools_leaves_the_sampling():
    model = small_models.build()
    parts = step_parts.StepInParts(model)
    queries = {m: tf.ones([12, small_models.EMBEDDING_SIZE]) for m in ("video", "audio")}
    outputs = parts._sample.get_concrete_function(queries).structured_outputs
    assert {tuple(each.shape) for each in tf.nest.flatten(outputs)} == {(12,), ()}
