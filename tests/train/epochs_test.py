import dataclasses

import numpy as np
import pytest

from actcl_tf.train import epochs


@pytest.mark.parametrize(
    ("start", "last", "expected"),
    [
        (0, 10, [(0, 0, 2, 5)]),
        (0, 7, [(0, 0, 1, 5), (5, 1, 2, 2)]),
        (3, 12, [(3, 0, 1, 2), (5, 1, 2, 5), (10, 2, 3, 2)]),
        (3, 4, [(3, 0, 1, 1)]),
        (5, 5, []),
        (0, 1, [(0, 0, 1, 1)]),
    ],
)
def test_fit_parts(start, last, expected):
    parts = [dataclasses.astuple(part) for part in epochs.fit_parts(start, last, 5)]
    assert parts == expected


@pytest.mark.parametrize(
    ("start", "last", "expected"),
    [
        (0, 20, [(0, 0, 2, 8), (16, 2, 3, 4)]),
        (3, 18, [(3, 0, 1, 1), (4, 0, 1, 4), (8, 1, 2, 8), (16, 2, 3, 2)]),
        (17, 18, [(17, 2, 3, 1)]),
        (12, 14, [(12, 1, 2, 2)]),
    ],
)
def test_fit_parts_of_executions_of_four_steps(start, last, expected):
    parts = [dataclasses.astuple(part) for part in epochs.fit_parts(start, last, 8, 4)]
    assert parts == expected


@pytest.mark.parametrize("seed", range(5))
def test_fit_parts_cover_every_step_once(seed):
    rng = np.random.default_rng(seed)
    start, more, epoch = (int(x) for x in rng.integers(1, 40, size=3))
    covered = []
    for part in epochs.fit_parts(start, start + more, epoch):
        steps = (part.epochs - part.initial_epoch) * part.steps_per_epoch
        assert part.start // epoch == part.initial_epoch
        covered += range(part.start, part.start + steps)
    assert covered == list(range(start, start + more))
