import sys

import numpy as np

from actcl_tf.benchmark import host


def test_peak_is_seen_after_the_memory_is_freed():
    if sys.platform != "linux":  # The peak cannot be reset elsewhere.
        assert host.peak_extra_bytes(lambda: None) is None
        return
    size = 96 * 2**20
    host.peak_extra_bytes(lambda: np.ones(size // 8))
    for scale in (1, 2):  # Of the second call, nothing is hidden by what the first has freed.
        seen = host.peak_extra_bytes(lambda scale=scale: np.ones(scale * size // 8).sum())
        assert scale * size * 0.95 < seen < scale * size + 16 * 2**20
    assert host.peak_extra_bytes(lambda: None) < 4 * 2**20


def test_copy_meter_gives_a_possible_speed():
    meter = host.CopyMeter(num_bytes=2**24)
    assert 1e8 < meter.measure() < 1e13
