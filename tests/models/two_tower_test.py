import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf import config
from actcl_tf.models import audio_encoders, two_tower
from tests import programs, rounding

SAMPLES = 6400


def _build(video_encoder="resnet3d_6", audio_encoder="resnet2d_6", **settings):
    return two_tower.build_towers(
        config.ModelConfig(
            video_encoder=video_encoder,
            audio_encoder=audio_encoder,
            video_width=0.125,
            audio_width=0.125,
            mel_bands=16,
            hidden_size=12,
            embedding_size=6,
            **settings,
        ),
        config.DataConfig(num_frames=4, image_size=32),
        sample_rate=16000,
        num_audio_samples=SAMPLES,
    )


@pytest.fixture(scope="module")
def towers():
    """Towers for the tests that leave their trained weights alone."""
    tf.keras.utils.set_random_seed(0)
    return _build()


def _batch(rng, size=4):
    """Noisy frames of different brightness, noisy tones of different pitch."""
    video = rng.integers(0, 256, size=[size, 4, 32, 32, 3], dtype=np.uint8)
    video //= 1 + np.arange(size, dtype=np.uint8)[:, np.newaxis, np.newaxis, np.newaxis, np.newaxis]
    pitch = 200 * 1.5 ** np.arange(size)[:, np.newaxis]
    audio = 0.1 * np.sin(2 * np.pi * pitch * np.arange(SAMPLES) / 16000)
    return video, (audio + 0.001 * rng.normal(size=audio.shape)).astype(np.float32)


def test_outputs(rng, towers):
    for tower, inputs in zip(towers, _batch(rng), strict=True):
        for training in (False, True):
            output = tf.function(tower)(inputs, training=training)
            assert [tuple(each.shape) for each in output] == [(4, 16), (4, 12), (4, 6)]
            assert {each.dtype for each in output} == {tf.float32}
            np.testing.assert_allclose(np.linalg.norm(output.embedding, axis=1), 1, atol=1e-5)


def test_output_is_backbone_then_head(rng):
    for tower, inputs in zip(_build(head="linear"), _batch(rng), strict=True):
        output = tower(inputs, training=False)
        features = tower.backbone(tower.frontend(inputs))
        rounding.assert_close(output.features, features)
        rounding.assert_close(output.hidden, features)
        kernel, scale, offset = tower.head.last_layer_affine()
        expected = (features @ kernel) * scale + offset
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        rounding.assert_close(output.embedding, expected)


def test_weights_are_made_by_build_and_well_named(towers):
    video, audio = towers
    names = [weight.name for tower in (video, audio) for weight in tower.weights]
    assert len(set(names)) == len(names)
    for name in (
        "video_tower/backbone/stem/conv/kernel:0",
        "video_tower/backbone/stage2/block0/conv1/kernel:0",
        "video_tower/backbone/stage2/block0/shortcut/norm/gamma:0",
        "audio_tower/backbone/stage2/block0/norm2/moving_variance:0",
        "audio_tower/head/last_layer/kernel:0",
    ):
        assert name in names


@pytest.mark.parametrize(
    ("video_encoder", "audio_encoder"),
    [("resnet3d_10", "resnet2d_10"), ("r2plus1d_18", "resnet1d_18")],
)
def test_two_builds_have_their_weights_in_the_same_order(rng, video_encoder, audio_encoder):
    queries = _build(video_encoder, audio_encoder)
    keys = _build(video_encoder, audio_encoder)
    for query, key, inputs in zip(queries, keys, _batch(rng), strict=True):
        for part in ("trainable_variables", "non_trainable_variables", "weights"):
            described = [
                [(each.name, each.shape) for each in getattr(tower, part)] for tower in (query, key)
            ]
            assert described[0] == described[1]
        before = query(inputs).embedding - key(inputs).embedding
        key.set_weights(query.get_weights())
        assert np.abs(before).max() > 0.01
        np.testing.assert_array_equal(query(inputs).embedding, key(inputs).embedding)


def test_initial_weights_follow_the_seed():
    weights = []
    for seed in (1, 1, 2):
        tf.keras.utils.set_random_seed(seed)
        encoder = audio_encoders.build_audio_encoder("resnet2d_10", 0.125)
        encoder(tf.keras.Input([32, 16]))
        weights.append(np.concatenate([w.numpy().ravel() for w in encoder.trainable_variables]))
    np.testing.assert_array_equal(weights[0], weights[1])
    assert np.abs(weights[0] - weights[2]).max() > 0.01


def test_training_mode_of_the_tower_reaches_every_normalisation(rng, towers):
    for tower, inputs in zip(towers, _batch(rng), strict=True):
        statistics = tower.non_trainable_variables
        before = [each.numpy() for each in statistics]
        tower(inputs, training=False)
        for each, value in zip(statistics, before, strict=True):
            np.testing.assert_array_equal(each, value)
        tower(inputs, training=True)
        for each, value in zip(statistics, before, strict=True):
            assert np.abs(each.numpy() - value).max() > 0, each.name


def test_masks_come_from_the_seeds(rng, towers):
    _, tower = towers
    _, audio = _batch(rng)
    seeds = tf.constant([[0, 1], [0, 2], [0, 3], [0, 4]])
    embeddings = [
        tower(audio, seeds=each, training=True).embedding for each in (seeds, seeds, None)
    ]
    np.testing.assert_array_equal(embeddings[0], embeddings[1])
    assert np.abs(embeddings[0] - embeddings[2]).max() > 1e-3


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_is_close_to_float32(rng, towers, policy):
    batch = _batch(rng)
    tf.keras.mixed_precision.set_global_policy(policy)
    for expected, tower, inputs in zip(towers, _build(), batch, strict=True):
        tower.set_weights(expected.get_weights())
        assert {each.dtype for each in tower.weights} == {tf.float32}
        assert tower.backbone.stem.compute_dtype == policy[len("mixed_") :]
        output = tower(inputs, training=True)
        assert {each.dtype for each in output} == {tf.float32}
        features = expected(inputs, training=True).features
        error = np.linalg.norm(output.features - features) / np.linalg.norm(features)
        assert 0 < error < rounding.of_mixed(policy[len("mixed_") :], num_layers=6)


@pytest.mark.parametrize("training", [False, True])
def test_black_and_silent_clips_give_finite_gradients(towers, training):
    inputs = tf.zeros([3, 4, 32, 32, 3], tf.uint8), tf.zeros([3, SAMPLES])
    for tower, zeros in zip(towers, inputs, strict=True):
        with tf.GradientTape() as tape:
            output = tower(zeros, training=training)
            loss = tf.reduce_sum(output.embedding[:, 0]) + tf.reduce_sum(output.features)
        for each in output:
            assert np.isfinite(each).all()
        for gradient in tape.gradient(loss, tower.trainable_variables):
            assert np.isfinite(gradient).all()


def test_other_clip_sizes_than_built_for(rng):
    video, audio = _build()
    assert (
        video(rng.integers(0, 256, size=[2, 6, 48, 40, 3], dtype=np.uint8)).features.shape[0] == 2
    )
    assert audio(tf.zeros([2, 9999])).features.shape[0] == 2


def _run(script, *arguments):
    """Runs a script in a fresh Python; its assertions are the test."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_saved_tower_loads_with_tensorflow_alone(rng, towers, tmp_path):
    _, tower = towers
    _, audio = _batch(rng)
    module = tf.Module()
    module.tower = tower
    module.encode = tf.function(
        lambda waveform: tower(waveform, training=False)._asdict(),
        input_signature=[tf.TensorSpec([None, SAMPLES], tf.float32)],
    )
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=module.encode)
    np.save(tmp_path / "audio.npy", audio)
    np.save(tmp_path / "embedding.npy", tower(audio, training=False).embedding)
    script = """
        import sys
        import numpy as np
        import tensorflow as tf
        folder = sys.argv[1]
        encode = tf.saved_model.load(folder + "/model").signatures["serving_default"]
        embedding = encode(tf.constant(np.load(folder + "/audio.npy")))["embedding"]
        np.testing.assert_allclose(embedding, np.load(folder + "/embedding.npy"), atol=1e-5)
        assert "tensorflow_io" not in sys.modules and "actcl_tf" not in sys.modules
    """
    _run(script, tmp_path)


def test_towers_train_on_two_replicas():
    script = """
        import numpy as np
        import tensorflow as tf
        cpu = tf.config.list_physical_devices("CPU")[0]
        halves = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, halves)
        from actcl_tf import config
        from actcl_tf.models import two_tower

        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        with strategy.scope():
            towers = two_tower.build_towers(
                config.ModelConfig(
                    video_encoder="resnet3d_6",
                    audio_encoder="resnet2d_6",
                    video_width=0.125,
                    audio_width=0.125,
                    mel_bands=16,
                ),
                config.DataConfig(num_frames=2, image_size=16),
                sample_rate=8000,
                num_audio_samples=1600,
            )
            optimizer = tf.keras.optimizers.SGD(0.01)

        def step(video, audio, seeds):
            with tf.GradientTape() as tape:
                queries, keys = towers[0](video, training=True), towers[1](
                    audio, seeds=seeds, training=True
                )
                loss = -tf.reduce_mean(queries.embedding * keys.embedding)
            weights = towers[0].trainable_variables + towers[1].trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
            return loss

        @tf.function
        def run(*batch):
            return strategy.run(step, batch)

        random = np.random.default_rng(0)
        video = random.integers(0, 256, size=[2, 3, 2, 16, 16, 3]).astype(np.uint8)
        audio = random.normal(size=[2, 3, 1600]).astype(np.float32)
        seeds = random.integers(0, 9, size=[2, 3, 2]).astype(np.int32)
        parts = [
            strategy.experimental_distribute_values_from_function(
                lambda context: tf.constant(values[context.replica_id_in_sync_group])
            )
            for values in (video, audio, seeds)
        ]
        kernel = towers[0].trainable_variables[0]
        before = kernel.numpy()
        losses = strategy.experimental_local_results(run(*parts))
        assert len(losses) == 2 and np.isfinite(losses).all() and losses[0] != losses[1]
        copies = [copy.numpy() for copy in strategy.experimental_local_results(kernel)]
        np.testing.assert_array_equal(copies[0], copies[1])
        assert np.abs(copies[0] - before).max() > 0
    """
    done = programs.run("-c", textwrap.dedent(script))
    assert done.returncode == 0, done.stderr[-3000:]
