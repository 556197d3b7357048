import multiprocessing

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.contrast import losses
from actcl_tf.train import diagnosis, loop, pretrain_model


def _model_and_batches(run, steps):
    facts = loop.check(run)
    batches = list(loop.make_train_dataset(run, start_step=0).take(steps))
    tf.keras.utils.set_random_seed(0)
    return loop.build_model(run, facts, "float32"), batches


def _remember(model, batch):
    model.remember(batch["clip_id"], batch["label"], model.encode_keys(batch))


def _all_finite(scalars):
    """Diagnostics aside, which are NaN at most steps."""
    return all(
        np.isfinite(value) or diagnosis.is_diagnostic(name) for name, value in scalars.items()
    )


def test_key_towers_start_as_the_query_towers_and_follow_by_momentum(tiny_run):
    model, batches = _model_and_batches(tiny_run(key_momentum=0.75), 1)
    query, key = (towers["video"] for towers in (model.query_towers, model.key_towers))
    before = [v.numpy() for v in key.trainable_variables]
    for start, variable in zip(before, query.trainable_variables):
        np.testing.assert_array_equal(start, variable)
    _remember(model, batches[0])  # Something to contrast.
    model.train_step(batches[0])
    moved = 0.0
    for start, old, new in zip(before, key.trainable_variables, query.trainable_variables):
        np.testing.assert_allclose(old, 0.75 * start + 0.25 * new.numpy(), rtol=1e-4, atol=1e-6)
        moved += float(tf.reduce_max(tf.abs(new - start)))
    assert moved > 0


@pytest.mark.parametrize("negatives", ["active", "random", "hardest", "moco", "in_batch"])
@pytest.mark.parametrize("contrast", ["cross_modal", "joint"])
def test_loss_is_that_of_the_dictionary_and_the_batch_enters_after_sampling(
    tiny_run, negatives, contrast
):
    run = tiny_run(negatives=negatives, contrast=contrast)
    model, batches = _model_and_batches(run, 3)
    for batch in batches[:2]:
        model.train_step(batch)
    batch = batches[2]
    if negatives == "in_batch":
        held = batch["clip_id"].numpy()
    else:
        target = model.dictionaries["audio"]
        seen = set(target.queue.ids.numpy()) | set(
            target.pool.ids.numpy() if target.pool is not None else []
        )
        held = None
    # The loss by hand, of the state that the step finds after its own sampling.
    keys = model.encode_keys(batch)
    scalars = model.train_step(batch)
    if held is None:
        held = target.queue.ids.numpy()
        if negatives != "moco":
            assert set(held) <= seen | {-1}
            assert set(batch["clip_id"].numpy()) <= set(target.pool.ids.numpy())
        else:
            assert set(batch["clip_id"].numpy()) <= set(held)
    assert _all_finite(scalars)
    directions = 2 if contrast == "cross_modal" else 4
    assert sum(name.startswith("loss/") for name in scalars) == directions
    np.testing.assert_allclose(
        scalars["loss"],
        sum(float(v) for name, v in scalars.items() if name.startswith("loss/")),
        rtol=1e-5,
    )
    norms = tf.norm(keys["audio"].keys, axis=1)
    np.testing.assert_allclose(norms, np.ones(6), rtol=1e-5)


def test_float32_means_float32_on_gpus_too(tiny_run):
    tf.config.experimental.enable_tensor_float_32_execution(True)
    _model_and_batches(tiny_run(negatives="in_batch"), 0)
    assert not tf.config.experimental.tensor_float_32_execution_enabled()


def test_in_batch_loss_by_hand(tiny_run):
    model, batches = _model_and_batches(tiny_run(negatives="in_batch"), 1)
    batch = batches[0]
    keys = model.encode_keys(batch)
    queries = model.encode_queries(batch)
    ids = batch["clip_id"]
    result = model.contrastive_losses(ids, queries, keys, ids, keys)["video_to_audio"]
    cosines = (queries["video"].numpy() @ keys["audio"].keys.numpy().T).astype(np.float64) / 0.7
    expected = np.log(np.exp(cosines).sum(1)) - np.diag(cosines)
    np.testing.assert_allclose(result.loss, expected, rtol=1e-5)
    assert isinstance(result, losses.InfoNCE)


def test_within_modal_keys_come_from_the_second_view(tiny_run):
    model, batches = _model_and_batches(tiny_run(contrast="within_modal"), 1)
    batch = batches[0]
    assert not np.array_equal(batch["video"], batch["key_video"])
    keys = model.encode_keys(batch)["video"].keys
    swapped = model.encode_keys({**batch, "video": batch["key_video"]})["video"].keys
    np.testing.assert_allclose(keys, swapped, atol=1e-6)


@pytest.mark.parametrize(
    "changes", [{"gradient_encoder": "query"}, {"gradient_space": "embedding"}]
)
def test_gradient_options_train(tiny_run, changes):
    model, batches = _model_and_batches(tiny_run(**changes), 2)
    for batch in batches:
        scalars = model.train_step(batch)
    assert float(scalars["picked/video"]) == 6
    assert np.isfinite(float(scalars["loss"]))


def test_a_short_last_batch_is_a_step_like_any_other(tiny_run):
    model, batches = _model_and_batches(tiny_run(), 3)
    step = tf.function(model.train_step, reduce_retracing=True)
    for batch in batches:
        step(batch)
    scalars = step({name: value[:2] for name, value in batches[0].items()})
    assert _all_finite(scalars)
    assert int(model.step) == 4


def test_no_gradient_reaches_the_key_towers(tiny_run):
    model, batches = _model_and_batches(tiny_run(), 1)
    with tf.GradientTape() as tape:
        keys = model.encode_keys(batches[0])
        total = tf.reduce_sum(keys["video"].keys) + tf.reduce_sum(keys["audio"].features)
    assert tape.gradient(total, model.trainable_variables) == [None] * len(
        model.trainable_variables
    )


def test_keys_on_moving_statistics_carry_no_trace_of_their_batch(tiny_run):
    run = tiny_run(key_statistics="moving", time_mask=0.0, frequency_mask=0.0)
    model, batches = _model_and_batches(run, 2)
    one, other = batches
    mixed = {name: tf.concat([one[name][:1], other[name][1:]], 0) for name in one}
    for modality in pretrain_model.MODALITIES:
        alone, among = (model.encode_keys(batch)[modality].keys[0] for batch in (one, mixed))
        np.testing.assert_allclose(alone, among, atol=1e-5)
    on_batch, batches = _model_and_batches(tiny_run(), 1)
    alone, among = (on_batch.encode_keys(batch)["video"].keys[0] for batch in (one, mixed))
    assert np.abs(alone - among).max() > 1e-3


def test_moving_statistics_follow_the_query_towers_by_momentum(tiny_run):
    run = tiny_run(key_statistics="moving", key_momentum=0.75)
    model, batches = _model_and_batches(run, 1)
    query, key = (towers["audio"] for towers in (model.query_towers, model.key_towers))
    before = [v.numpy() for v in key.non_trainable_variables]
    model.train_step(batches[0])
    moved = 0.0
    for start, old, new in zip(before, key.non_trainable_variables, query.non_trainable_variables):
        np.testing.assert_allclose(old, 0.75 * start + 0.25 * new.numpy(), rtol=1e-4, atol=1e-6)
        moved += np.abs(new.numpy() - start).max()
    assert moved > 0


@pytest.mark.parametrize("optimizer", ["adam", "lamb"])
def test_dynamic_loss_scaling_skips_an_overflow(tiny_run, optimizer):
    run = tiny_run(optimizer=optimizer)
    facts = loop.check(run)
    batch = next(iter(loop.make_train_dataset(run, start_step=0)))
    try:
        model = loop.build_model(run, facts, "mixed_float16")
        before = float(model.optimizer.loss_scale)
        _remember(model, batch)
        scalars = model.train_step(batch)
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    assert before == 2.0**15
    assert int(model.step) == 1
    assert np.isfinite(float(scalars["loss"]))


def _train_on_two_devices(run, answers):
    """In a process of its own, since logical devices are made at start-up."""
    cpus = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    facts = loop.check(run)
    with strategy.scope():
        model = loop.build_model(run, facts, "float32")
    batches = list(loop.make_train_dataset(run, start_step=0).take(5))
    batches.append({name: value[:5] for name, value in batches[0].items()})  # 3 and 2 clips.

    def per_replica(batch, replica):
        size = (len(batch["clip_id"]) + 1) // 2
        return {k: v[replica * size : (replica + 1) * size] for k, v in batch.items()}

    step = tf.function(
        lambda values: strategy.run(model.train_step, (values,)), reduce_retracing=True
    )
    for batch in batches:
        values = strategy.experimental_distribute_values_from_function(
            lambda context, batch=batch: per_replica(
                batch, int(tf.get_static_value(context.replica_id_in_sync_group))
            )
        )
        scalars = step(values)
    found = {}
    for modality, target in model.dictionaries.items():
        for queue_name, queue in (("queue", target.queue), ("pool", target.pool)):
            variables = {**queue.columns, "ids": queue.ids, "pointer": queue.pointer}
            for name, variable in variables.items():
                copies = strategy.experimental_local_results(variable)
                found[f"{modality}/{queue_name}/{name}"] = [copy.numpy() for copy in copies]
    losses_seen = [float(v) for v in strategy.experimental_local_results(scalars["loss"])]
    answers.put((found, losses_seen, int(model.step.numpy())))


def test_dictionaries_and_pools_are_bit_equal_on_two_replicas(tiny_run):
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    process = context.Process(target=_train_on_two_devices, args=(tiny_run(), answers))
    process.start()
    while answers.empty() and process.is_alive():
        process.join(0.2)
    assert not answers.empty(), "the process ended without an answer"
    found, losses_seen, step = answers.get(timeout=10)
    process.join()
    assert step == 6
    assert len(found) == 22
    for name, copies in found.items():
        assert len(copies) == 2
        np.testing.assert_array_equal(copies[0], copies[1], err_msg=name)
    assert (found["audio/queue/ids"][0] >= 0).sum() > 6
    assert np.isfinite(losses_seen).all()
    assert losses_seen[0] == losses_seen[1]


def test_directions_name_both_modalities():
    assert pretrain_model.DIRECTIONS["joint"] == (
        ("video", "audio"),
        ("audio", "video"),
        ("video", "video"),
        ("audio", "audio"),
    )
