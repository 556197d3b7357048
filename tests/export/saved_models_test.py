"""Exported encoders, loaded by a process that has TensorFlow and nothing of this package."""

import io
import json
import os
import shutil
import subprocess
import sys
import venv
import wave

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from actcl_tf.export import preprocessing, saved_models, warmup
from actcl_tf.export.errors import ExportError
from tests import exports, rounding

# Of the inputs in a file, writes the outputs to another; TensorFlow and NumPy are all it has.
APPLICATION = """
import pickle, sys
import numpy as np
import tensorflow as tf
folder, inputs, outputs = sys.argv[1:]
found, models = {}, {}
for name, value in pickle.load(open(inputs, "rb")).items():
    part, signature, _ = name.split("/")
    if part not in models:
        models[part] = tf.saved_model.load(f"{folder}/{part}/1")
    values = value if isinstance(value, dict) else {signature: value}
    try:
        run = models[part].signatures[signature]
        result = run(**{key: tf.constant(each) for key, each in values.items()})
        found.update({f"{name}/{key}": result[key].numpy() for key in result})
    except tf.errors.InvalidArgumentError as error:
        found[f"{name}/error"] = np.array(str(error))
assert not [name for name in sys.modules if name.startswith(("actcl_tf", "tensorflow_io"))]
if tf.__version__ >= "2.16":
    import keras
    layer = keras.layers.TFSMLayer(f"{folder}/video/1", call_endpoint="serving_default")
    value = pickle.load(open(inputs, "rb"))["video/video/trained"]
    for key, each in layer(value).items():
        found[f"keras/{key}"] = np.asarray(each)
np.savez(outputs, **found)
"""
IMAGE = exports.IMAGE_SIZE
TRAINED = [exports.NUM_FRAMES, IMAGE, IMAGE]


def _wav(sound, rate, bits=16):
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(bits // 8)
        file.setframerate(rate)
        samples = (sound * 32767).astype("<i2").tobytes()
        file.writeframes(samples if bits == 16 else samples + samples[: len(samples) // 2])
    return buffer.getvalue()


def _jpegs(video):
    return np.array(
        [[tf.io.encode_jpeg(f, quality=100).numpy() for f in clip] for clip in video], object
    )


def _inputs():
    rng = np.random.default_rng(1)
    wide = exports.pixels(rng, 2, 11, 48, 90)
    sound = exports.tones(2, 20000)
    return {
        "video/video/trained": exports.pixels(rng, 3, *TRAINED),
        "video/serving_default/trained": {"video": exports.pixels(rng, 3, *TRAINED)},
        "video/video/long": wide,
        "video/video/small": exports.pixels(rng, 1, 8, 12, 20),
        "video/video/short": exports.pixels(rng, 1, 7, 32, 32),
        "video/video/empty": exports.pixels(rng, 1, 8, 0, 32),
        "video/video_jpeg/long": _jpegs(wide),
        "video/video_jpeg/short": _jpegs(wide[:, :3]),
        "video/video_jpeg/broken": np.array([[b"no picture"] * 8], object),
        "audio/audio/trained": exports.tones(3, exports.NUM_SAMPLES),
        "audio/audio/window": exports.tones(2, 400),
        "audio/audio/long": sound,
        "audio/audio/silent": np.zeros([2, 8000], np.float32),
        "audio/audio/short": np.zeros([2, 399], np.float32),
        "audio/audio/integers": exports.tones(1, 8000) * 32767,
        "audio/audio/nan": np.full([1, 8000], np.nan, np.float32),
        "audio/audio_wav/long": np.array([_wav(each, 16000) for each in sound], object),
        "audio/audio_wav/lengths": np.array(
            [_wav(sound[0], 16000), _wav(sound[1, :9000], 8000)], object
        ),
        "audio/audio_wav/24bits": np.array([_wav(sound[0], 16000, 24)], object),
        "audio/audio_wav/short": np.array([_wav(sound[0, :300], 16000)], object),
        "audio/audio_wav/broken": np.array([b"RIFF"], object),
        "pair/video/long": wide,
        "pair/audio_wav/long": np.array([_wav(each, 16000) for each in sound], object),
        "pair/serving_default/both": {"video": wide, "audio": sound},
        "pair/serving_default/unlike": {"video": wide, "audio": sound[:1]},
    }


def _run_application(python, folder, inputs):
    import pickle

    files = [str(folder.parent / name) for name in ("inputs.pickle", "outputs.npz")]
    with open(files[0], "wb") as file:
        pickle.dump(inputs, file, protocol=4)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [python, "-c", APPLICATION, str(folder), *files]
    subprocess.run(command, check=True, cwd=folder.parent, env=environment)
    return dict(np.load(files[1]))


@pytest.fixture(scope="module")
def run():
    return exports.small_run()


@pytest.fixture(scope="module")
def exported(exported_model, tmp_path_factory):
    """Folder of an export, inputs, and what the application made of them."""
    folder = tmp_path_factory.mktemp("application") / "model"
    shutil.copytree(exported_model, folder)
    inputs = _inputs()
    return folder, inputs, _run_application(sys.executable, folder, inputs)


def _by_tower(run, modality, value):
    """Features and embedding of windows [B, window, ...], through the tower itself."""
    tower = run.video_tower if modality == "video" else run.audio_tower
    if modality == "video":
        value = preprocessing.squares_of_frames(value, IMAGE, exports.REGION)
    output = tower(value, training=False)
    return {"embedding": output.embedding.numpy(), "features": output.features.numpy()}


@pytest.mark.parametrize(
    "name",
    [
        "video/video/trained",
        "video/video/small",
        "audio/audio/trained",
        "audio/audio/window",
        "audio/audio/silent",
    ],
)
def test_a_window_is_encoded_as_by_the_tower(run, exported, name):
    _, inputs, outputs = exported
    expected = _by_tower(run, name.split("/")[0], inputs[name])
    for key in ("embedding", "features"):
        rounding.assert_close(outputs[f"{name}/{key}"], expected[key])
    lengths = np.linalg.norm(outputs[f"{name}/embedding"], axis=1)
    np.testing.assert_allclose(lengths, 1.0, atol=1e-5)


@pytest.mark.parametrize(
    "name, window, starts",
    [("video/video/long", 8, [0, 3]), ("audio/audio/long", 8000, [0, 6000, 12000])],
)
def test_long_input_is_the_average_of_its_windows(run, exported, name, window, starts):
    _, inputs, outputs = exported
    parts = [
        _by_tower(run, name.split("/")[0], inputs[name][:, start : start + window])
        for start in starts
    ]
    features = np.mean([part["features"] for part in parts], axis=0)
    rounding.assert_close(outputs[f"{name}/features"], features)
    embedding = np.mean([part["embedding"] for part in parts], axis=0)
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    rounding.assert_close(outputs[f"{name}/embedding"], embedding)


def test_all_signatures_of_the_same_clips_agree(exported):
    _, _, outputs = exported
    for key in ("embedding", "features"):
        frames, sound = outputs[f"video/video/long/{key}"], outputs[f"audio/audio/long/{key}"]
        np.testing.assert_array_equal(outputs[f"pair/video/long/{key}"], frames)
        both = "pair/serving_default/both"
        rounding.assert_close(outputs[f"{both}/video_{key}"], frames)
        rounding.assert_close(outputs[f"{both}/audio_{key}"], sound)
        # 16 bits instead of 32, and JPEG pictures, are nearly the same.
        for found, expected in (
            (outputs[f"audio/audio_wav/long/{key}"], sound),
            (outputs[f"pair/audio_wav/long/{key}"], sound),
            (outputs[f"audio/audio_wav/lengths/{key}"][0], sound[0]),
            (outputs[f"video/video_jpeg/long/{key}"], frames),
        ):
            assert np.linalg.norm(found - expected) < 0.1 * np.linalg.norm(expected)
    cosine = np.sum(
        outputs["video/video/long/embedding"] * outputs["audio/audio/long/embedding"], axis=1
    )
    np.testing.assert_allclose(outputs["pair/serving_default/both/similarity"], cosine, atol=1e-5)


def test_clips_differ(exported):
    _, _, outputs = exported
    for name in ("video/video/trained", "audio/audio/trained"):
        embedding = outputs[f"{name}/embedding"]
        assert np.abs(embedding[0] - embedding[1]).max() > 1e-3


@pytest.mark.parametrize(
    "name, expected",
    [
        ("video/video/short", "must have at least 8 frames, one training clip (T)"),
        ("video/video/empty", "no clips, or frames without pixels"),
        ("video/video_jpeg/short", "video_jpeg [B, T] must have at least 8 frames"),
        ("video/video_jpeg/broken", "JPEG"),
        ("audio/audio/short", "audio [B, S] must have at least 400 samples (S)"),
        ("audio/audio/integers", "in [-1, 1]: divide 16-bit samples by 32768"),
        ("audio/audio/nan", "audio must be finite"),
        ("audio/audio_wav/24bits", "16-bit"),
        ("audio/audio_wav/short", "a file has less than 400 samples at 16000 Hz"),
        ("audio/audio_wav/broken", ""),
        ("pair/serving_default/unlike", "video and audio must have the same number of clips"),
    ],
)
def test_wrong_input_is_told_in_words(exported, name, expected):
    _, _, outputs = exported
    assert expected in str(outputs[f"{name}/error"])


def test_metadata_is_an_asset_that_describes_the_signatures(exported):
    folder, _, _ = exported
    assert sorted(entry.name for entry in folder.iterdir()) == ["audio", "pair", "video"]
    texts = {path.read_text() for path in folder.glob("*/1/assets/metadata.json")}
    (text,) = texts
    found = json.loads(text)
    assert (found["frame_rate"], found["sample_rate"], found["step"]) == (12.5, 16000, 7)
    assert (found["num_frames"], found["image_size"], found["min_audio_samples"]) == (8, IMAGE, 400)
    assert (found["classes"], found["data_digest"]) == (["cat", "dog"], "d1g35t")
    assert found["config"]["model"]["video_width"] == 0.125
    assert found["versions"]["tensorflow"] == tf.__version__
    described = found["signatures"]
    for part in ("video", "audio", "pair"):
        model = tf.saved_model.load(str(folder / part / "1"))
        assert tf.io.gfile.exists(model.metadata.asset_path.numpy())
        for name, signature in model.signatures.items():
            if part != "pair" and name == "serving_default":
                continue
            assert set(described[name]["inputs"]) == set(signature.structured_input_signature[1])
            assert set(described[name]["outputs"]) == set(signature.structured_outputs)


def test_warm_up_requests_are_ones_that_the_model_answers(exported):
    folder, _, _ = exported
    for part in ("video", "audio", "pair"):
        saved = folder / part / "1"
        model, seen = tf.saved_model.load(str(saved)), []
        for record in tf.data.TFRecordDataset(str(saved / warmup.FILE)):
            log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
            request = log.predict_log.request
            assert request.model_spec.name == part
            seen.append(request.model_spec.signature_name)
            values = {name: tf.make_ndarray(each) for name, each in request.inputs.items()}
            answer = model.signatures[seen[-1]](**{n: tf.constant(v) for n, v in values.items()})
            assert all(np.isfinite(value).all() for value in answer.values())
        assert sorted(seen) == sorted(model.signatures)


def test_a_reusable_saved_model_can_be_trained_on(exported, rng):
    folder, _, _ = exported
    model = tf.saved_model.load(str(folder / "video" / "1"))
    frames = tf.constant(exports.pixels(rng, 2, *TRAINED))
    statistics = [v for v in model.variables if "moving_mean" in v.name]
    before = [value.numpy() for value in statistics]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(frames, training=True)["embedding"][:, 0])
    gradients = tape.gradient(loss, model.trainable_variables)
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    assert sum(np.abs(gradient).max() > 0 for gradient in gradients) > len(gradients) // 2
    assert any(np.abs(a - b.numpy()).max() > 0 for a, b in zip(before, statistics, strict=True))
    assert not model.regularization_losses


def test_versions_stand_beside_each_other(run, exported, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(exported[0], folder)
    with pytest.raises(ExportError, match="holds version 1 already; name a higher --version"):
        exports.save(run, folder)
    before = (folder / "pair" / "1" / "saved_model.pb").read_bytes()
    # What a killed export leaves is in the way of none.
    (folder / "video" / "3").mkdir()
    (folder / "video" / "3" / "half").write_text("")
    assert saved_models.layout.versions(folder) == [1]
    exports.save(run, folder, version=3)
    assert not (folder / "video" / "3" / "half").exists()
    assert saved_models.layout.versions(folder) == [1, 3]
    assert sorted(path.name for path in (folder / "pair").iterdir()) == ["1", "3"]
    assert (folder / "pair" / "1" / "saved_model.pb").read_bytes() == before
    with pytest.raises(ExportError, match="--version=0: must be at least 1"):
        exports.save(run, folder, version=0)


def test_a_folder_in_use_is_left_alone(run, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ExportError, match=r"is not empty \(notes.txt\); name a new folder"):
        exports.save(run, tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(ExportError, match="cannot be written: it is a file"):
        exports.save(run, tmp_path / "notes.txt")


def test_a_failed_export_leaves_nothing_that_looks_whole(run, tmp_path, monkeypatch):
    folder = tmp_path / "model"

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(warmup, "write", full)
    with pytest.raises(ExportError, match="No space left on device"):
        exports.save(run, folder)
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_the_newest_tensorflow_gives_the_same(exported, tmp_path):
    folder, inputs, expected = exported
    venv.create(tmp_path / "env", with_pip=True)
    python = str(tmp_path / "env" / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "-q", "tensorflow==2.21.*"], check=True)
    found = _run_application(python, folder, inputs)
    for name, value in expected.items():
        if not name.endswith("/error"):
            np.testing.assert_allclose(found[name], value, atol=1e-3, err_msg=name)
        else:
            assert name in found
    for key in ("embedding", "features"):
        np.testing.assert_allclose(
            found[f"keras/{key}"], expected[f"video/video/trained/{key}"], atol=1e-3
        )
