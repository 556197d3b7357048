"""Exported encoders as Keras layers."""

import copy
import pickle
import shutil

import numpy as np
import pytest
import tensorflow as tf

import actcl_tf
from actcl_tf.export import preprocessing
from actcl_tf.pretrained import layout
from tests import exports, rounding

CLIP = [exports.NUM_FRAMES, exports.IMAGE_SIZE, exports.IMAGE_SIZE]


@pytest.fixture(scope="module")
def folder(exported_model):
    return exported_model


def _classifier(folder, trainable=True):
    """Somebody's own model: two classes on the features of pictures."""
    encoder = actcl_tf.VideoEncoder(folder, trainable=trainable, name="encoder")
    frames = tf.keras.Input([None, None, None, 3], dtype=tf.uint8)
    scores = tf.keras.layers.Dense(2, name="scores")(encoder(frames)["features"])
    model = tf.keras.Model(frames, scores)
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf.keras.optimizers.Adam(1e-2), loss, metrics=["accuracy"])
    return model, encoder


def _two_classes(rng):
    """Noise whose brightness grows, or falls, over time: nothing in one frame tells them apart."""
    ramp = np.linspace(0, 60, exports.NUM_FRAMES)[:, None, None, None]
    labels = np.arange(16) % 2
    noise = rng.integers(60, 100, [16, *CLIP, 3])
    ramps = np.where(labels[:, None, None, None, None] == 1, ramp, ramp[::-1])
    return (noise + ramps).astype(np.uint8), labels


def test_a_layer_gives_what_the_towers_give(folder, rng):
    run = exports.small_run()
    frames = exports.pixels(rng, 2, *CLIP)
    square = actcl_tf.VideoEncoder(folder)
    cut = preprocessing.squares_of_frames(frames, exports.IMAGE_SIZE, exports.REGION)
    for training in (None, False):
        found = square(frames, training=training)
        expected = run.video_tower(cut, training=False)
        rounding.assert_close(found["features"], expected.features)
        rounding.assert_close(found["embedding"], expected.embedding)
    sound = exports.tones(2, 20000)
    found = actcl_tf.AudioEncoder(folder)(sound)
    rounding.assert_close(found["features"], run.audio_tower(sound).features)


def test_weights_are_those_of_the_tower_and_keras_sees_them(folder):
    run, encoder = exports.small_run(), actcl_tf.VideoEncoder(folder)
    assert len(encoder.trainable_weights) == len(run.video_tower.trainable_weights)
    assert len(encoder.non_trainable_weights) == len(run.video_tower.non_trainable_weights)
    assert sum(w.shape.num_elements() for w in encoder.weights) == run.video_tower.count_params()
    encoder.trainable = False
    assert not encoder.trainable_weights


@pytest.fixture(scope="module")
def fine_tuned(folder):
    """Somebody's own model after its training, its encoder, the weights before, and the clips."""
    frames, labels = _two_classes(np.random.default_rng(0))
    model, encoder = _classifier(folder)
    before = [weight.numpy() for weight in encoder.weights]
    model.fit(frames, labels, batch_size=8, epochs=12, verbose=0, shuffle=True)
    return model, encoder, before, frames, labels


def test_fine_tuning_in_ones_own_model_learns(fine_tuned):
    model, encoder, before, frames, labels = fine_tuned
    assert model.evaluate(frames, labels, verbose=0)[1] >= 0.9
    moved = [np.abs(a - b.numpy()).max() for a, b in zip(before, encoder.weights, strict=True)]
    assert all(
        move > 0
        for move, weight in zip(moved, encoder.weights, strict=True)
        if "head" not in weight.name
    )


def test_a_frozen_encoder_stays_as_it_is(folder, rng):
    frames, labels = _two_classes(rng)
    model, encoder = _classifier(folder, trainable=False)
    before = [weight.numpy() for weight in encoder.weights]
    classifier = model.get_layer("scores").kernel.numpy()
    model.fit(frames, labels, batch_size=8, epochs=1, verbose=0)
    for a, b in zip(before, encoder.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.abs(model.get_layer("scores").kernel.numpy() - classifier).max() > 0


def test_a_fine_tuned_model_is_saved_and_loaded_by_keras(fine_tuned, tmp_path):
    model, _, _, frames, _ = fine_tuned
    model.save(tmp_path / "mine.keras")
    again = tf.keras.models.load_model(tmp_path / "mine.keras")
    rounding.assert_close(again.predict(frames, verbose=0), model.predict(frames, verbose=0))
    model.save(tmp_path / "mine", save_format="tf")
    served = tf.saved_model.load(str(tmp_path / "mine")).signatures["serving_default"]
    (scores,) = served(tf.constant(frames)).values()
    rounding.assert_close(scores, model.predict(frames, verbose=0))


def test_mixed_precision_around_a_layer_does_not_round_its_input(folder):
    sound = exports.tones(1, 8000)
    expected = actcl_tf.AudioEncoder(folder)(sound)["embedding"]
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        found = actcl_tf.AudioEncoder(folder)(sound)["embedding"]
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    np.testing.assert_array_equal(found, expected)


def test_embed_averages_and_takes_files(folder, rng):
    video, audio = actcl_tf.VideoEncoder(folder), actcl_tf.AudioEncoder(folder)
    frames = exports.pixels(rng, 1, 16, 40, 50)
    halves = [video(frames[:, start : start + 8])["features"] for start in (0, 8)]
    rounding.assert_close(video.embed(frames)["features"], np.mean(halves, axis=0))
    jpegs = [[tf.io.encode_jpeg(frame, quality=100).numpy() for frame in frames[0]]]
    cosine = np.sum(video.embed_jpegs(jpegs)["embedding"] * video.embed(frames)["embedding"])
    assert cosine > 0.98
    sound = exports.tones(1, 12000)
    wav = tf.audio.encode_wav(sound.T, exports.SAMPLE_RATE).numpy()
    np.testing.assert_allclose(
        audio.embed_wavs([wav])["embedding"], audio.embed(sound)["embedding"], atol=0.02
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least 8 frames"):
        video.embed(frames[:, :3])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f / 255.0, r"must be uint8, RGB from 0 to 255, got float\d\d: pass tf\.image"),
        (
            lambda f: (f / 255.0).astype(np.float32),
            "got float32: pass tf.image.convert_image_dtype",
        ),
        (lambda f: f.astype(np.int64) + 1, "got int64 from 1 to 256: scale them"),
        (lambda f: f.astype(np.int16) - 1, "got int16 from -1 to 254: scale them"),
        (lambda f: f > 100, "got bool"),
        (lambda f: f[0], r"expected frames \[B, T, H, W, 3\], got \(8, "),
        (lambda f: np.moveaxis(f, -1, 2), r"expected frames .*, got \(1, 8, 3, "),
        (lambda f: np.tile(f[..., :1], 4), r"expected frames .*, 4\)"),
    ],
)
def test_frames_of_another_kind_are_refused_and_not_cut(folder, rng, change, message):
    encoder = actcl_tf.VideoEncoder(folder)
    frames = exports.pixels(rng, 1, *CLIP)
    frames[0, 0, 0, 0] = [0, 255, 128]
    for encode in (encoder, encoder.embed):
        with pytest.raises(ValueError, match=message):
            encode(change(frames))
        with pytest.raises(ValueError, match=message):
            encode(tf.constant(change(frames)))


def test_frames_that_are_converted_as_the_refusal_says_are_those_that_were_meant(folder, rng):
    encoder = actcl_tf.VideoEncoder(folder)
    frames = exports.pixels(rng, 1, *CLIP)
    expected = encoder.embed(frames)["embedding"]
    scaled = (frames / 255.0).astype(np.float32)
    meant = tf.image.convert_image_dtype(scaled, tf.uint8, saturate=True)
    np.testing.assert_allclose(encoder.embed(meant)["embedding"], expected, atol=1e-2)
    for kind in (np.int64, np.int16, np.uint16):
        np.testing.assert_array_equal(encoder.embed(frames.astype(kind))["embedding"], expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: (s * 32767).astype(np.int16), "must be float32 in .*got int16: divide 16-bit"),
        (lambda s: np.zeros(s.shape, np.int64), "got int64: divide 16-bit samples by 32768.0"),
        (lambda s: s * 32767 * 2, "and finite, got .*: divide 16-bit samples by 32768.0"),
        (lambda s: s * np.nan, "and finite, got nan"),
        (lambda s: np.where(s > 0.1, np.inf, s), "and finite, got inf"),
        (lambda s: s[0], r"expected audio \[B, S\], got \(8000,\)"),
        (lambda s: s[:, None], r"expected audio \[B, S\], got \(1, 1, 8000\)"),
        (lambda s: tf.RaggedTensor.from_tensor(s), "of one length, got a RaggedTensor: pass one"),
    ],
)
def test_sound_of_another_kind_is_refused_and_not_heard(folder, change, message):
    encoder = actcl_tf.AudioEncoder(folder)
    sound = exports.tones(1, 8000)
    for encode in (encoder, encoder.embed):
        with pytest.raises(ValueError, match=message):
            encode(change(sound))
    for kind in (np.float64, np.float16):
        found, expected = (encode(sound.astype(kind)) for encode in (encoder.embed, encoder))
        np.testing.assert_allclose(found["features"], expected["features"], atol=1e-5)


def test_samples_in_the_place_of_clips_are_refused(folder):
    with pytest.raises(ValueError, match=r"at least 400 samples \(S\), got \(8000, 1\)"):
        actcl_tf.AudioEncoder(folder)(exports.tones(1, 8000).T)


def test_in_a_graph_sound_is_checked_when_it_runs(folder):
    encoder = actcl_tf.AudioEncoder(folder)
    in_graph = tf.function(lambda sound: encoder(sound)["embedding"])
    sound = exports.tones(1, 8000)
    np.testing.assert_allclose(in_graph(sound), encoder(sound)["embedding"], atol=1e-5)
    with pytest.raises(tf.errors.InvalidArgumentError, match="divide 16-bit samples by 32768"):
        in_graph(sound * 32768)
    with pytest.raises(ValueError, match=r"got int64: cast them with tf\.cast"):
        actcl_tf.VideoEncoder(folder)(tf.keras.Input([8, 32, 32, 3], dtype=tf.int64))


def _pickled(layer):
    return pickle.loads(pickle.dumps(layer))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, _pickled])
@pytest.mark.parametrize("layer", [actcl_tf.VideoEncoder, actcl_tf.AudioEncoder])
def test_a_layer_is_copied_with_its_weights(folder, rng, layer, duplicate):
    encoder = layer(folder, trainable=False, name="mine")
    encoder.model_variables[0].assign_add(tf.ones_like(encoder.model_variables[0]))
    twin = duplicate(encoder)
    assert (twin.name, twin.trainable, type(twin)) == ("mine", False, layer)
    inputs = {"video": exports.pixels(rng, 1, *CLIP), "audio": exports.tones(1, 8000)}[layer.part]
    np.testing.assert_array_equal(twin(inputs)["features"], encoder(inputs)["features"])
    twin.model_variables[0].assign(tf.zeros_like(twin.model_variables[0]))
    assert np.abs(encoder.model_variables[0].numpy()).max() > 0  # No weight is shared.


def test_what_is_no_export_is_told(folder, tmp_path):
    with pytest.raises(actcl_tf.PretrainedError, match="holds no export: name the --output"):
        actcl_tf.load(tmp_path)
    with pytest.raises(actcl_tf.PretrainedError, match="holds no version 2; there is 1"):
        actcl_tf.VideoEncoder(folder, version=2)
    (tmp_path / "metadata.json").write_text("{}")
    with pytest.raises(actcl_tf.PretrainedError, match="by an older version of this package"):
        actcl_tf.load(tmp_path)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("{", "is damaged"),
        ("[]", "is damaged"),
        ("{}", "is damaged"),
        ('{"format": 9}', "format 9"),
    ],
)
def test_damaged_metadata_is_told(tmp_path, text, expected):
    assets = tmp_path / "pair" / "1" / "assets"
    assets.mkdir(parents=True)
    (assets / "metadata.json").write_text(text)
    assert layout.versions(tmp_path) == [1]
    with pytest.raises(layout.PretrainedError, match=expected):
        layout.read_metadata(tmp_path)


def test_a_damaged_graph_is_told(exported_model, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(exported_model, folder)
    (folder / "video" / "1" / "saved_model.pb").write_bytes(b"\x00\x01")
    with pytest.raises(layout.PretrainedError, match=r"is damaged .*: export the run again"):
        actcl_tf.VideoEncoder(folder)
