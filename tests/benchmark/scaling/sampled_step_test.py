import sys

import pytest

from actcl_tf import config
from actcl_tf.benchmark.scaling import sampled_step, scaling_counts, scaling_settings

_MODALITY = scaling_counts.Modality(4, 6, 0, 40, 64, 16)


@pytest.mark.parametrize("replicas", [1, 4])
@pytest.mark.parametrize("negatives", ["active", "random"])
def test_the_real_step_picks_in_one_level_and_in_two(replicas, negatives):
    contrast = config.from_flat({"negatives": negatives}).contrast
    sample, remember = sampled_step.build_step("clustered", contrast, _MODALITY, (64, 8, replicas))
    for index in range(3):
        assert sample(index) == 8
        remember(index)


@pytest.mark.slow
def test_sizes_that_are_measured_and_held_out():
    settings = scaling_settings.Settings(
        scaling_measured_pools=(64, 128),
        scaling_measured_picks=(4, 16),
        scaling_rounds=1,
    )
    contrast = config.from_flat({"negatives": "random"}).contrast
    points, held_out = sampled_step.measure(settings, contrast, _MODALITY)
    assert [_size(p) for p in points] == [(n, m, 1) for n in (64, 128) for m in (4, 16)]
    assert [_size(p) for p in held_out] == [(512, 16, 1), (128, 32, 1), (128, 16, 4)]
    assert all(p["seconds"] > 0 < p["remember_seconds"] for p in points + held_out)
    known = [_size(p) for p in points + held_out if p["scratch_bytes"] is not None]
    if sys.platform == "linux":
        assert known == [(128, 4, 1), (128, 16, 1), *map(_size, held_out)]
    else:
        assert known == []


def _size(point):
    return point["pool_size"], point["picks"], point["replicas"]
