"""The supervised step against NumPy, autodiff by hand, and itself on two replicas."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from actcl_tf.train.model import classifier_model
from tests import programs, rounding, small_models

# Ten layers have all the stages that learning rates and freezing tell apart.
TEN_LAYERS = {"video_encoder": "resnet3d_10", "audio_encoder": "resnet2d_10"}


def _model(modalities=("audio",), rates=(0.1,) * 6, optimizer="sgd", num_classes=3, **options):
    towers = small_models.real_towers(**TEN_LAYERS)
    model = classifier_model.ClassifierModel(
        {each: towers[each] for each in modalities}, num_classes, **options
    )
    kind = {"sgd": tf.keras.optimizers.SGD, "adam": tf.keras.optimizers.Adam}[optimizer]
    model.compile_depths([kind(rate) for rate in rates])
    return model


def _batch(num=6, num_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "video": tf.constant(rng.integers(0, 256, [num, 4, 16, 16, 3]).astype(np.uint8)),
        "audio": tf.constant(rng.uniform(-1, 1, [num, 1600]).astype(np.float32)),
        "target": tf.constant(rng.integers(0, num_classes, num)),
        "seed": tf.constant(rng.integers(0, 2**31 - 1, [num, 2]).astype(np.int32)),
    }


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_single_label_loss_is_numpys(smoothing):
    rng = np.random.default_rng(1)
    logits, targets = rng.normal(size=[5, 4]).astype(np.float32), np.array([0, 3, 1, 1, 2])
    wanted = np.eye(4)[targets] * (1 - smoothing) + smoothing / 4
    expected = -(wanted * special.log_softmax(logits.astype(np.float64), 1)).sum(1)
    model = _model(num_classes=4, label_smoothing=smoothing)
    np.testing.assert_allclose(model.losses(logits, tf.constant(targets)), expected, rtol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_multi_label_loss_is_numpys(smoothing):
    rng = np.random.default_rng(1)
    logits = rng.normal(size=[5, 4]).astype(np.float32)
    targets = rng.integers(0, 2, [5, 4]).astype(np.float32)
    wanted = targets * (1 - smoothing) + smoothing / 2
    p = special.expit(logits.astype(np.float64))
    expected = -(wanted * np.log(p) + (1 - wanted) * np.log(1 - p)).mean(1)
    model = _model(num_classes=4, multi_label=True, label_smoothing=smoothing)
    np.testing.assert_allclose(model.losses(logits, tf.constant(targets)), expected, rtol=1e-5)


def test_each_depth_moves_by_its_own_rate():
    """Plain gradient descent makes it exact: the step is the rate times the gradient."""
    rates = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    model, batch = _model(("video", "audio"), rates), _batch()
    before = [[v.numpy() for v in variables] for variables in model.depths]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model.losses(model(batch, training=True), batch["target"]))
    gradients = tape.gradient(loss, model.depths)
    # The forward pass above moved the statistics of normalisations, which no gradient depends on.
    model.train_step(batch)
    assert len(model.depths) == 6
    for variables, old, each, rate in zip(model.depths, before, gradients, rates, strict=True):
        assert variables
        for variable, start, gradient in zip(variables, old, each, strict=True):
            np.testing.assert_allclose(
                variable.numpy(), start - rate * gradient.numpy(), atol=1e-6, err_msg=variable.name
            )
    assert int(model.step) == 1


def test_stages_of_a_short_encoder_count_down_from_the_classifier():
    towers = small_models.real_towers(audio_encoder="resnet2d_10")
    model = classifier_model.ClassifierModel(towers, 3)
    video = classifier_model.stages(towers["video"])
    assert len(video) == 3 and len(model.depths) == 6
    for variables, stage in zip(model.depths[2:5], video, strict=True):
        names = {v.ref() for v in variables}
        assert {v.ref() for v in stage.trainable_variables} <= names


@pytest.mark.parametrize("freeze", [0, 2, 5])
def test_frozen_stages_do_not_move_nor_their_statistics(freeze):
    model = _model(freeze=freeze)
    tower = model.towers["audio"]
    stages = classifier_model.stages(tower)
    before = [[v.numpy() for v in stage.variables] for stage in stages]
    head = [v.numpy() for v in tower.head.variables]
    model.train_step(_batch())
    for place, (stage, old) in enumerate(zip(stages, before, strict=True)):
        moved = [
            not np.array_equal(v.numpy(), o) for v, o in zip(stage.variables, old, strict=True)
        ]
        assert all(moved) if place >= freeze else not any(moved), (place, moved)
    assert all(
        np.array_equal(v.numpy(), o) for v, o in zip(tower.head.variables, head, strict=True)
    )
    assert np.abs(model.classifier.bias.numpy()).max() > 0


def test_dropout_is_a_function_of_the_clips_seed():
    model, batch = _model(dropout=0.5), _batch()
    features = model.encode(batch, True).numpy()
    kernel, bias = (v.numpy() for v in model.classifier.variables)
    logits = model(batch, training=True).numpy()
    rounding.assert_close(model(batch, training=True), logits)
    assert np.abs(logits - (features @ kernel + bias)).max() > 1e-3
    rounding.assert_close(model(batch), model.encode(batch, False).numpy() @ kernel + bias)


def test_a_long_gradient_is_clipped():
    model, batch = _model(clip_norm=1e-3, rates=(1.0,) * 6), _batch()
    before = [v.numpy() for variables in model.depths for v in variables]
    norm = float(model.train_step(batch)["optimiser/gradient_norm"])
    after = [v.numpy() for variables in model.depths for v in variables]
    moved = np.sqrt(sum(((a - b) ** 2).sum() for a, b in zip(after, before, strict=True)))
    assert norm > 1e-2
    np.testing.assert_allclose(moved, 1e-3, rtol=1e-3)


def test_nan_stops_the_step_by_name():
    model, batch = _model(), _batch()
    model.classifier.bias.assign([np.nan] * 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="loss : Tensor had NaN"):
        model.train_step(batch)


def test_probabilities_are_the_mean_over_windows():
    model = _model(("video", "audio"))
    rng = np.random.default_rng(2)
    clips = {
        "video": tf.constant(rng.integers(0, 256, [2, 6, 4, 16, 16, 3]).astype(np.uint8)),
        "audio": tf.constant(rng.uniform(-1, 1, [2, 3, 1600]).astype(np.float32)),
    }
    found = model.probabilities(clips, crops=2).numpy()
    expected = np.zeros([2, 3])
    kernel, bias = (v.numpy() for v in model.classifier.variables)
    video, audio = model.towers["video"], model.towers["audio"]
    for window in range(3):
        crops = [
            video(clips["video"][:, 2 * window + crop], training=False).features.numpy()
            for crop in range(2)
        ]
        heard = audio(clips["audio"][:, window], training=False).features.numpy()
        features = np.concatenate([np.mean(crops, axis=0), heard], axis=1)
        expected += special.softmax(features @ kernel + bias, 1) / 3
    rounding.assert_close(found, expected)
    np.testing.assert_allclose(found.sum(1), 1.0, atol=1e-6)


def _on_two_replicas():
    """The classifier and the logs after one step of one replica, and of two."""
    (cpu,) = tf.config.list_physical_devices("CPU")
    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, halves)
    batch = _batch(num=4)
    alone = _model(("audio",), freeze=5)
    expected = alone.train_step(batch)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        model = _model(("audio",), freeze=5)
    parts = strategy.experimental_distribute_values_from_function(
        lambda context: {
            key: value[2 * context.replica_id_in_sync_group :][:2] for key, value in batch.items()
        }
    )
    logs = tf.function(lambda values: strategy.run(model.train_step, args=(values,)))(parts)
    local = strategy.experimental_local_results
    seen = {name: [float(each) for each in local(value)] for name, value in logs.items()}
    weights = [[v.numpy() for v in each.classifier.variables] for each in (alone, model)]
    return {name: float(value) for name, value in expected.items()}, seen, weights


def test_two_replicas_move_as_one():
    """Frozen normalisations aside, the halves of a batch on two replicas are the whole on one."""
    expected, seen, weights = programs.call(_on_two_replicas)
    for name, value in expected.items():
        np.testing.assert_allclose(seen[name], [value, value], rtol=1e-4, err_msg=name)
    for one, other in zip(*weights, strict=True):
        rounding.assert_close(other, one)
        assert np.abs(one).max() > 0
