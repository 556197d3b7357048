"""Figures of sets of keys against values worked out by hand."""

import math

import numpy as np
import pytest

from actcl_tf.inspection import numbers
from tests.saved_runs import unit_vectors

EAST, NORTH, WEST = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]
# Four keys alike and one apart: singular values 2 and 1.
TWO_TO_ONE = math.exp(-(2 / 3) * math.log(2 / 3) - (1 / 3) * math.log(1 / 3))


@pytest.mark.parametrize(
    ("keys", "mean", "p95", "rank"),
    [
        ([EAST, EAST, EAST], 1.0, 1.0, 1.0),
        ([EAST, NORTH], 0.0, 0.0, 2.0),
        ([EAST, WEST], -1.0, -1.0, 1.0),
        ([EAST, EAST, NORTH], 1 / 3, 1.0, None),
        ([EAST] * 4 + [NORTH], 0.6, 1.0, TWO_TO_ONE),
        ([EAST], None, None, 1.0),
        (np.zeros([0, 2]), None, None, None),
    ],
)
def test_figures_by_hand(keys, mean, p95, rank, rng):
    keys = np.array(keys, np.float32)
    cosines = numbers.pairwise_cosines(keys, rng)
    ids, labels = np.arange(len(keys)), np.full(len(keys), -1)
    found = numbers.describe(ids, keys, labels, cosines)
    assert len(cosines) == len(keys) * (len(keys) - 1) // 2
    assert found.keys == len(keys)
    assert found.categories is None
    assert found.cosine_mean == (None if mean is None else pytest.approx(mean, abs=1e-6))
    assert found.cosine_p95 == p95
    if rank is not None or not len(keys):
        assert found.effective_rank == (None if rank is None else pytest.approx(rank, abs=1e-4))


def test_clips_and_categories_are_counted_once(rng):
    keys = unit_vectors(rng, [4, 3])
    found = numbers.describe(
        np.array([7, 7, 8, 9]), keys, np.array([2, 2, 0, -1]), numbers.pairwise_cosines(keys, rng)
    )
    assert (found.distinct_clips, found.categories) == (0.75, 2)


def test_the_percentile_is_one_of_the_values():
    assert numbers.percentile(np.arange(1, 101), 95) == 95
    assert numbers.percentile(np.arange(1, 11), 95) == 10


def test_zero_keys_have_no_rank():
    assert numbers.effective_rank(np.zeros([3, 2], np.float32)) is None


def test_pairs_of_many_keys_are_a_sample(rng, monkeypatch):
    monkeypatch.setattr(numbers, "MAX_PAIRED_KEYS", 40)
    keys = unit_vectors(rng, [500, 4])
    cosines = numbers.pairwise_cosines(keys, rng)
    assert len(cosines) == 40 * 39 // 2
    assert abs(cosines.mean()) < 0.1


@pytest.mark.parametrize(
    ("labels", "shares"),
    [([0, 0, 2, -1], [2 / 3, 0, 1 / 3]), ([-1, -1], [0, 0, 0]), ([], [0, 0, 0]), ([9], [0, 0, 0])],
)
def test_shares_are_of_the_known_labels(labels, shares):
    found = numbers.class_shares(np.array(labels, np.int64), 3)
    np.testing.assert_allclose(found, shares)


def test_class_names():
    assert [numbers.class_name(i, ["a", "b"]) for i in (-1, 0, 1, 2)] == ["", "a", "b", ""]
