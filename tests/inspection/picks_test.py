"""Repeated sampling: the counts, and that it picks as training does."""

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.inspection import dictionary_state, picks
from actcl_tf.train import strategy, training_data
from tests import saved_runs


def test_counts_by_hand():
    found = picks.counted([np.array([2, 0]), np.array([2]), np.array([2, 3])], 5, 2)
    assert found.counts.tolist() == [1, 0, 3, 1, 0]
    assert found.first.tolist() == [2, 0]
    assert (found.draws, found.batches) == (3, 2)


def test_nothing_drawn_counts_nothing():
    assert picks.counted([], 3, 0).counts.tolist() == [0, 0, 0]
    assert picks.counted([np.zeros(0, np.int64)], 3, 1).counts.tolist() == [0, 0, 0]


def test_later_draws_take_queries_of_all_batches():
    encoded = [{"video": tf.reshape(tf.range(8) + 8 * n, [4, 2])} for n in range(3)]

    def queries(draws, seed=0):
        found = picks.queries_of_draws(encoded, draws, seed)
        return [each["video"].numpy().tolist() for each in found]

    assert queries(0) == []
    batches = [each["video"].numpy().tolist() for each in encoded]
    assert queries(2) == batches[:2]
    *first, a, b = queries(5)
    assert first == batches
    rows = [row for batch in batches for row in batch]
    for drawn in (a, b):
        assert len(drawn) == 4 == len({tuple(row) for row in drawn})
        assert all(row in rows for row in drawn)
    assert a != b and queries(5)[3:] == [a, b] and queries(5, seed=1)[3:] != [a, b]
    assert (picks.num_batches(3), picks.num_batches(50)) == (3, 8)


def test_most_and_least(rng):
    counts = np.array([5, 9, 0, 1, 0, 7, 3])
    most, least = picks.most_and_least(counts, np.array([0, 1, 3, 4, 5, 6]), 2, rng)
    assert most.tolist() == [1, 5]
    assert least.tolist() == [4, 3]


@pytest.mark.parametrize(("candidates", "sizes"), [(0, (0, 0)), (1, (1, 0)), (5, (3, 2))])
def test_no_candidate_is_among_both(candidates, sizes, rng):
    most, least = picks.most_and_least(np.zeros(5, int), np.arange(candidates), 12, rng)
    assert (len(most), len(least)) == sizes
    assert not set(most) & set(least)


def test_ties_are_in_random_order(rng):
    firsts = {int(picks.most_and_least(np.zeros(50), np.arange(50), 1, rng)[1][0]) for _ in "12345"}
    assert len(firsts) > 1


@pytest.mark.parametrize(
    "flags",
    [
        {"negatives": "active", "seeding": "greedy", "first_pick": "largest_norm"},
        {"negatives": "hardest", "gradient_encoder": "query", "contrast": "joint"},
    ],
)
def test_the_first_draw_is_what_training_would_pick(tiny_run, monkeypatch, flags):
    monkeypatch.setattr(strategy, "resolve_precision", lambda _: "float32")
    run = tiny_run(**flags)
    # With empty dictionaries all of the pool may be picked in training too.
    model = saved_runs.save_run(run, in_dictionary=0)
    state = dictionary_state.load(run.train.run_dir)
    batches = training_data.TrainingBatches(run).from_step(3).take(2)
    counts = picks.count(state, batches, 3)
    batch = next(iter(batches))
    # The pool is seen through the checkpoint's layer, not one that has seen this batch.
    weights = {m: tower.get_weights() for m, tower in model.query_towers.items()}
    queries = model(batch, training=True)
    for modality, tower in model.query_towers.items():
        tower.set_weights(weights[modality])
    model.sample_negatives(queries)
    for modality, found in counts.items():
        ids = state.dictionaries[modality].pool.ids
        assert (found.draws, found.batches) == (3, 2)
        assert found.counts.sum() == 3 * run.train.batch_size
        assert (found.counts[ids < 0] == 0).all()
        held = model.dictionaries[modality].queue.ids.numpy()
        assert set(ids[found.first]) == set(held[held >= 0])
