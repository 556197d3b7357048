"""Bytes that are counted, beside those of the real model on two logical CPU devices."""

import multiprocessing

import pytest
import tensorflow as tf

from actcl_tf import config
from actcl_tf.benchmark.scaling import scaling_counts
from tests import small_models

_BATCH, _POOL, _DICTIONARY = 12, 60, 24
_RUNS = ({}, {"pool_sharding": True}, {"shuffle_batch_norm": True})


def _modality(num_features=5, size=3):
    return scaling_counts.Modality(size, num_features, 100, 4 * size + 24, 4 * 8 + 24, 16)


def test_kept_bytes_by_hand():
    counts = scaling_counts.Counts((_modality(), _modality()), 0)
    # Two pointers; 3 keys of 3 numbers, 10 of 3 + 5 numbers, and id, label and step of each.
    one = 16 + 3 * (4 * 3 + 24) + 10 * (4 * 8 + 24)
    assert scaling_counts.kept_bytes(counts, 3, 10) == 2 * one


def test_exchange_by_hand():
    counts = scaling_counts.Counts((_modality(), _modality()), clip_bytes=7)
    found = scaling_counts.exchange(counts, 4, 8, sharded=True)
    assert found.gathered == {
        "clip ids and labels": 4 * 16,
        "keys": 4 * 4 * 6,
        "features": 4 * 4 * 10,
        "queries": 4 * 4 * 6,
        "clips, shuffled": 4 * 7 + 4,
        "finalists": 8 * 4 * 2 * 56,
    }
    assert found.summed == {"last layers' statistics": 2 * 4 * 6, "gradients": 200}
    least = scaling_counts.exchange(counts._replace(clip_bytes=0), 4, 8, sharded=False)
    assert list(least.gathered) == ["clip ids and labels", "keys", "features", "queries"]


def _count_small(model, flags):
    contrast = config.from_flat({"negatives": "active", **flags}).contrast
    towers = model.query_towers.values()
    # Of a clip: 2 x 4 x 4 x 3 pixels, 40 samples and a seed.
    clip_bytes = 2 * 96 + 4 * 40 + 8 if "shuffle_batch_norm" in flags else 0
    return scaling_counts.Counts(
        tuple(scaling_counts.of_tower(tower, contrast) for tower in towers), clip_bytes
    )


def _variable_bytes(model, replica, strategy):
    """Bytes of one replica's own copies of all dictionaries' and pools' variables."""
    total = 0
    for target in model.dictionaries.values():
        for queue in (target.queue, target.pool):
            for variable in (queue.ids, queue.pointer, *queue.columns.values()):
                copy = strategy.experimental_local_results(variable)[replica]
                total += copy.numpy().nbytes
    return total


def test_kept_bytes_are_those_of_the_model_on_one_replica():
    model = small_models.build()
    kept = scaling_counts.kept_bytes(_count_small(model, {}), _DICTIONARY, _POOL)
    assert kept == _variable_bytes(model, 0, tf.distribute.get_strategy())


def _collectives():
    """Kind of collective -> bytes that the second device gives to each, as graph tensors."""
    found = {"CollectiveGatherV2": [], "CollectiveReduceV2": []}
    for op in tf.compat.v1.get_default_graph().get_operations():
        if op.type in found and op.device.endswith("CPU:1"):
            given = op.inputs[0]
            # Before each gather, TensorFlow has replicas tell each other their shapes.
            is_shape = given.dtype == tf.int32 and given.shape.rank == 2 and given.shape[0] == 1
            if not is_shape:
                found[op.type].append(tf.size(given) * given.dtype.size)
    return found


def _on_two_devices(answers):
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    (batch,) = small_models.batches(1, _BATCH)
    half = _BATCH // 2

    def part(context):
        first = int(tf.get_static_value(context.replica_id_in_sync_group)) * half
        return {name: values[first : first + half] for name, values in batch.items()}

    dealt = strategy.experimental_distribute_values_from_function(part)
    for flags in _RUNS:
        with strategy.scope():
            model = small_models.build(**flags)
            counts = _count_small(model, flags)

        @tf.function(autograph=False)
        def step(values, model=model):
            strategy.run(model.train_step, (values,))
            return _collectives()

        given = {how: [int(size) for size in sizes] for how, sizes in step(dealt).items()}
        kept = [_variable_bytes(model, replica, strategy) for replica in range(2)]
        answers.put((counts, given, kept))


@pytest.fixture(scope="module")
def answers():
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_on_two_devices, args=(queue,))
    process.start()
    found = []
    while len(found) < len(_RUNS):
        while queue.empty() and process.is_alive():
            process.join(0.2)
        assert not queue.empty(), "the process ended without an answer"
        found.append(queue.get(timeout=10))
    process.join()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("index", range(len(_RUNS)))
def test_exchanged_bytes_are_those_of_the_traced_step(answers, index):
    counts, given, _ = answers[index]
    sharded = _RUNS[index].get("pool_sharding", False)
    own = scaling_counts.exchange(counts, _BATCH // 2, 2, sharded)
    gathered = sum(own.gathered.values())
    if "shuffle_batch_norm" in _RUNS[index]:
        gathered -= _BATCH // 2 * 8 + 4  # Seeds and sizes, int32, which go by no collective.
    assert gathered == sum(given["CollectiveGatherV2"])
    reduced = sum(own.summed.values())
    # Beside what is counted, six float32 scalars of each direction for the progress bar.
    assert sum(given["CollectiveReduceV2"]) - reduced == 2 * 6 * 4


@pytest.mark.slow
@pytest.mark.parametrize("index", range(len(_RUNS)))
def test_kept_bytes_are_those_of_the_model_on_two_replicas(answers, index):
    counts, _, kept = answers[index]
    own = _POOL // 2 if _RUNS[index].get("pool_sharding") else _POOL
    expected = scaling_counts.kept_bytes(counts, _DICTIONARY, own)
    assert kept == [expected, expected]


def test_counts_of_a_configuration():
    small = {"num_frames": 4, "image_size": 16, "video_encoder": "resnet3d_10"}
    small |= {"video_width": 0.125, "audio_encoder": "resnet2d_10", "audio_width": 0.125}
    small |= {"head": "mlp", "hidden_size": 16, "embedding_size": 8, "shuffle_batch_norm": True}
    counts = scaling_counts.count(config.from_flat(small))
    assert [each[:2] for each in counts.modalities] == [(8, 16)] * 2
    assert all(each.pool_row == 4 * (8 + 16) + 3 * 8 for each in counts.modalities)
    assert counts.clip_bytes > 2 * 4 * 16 * 16 * 3
