import functools

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf import config
from actcl_tf.contrast import losses
from actcl_tf.train import model_building, run_checks, training_data
from actcl_tf.train.model import diagnosis, encoding
from tests import rounding, small_models


def _model_and_batches(steps, **flags):
    views = 1 if flags.get("contrast", "cross_modal") == "cross_modal" else 2
    model = small_models.build(batch_size=6, **{"dictionary_size": 12, "pool_size": 20, **flags})
    return model, list(small_models.batches(steps, size=6, views=views))


def _remember(model, batch):
    encoded = [
        encoding.Encoded(batch["clip_id"], batch["label"], keys, {})
        for keys in model.encode_keys(batch)
    ]
    model.remember(*encoded)


def _all_finite(scalars):
    """Diagnostics aside, which are NaN at most steps."""
    return all(
        np.isfinite(value) or diagnosis.is_diagnostic(name) for name, value in scalars.items()
    )


def test_key_towers_start_as_the_query_towers_and_follow_by_momentum():
    model, batches = _model_and_batches(1, key_momentum=0.75)
    query, key = (towers["video"] for towers in (model.query_towers, model.key_towers))
    before = [v.numpy() for v in key.trainable_variables]
    for start, variable in zip(before, query.trainable_variables, strict=True):
        np.testing.assert_array_equal(start, variable)
    _remember(model, batches[0])  # Something to contrast.
    model.train_step(batches[0])
    moved = 0.0
    for start, old, new in zip(
        before, key.trainable_variables, query.trainable_variables, strict=True
    ):
        np.testing.assert_allclose(old, 0.75 * start + 0.25 * new.numpy(), rtol=1e-4, atol=1e-6)
        moved += float(tf.reduce_max(tf.abs(new - start)))
    assert moved > 0


def test_the_sampler_has_a_temperature_of_its_own():
    picked = []
    for temperature, of_sampler in ((0.1, 1.0), (0.7, 1.0), (0.1, 0.02)):
        model, batches = _model_and_batches(
            4, negatives="hardest", temperature=temperature, sampler_temperature=of_sampler
        )
        for batch in batches[:3]:
            _remember(model, batch)
        model.sample_negatives(model(batches[3]))
        picked.append([set(each.queue.ids.numpy()) for each in model.dictionaries.values()])
    assert picked[0] == picked[1] != picked[2]


@pytest.mark.parametrize("negatives", config.NEGATIVES)
@pytest.mark.parametrize("contrast", ["cross_modal", "joint"])
def test_loss_is_that_of_the_dictionary_and_the_batch_enters_after_sampling(negatives, contrast):
    model, batches = _model_and_batches(3, negatives=negatives, contrast=contrast)
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
    keys, _ = model.encode_keys(batch)
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
    each = [float(v) for name, v in scalars.items() if name.startswith("loss/") and "_to_" in name]
    assert len(each) == directions
    np.testing.assert_allclose(scalars["loss/total"], sum(each), rtol=1e-5)
    norms = tf.norm(keys["audio"].keys, axis=1)
    np.testing.assert_allclose(norms, np.ones(6), rtol=1e-5)


def test_float32_means_float32_on_gpus_too(tiny_run):
    tf.config.experimental.enable_tensor_float_32_execution(True)
    run = tiny_run(negatives="in_batch")
    model_building.build_model(run, run_checks.check(run), "float32")
    assert not tf.config.experimental.tensor_float_32_execution_enabled()


def test_in_batch_loss_by_hand():
    model, batches = _model_and_batches(1, negatives="in_batch")
    batch = batches[0]
    own, everyone, _ = model.encode(batch)
    result = model.contrastive_losses(own, everyone)[0]["video_to_audio"]
    keys = own.keys["audio"].keys.numpy()
    cosines = (own.queries["video"].numpy() @ keys.T).astype(np.float64) / 0.7
    expected = np.log(np.exp(cosines).sum(1)) - np.diag(cosines)
    np.testing.assert_allclose(result.loss, expected, rtol=1e-5)
    assert isinstance(result, losses.InfoNCE)


def test_within_modal_keys_come_from_the_second_view():
    model, batches = _model_and_batches(1, contrast="within_modal")
    batch = batches[0]
    assert not np.array_equal(batch["video"], batch["key_video"])
    keys = model.encode_keys(batch)[0]["video"].keys
    swapped = model.encode_keys({**batch, "video": batch["key_video"]})[0]["video"].keys
    np.testing.assert_allclose(keys, swapped, atol=1e-6)


@pytest.mark.parametrize(
    "changes", [{"gradient_encoder": "query"}, {"gradient_space": "embedding"}]
)
def test_gradient_options_train(changes):
    model, batches = _model_and_batches(2, **changes)
    for batch in batches:
        scalars = model.train_step(batch)
    assert float(scalars["dictionary/picked/video"]) == 6
    assert np.isfinite(float(scalars["loss/total"]))


def test_a_short_last_batch_is_a_step_like_any_other():
    model, batches = _model_and_batches(3)
    step = tf.function(model.train_step, reduce_retracing=True)
    for batch in batches:
        step(batch)
    scalars = step({name: value[:2] for name, value in batches[0].items()})
    assert _all_finite(scalars)
    assert int(model.step) == 4


def test_no_gradient_reaches_the_key_towers():
    model, batches = _model_and_batches(1)
    with tf.GradientTape() as tape:
        keys, _ = model.encode_keys(batches[0])
        total = tf.reduce_sum(keys["video"].keys) + tf.reduce_sum(keys["audio"].features)
    assert tape.gradient(total, model.trainable_variables) == [None] * len(
        model.trainable_variables
    )


def test_keys_on_moving_statistics_carry_no_trace_of_their_batch():
    model, batches = _model_and_batches(2, key_statistics="moving")
    one, other = batches
    mixed = {name: tf.concat([one[name][:1], other[name][1:]], 0) for name in one}
    for modality in encoding.MODALITIES:
        alone, among = (model.encode_keys(batch)[0][modality].keys[0] for batch in (one, mixed))
        rounding.assert_close(alone, among)
    on_batch, batches = _model_and_batches(1)
    alone, among = (on_batch.encode_keys(batch)[0]["video"].keys[0] for batch in (one, mixed))
    assert np.abs(alone - among).max() > 1e-3


def test_moving_statistics_follow_the_query_towers_by_momentum():
    model, batches = _model_and_batches(1, key_statistics="moving", key_momentum=0.75)
    query, key = (towers["audio"] for towers in (model.query_towers, model.key_towers))
    before = [v.numpy() for v in key.non_trainable_variables]
    model.train_step(batches[0])
    moved = 0.0
    for start, old, new in zip(
        before, key.non_trainable_variables, query.non_trainable_variables, strict=True
    ):
        np.testing.assert_allclose(old, 0.75 * start + 0.25 * new.numpy(), rtol=1e-4, atol=1e-6)
        moved += np.abs(new.numpy() - start).max()
    assert moved > 0


@pytest.mark.parametrize("optimizer", ["adam", "lamb"])
def test_dynamic_loss_scaling_skips_an_overflow(tiny_run, optimizer):
    run = tiny_run(optimizer=optimizer)
    facts = run_checks.check(run)
    batch = next(iter(training_data.TrainingBatches(run).from_step(0)))
    try:
        model = model_building.build_model(run, facts, "mixed_float16")
        before = float(model.optimizer.loss_scale)
        _remember(model, batch)
        scalars = model.train_step(batch)
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    assert before == 2.0**15
    assert int(model.step) == 1
    assert np.isfinite(float(scalars["loss/total"]))


def test_an_overflow_is_counted_until_the_scale_can_fall_no_more(tiny_run, monkeypatch):
    """Scaled by 2, one step is skipped; at scale 1 the gradient itself is infinite."""
    scaled = functools.partial(tf.keras.mixed_precision.LossScaleOptimizer, initial_scale=2.0)
    monkeypatch.setattr(tf.keras.mixed_precision, "LossScaleOptimizer", scaled)
    run = tiny_run()
    batch = next(iter(training_data.TrainingBatches(run).from_step(0)))
    try:
        model = model_building.build_model(run, run_checks.check(run), "mixed_float16")
        before = [v.numpy() for v in model.query_variables]
        infinite = [tf.fill(v.shape, np.inf) for v in model.query_variables]
        model.update_query_encoders(infinite)
        for old, variable in zip(before, model.query_variables, strict=True):
            np.testing.assert_array_equal(old, variable.numpy())
        assert float(model.optimizer.loss_scale) == 1.0
        with pytest.raises(tf.errors.InvalidArgumentError, match="gradient"):
            model.update_query_encoders(infinite)
        _remember(model, batch)
        scalars = model.train_step(batch)
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    assert float(scalars["optimiser/skipped_steps"]) == 1.0
    assert float(scalars["optimiser/loss_scale"]) == 1.0


def test_directions_name_both_modalities():
    assert encoding.DIRECTIONS["joint"] == (
        ("video", "audio"),
        ("audio", "video"),
        ("video", "video"),
        ("audio", "audio"),
    )
