"""Maps of keys."""

import numpy as np
import pytest

from actcl_tf.inspection import projection
from tests.saved_runs import unit_vectors


@pytest.mark.parametrize("num_keys", [0, 1, 4])
def test_too_few_keys_have_no_map(num_keys, rng):
    assert projection.to_plane(unit_vectors(rng, [num_keys, 3])) is None


def test_keys_that_are_all_alike_have_no_map():
    assert projection.to_plane(np.tile(np.float32([0.6, 0.8]), (20, 1))) is None


def test_neighbours_stay_neighbours(rng):
    centres = np.eye(3, 8, dtype=np.float32)
    group = np.repeat(np.arange(3), 20)
    keys = centres[group] + rng.normal(scale=0.05, size=[60, 8])
    points = projection.to_plane(keys)
    assert points.shape == (60, 2)
    distances = np.linalg.norm(points[:, np.newaxis] - points, axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (group[distances.argmin(axis=1)] == group).all()


def test_duplicates_and_very_few_keys_are_mapped(rng):
    keys = np.repeat(unit_vectors(rng, [3, 4]), 2, axis=0)
    assert np.isfinite(projection.to_plane(keys)).all()


@pytest.mark.parametrize(
    ("count", "size", "always", "length"),
    [(10, 20, [], 10), (10, 4, [], 4), (10, 4, [1, 7], 4), (3, 1, [0, 2], 2), (0, 5, [], 0)],
)
def test_rows_of_a_map(count, size, always, length, rng):
    rows = projection.at_most(count, size, rng, np.array(always, int))
    assert len(rows) == length
    assert set(always) <= set(rows) <= set(range(count))
    assert (np.diff(rows) > 0).all()
