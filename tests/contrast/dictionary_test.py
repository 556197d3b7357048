import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.contrast import dictionary, gradient_embeddings, negative_sampling


def _layer():
    return gradient_embeddings.LastLayer(tf.eye(2), tf.ones(2), tf.zeros(2))


def _batch(ids):
    ids = np.array(ids)
    keys = np.stack([np.cos(ids), np.sin(ids)], axis=1).astype(np.float32)
    ids = tf.constant(ids, tf.int64)
    return dictionary.KeyBatch(ids, tf.constant(keys), tf.constant(2.0 * keys), ids % 3, ids + 100)


def _dictionary(name="active", size=6, pool=12):
    sampler = negative_sampling.build_sampler(name, 0.2, "last_layer")
    if sampler is None:
        return dictionary.Dictionary(size, 2)
    return dictionary.Dictionary(size, 2, sampler=sampler, pool_size=pool, num_features=2)


def _queries():
    return tf.constant([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])


def _take(target, seed):
    """Refreshes a dictionary with three keys; returns how many there were."""
    sampled = target.sample(_queries(), _layer(), 3, tf.constant([0, seed]))
    return int(sampled.picks.count)


@pytest.mark.parametrize("name", negative_sampling.SAMPLED)
def test_dictionary_never_holds_a_clip_twice_and_keys_belong_to_their_ids(name):
    target = _dictionary(name)
    step = tf.function(target.sample)
    for i in range(8):
        target.remember(_batch([3 * i, 3 * i + 1, (3 * i + 2) % 9]))
        step(_queries(), _layer(), 3, tf.stack([0, i]))
        held = target.queue.ids.numpy()
        filled = held[held >= 0]
        assert len(set(filled)) == len(filled)
        keys = target.queue.columns["keys"].numpy()[held >= 0]
        np.testing.assert_allclose(keys, np.stack([np.cos(filled), np.sin(filled)], 1), rtol=1e-5)
        facts = {name: target.queue.columns[name].numpy()[held >= 0] for name in ("labels", "born")}
        np.testing.assert_array_equal(facts["labels"], filled % 3)
        np.testing.assert_array_equal(facts["born"], filled + 100)
    assert len(filled) == 6


@pytest.mark.parametrize("name", negative_sampling.SAMPLED)
def test_empty_pool_adds_nothing(name):
    target = _dictionary(name)
    assert _take(target, 0) == 0
    assert int(target.queue.filled()) == 0


def test_only_the_unseen_are_picked():
    target = _dictionary(size=6)
    target.remember(_batch([1, 2, 3]))
    assert _take(target, 0) == 3
    target.remember(_batch([2, 3, 4]))
    assert _take(target, 1) == 1
    assert sorted(target.queue.ids.numpy()) == [-1, -1, 1, 2, 3, 4]


def test_moco_takes_every_key():
    target = _dictionary("moco")
    target.remember(_batch([1, 2, 3]))
    target.remember(_batch([4, 5]))
    assert sorted(target.queue.ids.numpy()) == [-1, 1, 2, 3, 4, 5]
    assert target.pool is None


@pytest.mark.parametrize("name", negative_sampling.SAMPLED)
def test_a_pool_in_parts_gives_what_they_hold(name, tmp_path):
    sampler = negative_sampling.build_sampler(name, 0.2, "last_layer")
    sharding = dictionary.Sharding(2, lambda: tf.constant(0), lambda row: tf.concat([row] * 2, 0))
    target = dictionary.Dictionary(
        6, 2, sampler=sampler, pool_size=12, num_features=2, sharding=sharding
    )
    assert target.pool.size == 6
    saved = tf.train.list_variables(tf.train.Checkpoint(d=target).write(str(tmp_path / "all")))
    assert not any("pool" in variable for variable, _ in saved)
    target.remember(_batch([1, 2, 3, 4]), tf.range(8, dtype=tf.int64))
    sampled = target.sample(_queries(), _layer(), 3, tf.constant([0, 1]))
    assert sampled.eligible.shape == [6]  # Three picks of each of the two, which are the same here.
    assert set(target.queue.ids.numpy()) <= {-1, 1, 2, 3, 4}
    target.remember(_batch([7]), tf.constant([7, 2, 3], tf.int64))
    assert sorted(target.pool.ids.numpy()) == [-1, -1, -1, 1, 4, 7]


def test_labels_and_birth_that_nobody_gives_are_marked_as_unknown():
    target = _dictionary("moco")
    target.remember(_batch([4, 5])._replace(labels=None, born=None))
    assert target.queue.ids.numpy().tolist() == [4, 5, -1, -1, -1, -1]
    for fact in ("labels", "born"):
        assert target.queue.columns[fact].numpy()[:2].tolist() == [-1, -1]


@pytest.mark.parametrize("name", ["active", "moco"])
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"keys": 3.0}, "keys must be unit vectors, got one of length 3; pass tf.math.l2_norm"),
        ({"keys": np.nan}, "keys must be unit vectors, got one of length nan"),
        ({"features": np.inf}, "features must be finite, got NaN or infinity in 4 of 4"),
    ],
)
def test_keys_that_would_spoil_the_loss_are_refused(name, changed, message):
    target, batch = _dictionary(name), _batch([4, 5])
    (column, factor) = next(iter(changed.items()))
    with pytest.raises(ValueError, match=message):
        target.remember(batch._replace(**{column: getattr(batch, column) * factor}))
    with pytest.raises(ValueError, match="ids must have type int64"):
        target.remember(batch._replace(ids=tf.cast(batch.ids, tf.float32)))
    kept = target.pool or target.queue
    assert int(kept.filled()) == 0
