"""Exported encoders, loaded by a process that has TensorFlow and nothing of this package."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf import config, export
from actcl_tf.data import video_ops
from actcl_tf.models import two_tower

IMAGE_SIZE = 32

# Of the inputs in a file, writes the outputs to another; TensorFlow and NumPy are all it has.
APPLICATION = """
import sys
import numpy as np
import tensorflow as tf
folder, inputs, outputs = sys.argv[1:]
found = {}
for name, value in np.load(inputs).items():
    modality = name.split("_")[0]
    encode = tf.saved_model.load(f"{folder}/{modality}").signatures["serving_default"]
    try:
        result = encode(**{modality: tf.constant(value)})
        found.update({f"{name}/{key}": result[key].numpy() for key in result})
    except tf.errors.InvalidArgumentError as error:
        found[f"{name}/error"] = np.array(error.message)
assert not [name for name in sys.modules if name.startswith(("actcl_tf", "tensorflow_io"))]
np.savez(outputs, **found)
"""


@pytest.fixture(scope="module")
def towers():
    tf.keras.utils.set_random_seed(3)
    model = config.ModelConfig(
        video_encoder="resnet3d_10",
        video_width=0.125,
        audio_encoder="resnet2d_10",
        audio_width=0.125,
        mel_bands=32,
        hidden_size=24,
        embedding_size=16,
    )
    data = config.DataConfig(num_frames=8, image_size=IMAGE_SIZE)
    pair = two_tower.build_towers(model, data, sample_rate=16000, num_audio_samples=8000)
    # Weights as after training: normalisations whose statistics are not 0 and 1.
    rng = np.random.default_rng(0)
    for tower in pair:
        for weight in tower.weights:
            if "moving_mean" in weight.name:
                weight.assign(rng.uniform(-0.2, 0.2, weight.shape))
            if "moving_variance" in weight.name:
                weight.assign(rng.uniform(0.2, 2.0, weight.shape))
    return pair


@pytest.fixture(scope="module")
def exported(towers, tmp_path_factory):
    """Folder of an export, inputs, and what the application made of them."""
    folder = tmp_path_factory.mktemp("export") / "model"
    export.export_towers(*towers, str(folder), {"frame_rate": 12.5}, image_size=IMAGE_SIZE)
    rng = np.random.default_rng(1)

    def pixels(*shape):
        # Clips of different brightness and colour, with noise.
        colours = rng.uniform(0, 200, [shape[0], 1, 1, 1, 3])
        return (colours + rng.integers(0, 56, [*shape, 3])).astype(np.uint8)

    inputs = {
        "video_trained": pixels(3, 8, IMAGE_SIZE, IMAGE_SIZE),
        "video_one": pixels(1, 1, IMAGE_SIZE, IMAGE_SIZE),
        "video_wide": pixels(2, 5, 48, 90),
        "video_large": pixels(1, 2, 200, 130),
        "video_small": pixels(1, 8, 12, 20),
        "video_noframes": pixels(1, 0, 32, 32),
        "audio_trained": np.sin(np.outer([0.03, 0.2, 0.9], np.arange(8000))).astype(np.float32),
        "audio_window": rng.uniform(-1, 1, [2, 400]).astype(np.float32),
        "audio_long": rng.uniform(-1, 1, [1, 33333]).astype(np.float32),
        "audio_silent": np.zeros([2, 8000], np.float32),
        "audio_short": np.zeros([2, 399], np.float32),
    }
    files = [str(folder.parent / name) for name in ("inputs.npz", "outputs.npz")]
    np.savez(files[0], **inputs)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [sys.executable, "-c", APPLICATION, str(folder), *files]
    subprocess.run(command, check=True, cwd=folder.parent, env=environment)
    return folder, inputs, dict(np.load(files[1]))


def _central_square(video):
    """What the input pipeline does to the frames of a clip in evaluation."""
    clips = []
    for frames in video:
        box = video_ops.central_box(tf.constant([0, 0, *frames.shape[1:3]]))
        top, left, height, width = box.numpy()
        square = tf.constant(frames[:, top : top + height, left : left + width])
        clips.append(video_ops.to_uint8(video_ops.resize(square, IMAGE_SIZE)).numpy())
    return np.stack(clips)


@pytest.mark.parametrize("name", ["trained", "one", "wide", "large", "small"])
def test_pictures_are_encoded_as_by_the_tower(towers, exported, name):
    _, inputs, outputs = exported
    expected = towers[0](_central_square(inputs[f"video_{name}"]), training=False)
    for key in ("embedding", "features"):
        found = outputs[f"video_{name}/{key}"]
        np.testing.assert_allclose(found, getattr(expected, key), atol=1e-5, rtol=1e-5)
    assert outputs[f"video_{name}/embedding"].shape == (len(inputs[f"video_{name}"]), 16)


@pytest.mark.parametrize("name", ["trained", "window", "long", "silent"])
def test_sounds_are_encoded_as_by_the_tower(towers, exported, name):
    _, inputs, outputs = exported
    expected = towers[1](inputs[f"audio_{name}"], training=False)
    for key in ("embedding", "features"):
        found = outputs[f"audio_{name}/{key}"]
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found, getattr(expected, key), atol=1e-5, rtol=1e-5)
    lengths = np.linalg.norm(outputs[f"audio_{name}/embedding"], axis=1)
    np.testing.assert_allclose(lengths, 1.0, atol=1e-5)


def test_clips_differ(exported):
    _, _, outputs = exported
    for name in ("video_trained", "audio_trained"):
        embedding = outputs[f"{name}/embedding"]
        assert np.abs(embedding[0] - embedding[1]).max() > 1e-3


def test_wrong_input_is_told_in_words(exported):
    _, _, outputs = exported
    assert "S of at least 400 samples" in str(outputs["audio_short/error"])
    assert "T, H and W of at least 1" in str(outputs["video_noframes/error"])


def test_metadata_says_what_to_feed(exported):
    folder, _, _ = exported
    found = json.loads((folder / "metadata.json").read_text())
    assert found["frame_rate"] == 12.5
    assert (found["image_size"], found["min_audio_samples"]) == (IMAGE_SIZE, 400)
    for modality in ("video", "audio"):
        described = found["signatures"][modality]
        signature = tf.saved_model.load(str(folder / modality)).signatures["serving_default"]
        assert set(described["inputs"]) == set(signature.structured_input_signature[1])
        assert set(described["outputs"]) == set(signature.structured_outputs)
    assert sorted(entry.name for entry in folder.iterdir()) == ["audio", "metadata.json", "video"]


@pytest.mark.parametrize(
    "size", [(32, 32), (33, 40), (64, 64), (65, 66), (40, 33), (240, 320), (7, 9), (1, 1)]
)
def test_squares_are_those_of_the_input_pipeline(rng, size):
    video = rng.integers(0, 256, [2, 2, *size, 3], np.uint8)
    found = export.central_square(tf.constant(video), IMAGE_SIZE).numpy()
    np.testing.assert_array_equal(found, _central_square(video))


def test_a_folder_in_use_is_left_alone(towers, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(export.ExportError, match="is not empty; name a new folder"):
        export.export_towers(*towers, str(tmp_path), {}, image_size=IMAGE_SIZE)
    assert [entry.name for entry in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(export.ExportError, match="cannot be written"):
        export.export_towers(*towers, str(tmp_path / "notes.txt"), {}, image_size=IMAGE_SIZE)


@pytest.mark.parametrize("size", [(40, 60), (31, 17), (1, 1)])
def test_region_is_cut_as_by_the_pipeline(size, rng):
    region = (0.5, 0.22, 1.0, 0.62)
    video = rng.integers(0, 256, size=(1, 2, *size, 3), dtype=np.uint8)
    box = video_ops.central_box(video_ops.region_of(tf.constant(size), region))
    top, left, height, width = box.numpy()
    square = tf.constant(video[0, :, top : top + height, left : left + width])
    expected = video_ops.to_uint8(video_ops.resize(square, 8))
    np.testing.assert_array_equal(export.central_square(video, 8, region)[0], expected)
