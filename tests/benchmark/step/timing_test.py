"""What cannot be measured is told before any work, and steps of all ways take their turns."""

import numpy as np
import pytest

from actcl_tf.benchmark.step import step_parts, timing
from actcl_tf.config import ConfigError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"compare": ("active", "best")}, "--compare=active,best: must be one or more of active"),
        ({"compare": ()}, "--compare=: must be one or more of"),
        ({"precisions": ("float32", "float32")}, "--precisions=float32,float32: .* each once"),
        ({"precisions": ("mixed",)}, "--precisions=mixed: must be one or more of float32, bfloat"),
        ({"timed_steps": 0}, "--timed_steps=0: must be at least 1"),
    ],
)
def test_wrong_values(settings, message):
    with pytest.raises(ConfigError, match=message):
        timing.Settings(**settings)


def test_steps_in_several_passes_are_not_taken_apart(tiny_run):
    run = tiny_run(accumulate_steps=2)
    with pytest.raises(ConfigError, match=r"--accumulate_steps=2: .* leave it at 1"):
        timing.measure(run, timing.Settings())


@pytest.mark.slow
def test_every_way_takes_its_turns(tiny_run):
    settings = timing.Settings(("active", "in_batch"), ("float32", "bfloat16"), 2)
    result = timing.measure(tiny_run(), settings)
    assert [(way.precision, way.negatives) for way in result.ways] == [
        ("float32", "active"),
        ("float32", "in_batch"),
        ("bfloat16", "active"),
        ("bfloat16", "in_batch"),
    ]
    assert result.batch_size == 6 and 0 < result.input_seconds < 5
    assert [list(rates.shape) for rates in result.products.values()] == [[2], [2]]
    first = result.ways[0]
    for way in result.ways:
        assert way.whole.shape == (2,) and tuple(way.parts) == step_parts.PARTS
        assert (way.whole > 0).all() and np.isfinite(list(way.parts.values())).all()
        assert way.multiply_adds == first.multiply_adds
        assert 3e8 < way.peak_bytes < 5e9
        forward = way.multiply_adds["query forward"]
        assert way.multiply_adds["key forward"] == forward
        assert 1.5 * forward < way.multiply_adds["backward"] < 2 * forward
    assert not result.ways[1].parts["sampling"].any() and first.parts["sampling"].any()
