"""The same mathematics on one, two and four replicas: logical CPU devices of another process."""

import tempfile

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf import config
from actcl_tf.train import model_building, run_checks, training_data
from actcl_tf.train.callbacks import replica_check
from actcl_tf.train.model import dictionaries, optimizers, replicas
from actcl_tf.train.runs import checkpoints, errors
from tests import programs, small_models

NUM_STEPS = 10
ADAMW = (optimizers.AdamW, tf.keras.optimizers.AdamW)
NEGATIVES = config.NEGATIVES


def _strategy(num_replicas):
    devices = [f"CPU:{i}" for i in range(num_replicas)]
    if num_replicas == 1:
        return tf.distribute.OneDeviceStrategy(devices[0])
    return tf.distribute.MirroredStrategy(devices)


def _dealt(strategy, batch):
    """A batch in parts for the replicas, as even as it goes."""
    parts = strategy.num_replicas_in_sync

    def part(context):
        replica = int(tf.get_static_value(context.replica_id_in_sync_group))
        size = -(-len(batch["clip_id"]) // parts)
        return {k: v[replica * size : (replica + 1) * size] for k, v in batch.items()}

    return strategy.experimental_distribute_values_from_function(part)


def _train(strategy, model, batches):
    """Trains; returns the loss of each step, and what each replica holds in the end."""
    step = tf.function(
        lambda values: strategy.run(model.train_step, (values,)), reduce_retracing=True
    )
    losses = []
    for batch in batches:
        total = step(_dealt(strategy, batch))["loss/total"]
        losses.append([float(v) for v in strategy.experimental_local_results(total)])
    held = {
        name: [copy.numpy() for copy in strategy.experimental_local_results(variable)]
        for name, variable in replica_check.values(model).items()
    }
    return losses, held


def _on_devices(function, arguments):
    cpus = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpus[0], [tf.config.LogicalDeviceConfiguration()] * 4
    )
    return function(*arguments)


def _elsewhere(function, *arguments):
    """Calls a function in a process with four devices, which are made at start-up."""
    return programs.call(_on_devices, function, arguments)


def _train_small(strategy, negatives, batches, **options):
    with strategy.scope():
        model = small_models.build(negatives=negatives, **{"sync_batch_norm": True, **options})
    return _train(strategy, model, batches)


def _small_findings():
    """What the quick tests look at."""
    # One strategy for all: two of them would number their exchanges alike and mix them up.
    two, batches = _strategy(2), list(small_models.batches(NUM_STEPS))
    found = {
        ("active", strategy.num_replicas_in_sync): _train_small(strategy, "active", batches)
        for strategy in (_strategy(1), two)
    }
    batches = batches[:4]
    batches.append({name: value[:5] for name, value in batches[0].items()})  # 3 and 2 clips.
    found["local"] = _train_small(
        two, "active", batches, sync_batch_norm=False, shuffle_batch_norm=True
    )
    found["sharded"] = _sharded(two)
    found["shuffle"] = _shuffled(two)
    found["check"] = _checked(two)
    found["adamw"] = [_moved(two, kind) for kind in ADAMW]
    return found


def _shuffled(strategy):
    """(order, what each replica was dealt, what it restored) of 3 and 2 clips."""
    batch = {
        "clip_id": tf.range(10, 15),
        "video": tf.reshape(tf.range(5 * 4) % 251, [5, 2, 2]),
    }
    batch["video"] = tf.cast(batch["video"], tf.uint8)

    @tf.function
    def run(part):
        order = replicas.shuffle(part["clip_id"], tf.constant([3, 4]))
        mine = order.mine(part["clip_id"])
        assert order.mine(part["video"]).dtype == tf.uint8
        return order.order, mine, order.restore(2 * mine), order.restore(order.mine(part["video"]))

    found = strategy.run(run, (_dealt(strategy, batch),))
    local = [strategy.experimental_local_results(each) for each in found]
    return [[copy.numpy() for copy in copies] for copies in local]


def _sharded(strategy):
    """What replicas hold whose pools are in parts; again from a checkpoint; what one replica says.

    The parts are half as large as what came, so that they hold the last clips alone.
    """
    batches = list(small_models.batches(6))
    batches[5] = batches[0]  # Clips that have left the parts by then.
    with strategy.scope():
        model = small_models.build(pool_sharding=True, pool_size=36)
        parts = dictionaries.pool_parts(model)
    losses, held = _train(strategy, model, batches)
    with tempfile.TemporaryDirectory() as folder:
        towers = model.query_towers
        checkpoints.Manager(model, folder, 1, towers, parts).save()
        with strategy.scope():
            fresh = small_models.build(pool_sharding=True, pool_size=36)
            fresh_parts = dictionaries.pool_parts(fresh)
        checkpoints.Manager(fresh, folder, 1, fresh.query_towers, fresh_parts).restore()
        whole = small_models.build(pool_size=36)
        try:
            checkpoints.Manager(whole, folder, 1, whole.query_towers).restore()
            said = ""
        except errors.CheckpointError as error:
            said = str(error)

    def values(model, parts):
        pools = {
            f"{name}/{column}": variable.numpy()
            for name, part in parts.items()
            for column, variable in vars(part).items()
            if isinstance(variable, tf.Variable)
        }
        return pools, model.dictionaries["audio"].queue.ids.numpy()

    return losses, held, values(model, parts), values(fresh, fresh_parts), said


def _checked(strategy):
    """What the check says of replicas that agree, and of others after that."""
    with strategy.scope():
        model = small_models.build()
    check = replica_check.CheckReplicas(strategy, every=2)
    check.set_model(model)
    check.on_step(None)
    pool = model.dictionaries["audio"].pool.columns["keys"]
    strategy.experimental_local_results(pool)[1].scatter_nd_update([[7, 3]], [1e-30])
    check.step = 3
    check.on_step(None)  # Not its turn.
    check.step = 4
    try:
        check.on_step(None)
    except errors.ReplicasDifferError as error:
        return str(error)
    return ""


def _moved(strategy, kind):
    """What each replica holds of a variable and its moments after three steps of an optimizer."""
    with strategy.scope():
        variable = tf.Variable([1.0, -2.0, 3.0], name="kernel")
        optimizer = kind(0.1, weight_decay=0.2)
        optimizer.build([variable])

    @tf.function
    def step(number):
        pairs = [(tf.constant([1.0, 0.0, -5.0]) * number, variable)]
        strategy.run(lambda: optimizer.apply_gradients(pairs, skip_gradients_aggregation=True))

    for number in (1.0, -3.0, 0.1):
        step(tf.constant(number))
    held = [variable, *(v for v in optimizer.variables if v.shape.rank)]
    return [[copy.numpy() for copy in strategy.experimental_local_results(v)] for v in held]


@pytest.fixture(scope="module")
def small():
    return _elsewhere(_small_findings)


def _same_mathematics(found, expected):
    losses, held = found
    single, single_held = expected
    assert all(len(set(step)) == 1 for step in losses)
    np.testing.assert_allclose([step[0] for step in losses], [s[0] for s in single], rtol=1e-4)
    assert losses[-1][0] != losses[-2][0]
    for name, copies in held.items():
        for copy in copies[1:]:
            np.testing.assert_array_equal(copy, copies[0], err_msg=name)
        if copies[0].dtype.kind == "i":
            np.testing.assert_array_equal(copies[0], single_held[name][0], err_msg=name)
        else:
            np.testing.assert_allclose(copies[0], single_held[name][0], atol=1e-3, err_msg=name)


def test_two_replicas_train_as_one(small):
    assert len(small["active", 2][1]["audio dictionary ids"]) == 2
    _same_mathematics(small["active", 2], small["active", 1])


def test_the_one_kernel_update_moves_all_replicas_as_keras_does(small):
    ours, keras = np.array(small["adamw"])
    assert ours.shape == (3, 2, 3)
    np.testing.assert_array_equal(ours[:, 0], ours[:, 1])
    np.testing.assert_allclose(ours, keras, rtol=2e-5, atol=1e-6)
    assert (np.abs(ours[0, 0] - [1.0, -2.0, 3.0]) > 0.01).all()


def test_replicas_hold_the_same_with_local_statistics_and_uneven_parts(small):
    losses, held = small["local"]
    assert len(losses) == 5
    assert np.isfinite(losses).all()
    assert len(held) > 20
    for name, copies in held.items():
        assert len(copies) == 2
        np.testing.assert_array_equal(*copies, err_msg=name)
    assert (held["audio dictionary ids"][0] >= 0).sum() == 24
    assert (np.sort(held["video pool ids"][0])[-5:] == [43, 44, 45, 46, 47]).all()


def test_parts_of_a_pool_hold_other_clips_and_feed_the_same_dictionary(small):
    losses, held, (pools, _), *_ = small["sharded"]
    assert np.isfinite(losses).all()
    for name, copies in held.items():
        assert "pool" not in name
        np.testing.assert_array_equal(*copies, err_msg=name)
    # Steps 2 to 4, and those of step 0 again: the later half of what each replica encoded.
    last = [*range(24, 60), *range(12)]
    for modality in ("video", "audio"):
        parts = [set(pools[f"{modality}_{replica}/ids"]) - {-1} for replica in (0, 1)]
        assert parts[0] | parts[1] <= set(last)
        assert not parts[0] & parts[1]
        for replica, part in enumerate(parts):
            assert {clip for clip in part if clip % 12 // 6 == replica} == part
            assert part >= {clip for clip in range(12) if clip // 6 == replica}
        ids = held[f"{modality} dictionary ids"][0]
        assert len(set(ids)) == 24
        # Of both parts.
        assert 2 < sum(clip % 12 < 6 for clip in ids) < 22


def test_parts_of_a_pool_come_back_from_a_checkpoint(small):
    *_, (pools, ids), (again, ids_again), said = small["sharded"]
    assert len(pools) == 2 * 2 * 6
    assert pools.keys() == again.keys()
    for name, value in pools.items():
        np.testing.assert_array_equal(again[name], value, err_msg=name)
    np.testing.assert_array_equal(ids, ids_again)
    assert "--pool_sharding keeps its pools in parts on 2 replica(s), and here are 1" in said


def test_a_shuffle_deals_every_clip_once_and_is_undone(small):
    orders, mine, restored, frames = small["shuffle"]
    np.testing.assert_array_equal(*orders)
    assert sorted(orders[0]) == [0, 1, 2, 3, 4] != list(orders[0])
    assert [len(part) for part in mine] == [3, 2]
    np.testing.assert_array_equal(np.concatenate(mine), 10 + orders[0])
    for each in restored:
        np.testing.assert_array_equal(each, 2 * np.arange(10, 15))
    for each in frames:
        np.testing.assert_array_equal(each.reshape(-1), np.arange(20))


def test_one_different_bit_on_one_replica_is_found_and_named(small):
    assert small["check"].startswith("replicas differ in audio pool keys after step 4: ")


@pytest.mark.parametrize(
    ("value", "other"),
    [
        ([1.0, 2.0], [2.0, 1.0]),
        ([[1.0, 2.0]], [[1.0, np.nextafter(np.float32(2), np.float32(3))]]),
        ([0], [-1]),
        ([0.0], [-0.0]),
    ],
)
def test_digest_tells_values_apart(value, other):
    value, other = tf.constant(value), tf.constant(other)
    assert int(replica_check.digest(value)) == int(replica_check.digest(tf.identity(value)))
    assert int(replica_check.digest(value)) != int(replica_check.digest(other))


def _digest_by_numpy(value):
    words = np.frombuffer(value.tobytes(), np.int32).astype(np.int64)
    return np.sum(words * (2 * np.arange(len(words), dtype=np.int64) + 1))


def test_digest_is_the_sum_it_says(rng):
    for value in (rng.normal(size=(7, 3)).astype(np.float32), rng.integers(-9, 9, size=5)):
        assert int(replica_check.digest(tf.constant(value))) == _digest_by_numpy(value)


def _train_whole(run, num_replicas):
    strategy = _strategy(num_replicas)
    facts = run_checks.check(run)
    tf.keras.utils.set_random_seed(0)
    with strategy.scope():
        model = model_building.build_model(run, facts, "float32")
    batches = list(training_data.TrainingBatches(run).from_step(0).take(NUM_STEPS))
    for batch in batches:
        batch.pop("data_wait", None)
    return _train(strategy, model, batches)


@pytest.mark.slow
@pytest.mark.parametrize("negatives", NEGATIVES)
def test_whole_encoders_train_alike_on_one_two_and_four_replicas(tiny_run, negatives):
    # The warm-up of the method: networks as small as these blow rounding up within a few steps of
    # full length, on one replica as on several.
    sizes = {"batch_size": 12, "dictionary_size": 12, "pool_size": 30, "image_size": 32}
    run = tiny_run(negatives=negatives, sync_batch_norm=True, warmup_steps=500, steps=500, **sizes)
    single = _elsewhere(_train_whole, run, 1)
    for num_replicas in (2, 4):
        _same_mathematics(_elsewhere(_train_whole, run, num_replicas), single)
