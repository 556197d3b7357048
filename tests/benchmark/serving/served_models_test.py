"""Every form of the encoders against the encoders themselves, and arithmetic counted by hand."""

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf import config
from actcl_tf.benchmark.serving import served_models
from actcl_tf.export import lite
from actcl_tf.models import video_encoders
from actcl_tf.storage.errors import DataError
from tests import saved_runs

NAMES = [
    "SavedModel float32",
    "SavedModel mixed_bfloat16",
    "TFLite float32",
    "TFLite float16",
    "TFLite int8",
]


@pytest.fixture(scope="module")
def run(tiny_config, tmp_path_factory):
    run = tiny_config(tmp_path_factory.mktemp("served") / "run")
    saved_runs.save_run(run)
    return run


@pytest.fixture(scope="module")
def encoders(run):
    return served_models.of_run(run.train.run_dir, "", 9)


@pytest.fixture(scope="module")
def served(encoders, tmp_path_factory):
    return served_models.build(encoders, tmp_path_factory.mktemp("models"), 1)


@pytest.mark.slow
def test_every_form_gives_the_embeddings_of_the_encoder(encoders, served):
    assert list(served) == ["video", "audio"]
    for modality, forms in served.items():
        assert [form.name for form in forms] == NAMES
        clips = encoders.clips[modality]
        expected = encoders.tower(modality)(clips).embedding.numpy()
        for form in forms:
            found = form.encode(clips)
            assert found.shape == (9, 8)
            # Without statistics of any training, few bits agree less.
            least = 0.9999 if form.name.endswith(" float32") else 0.9
            assert lite.compare(found, expected).least > least, form.name
            np.testing.assert_allclose(form.encode(clips[:1]), found[:1], atol=1e-3)


@pytest.mark.slow
def test_sizes_are_those_of_the_files(served, encoders):
    for modality, forms in served.items():
        sizes = {form.name: form.num_bytes for form in forms}
        weights = sum(w.shape.num_elements() * 4 for w in encoders.tower(modality).weights)
        assert weights < sizes["SavedModel float32"] < weights + 3_000_000
        assert sizes["TFLite float16"] < sizes["TFLite float32"] < sizes["SavedModel float32"]


def test_clips_are_held_out_ones_and_calibration_is_not(encoders):
    for modality in served_models.MODALITIES:
        assert len(encoders.clips[modality]) == len(encoders.calibration[modality]) == 9
        assert not np.array_equal(encoders.clips[modality], encoders.calibration[modality])


def test_missing_data_is_told(run):
    with pytest.raises(DataError, match=r"nowhere.*name the run's data as --data_dir"):
        served_models.of_run(run.train.run_dir, "nowhere", 4)


def test_encoders_as_initialised_need_no_data_and_share_their_weights(run):
    values = {"data_dir": "nowhere", "num_frames": 5, "frame_stride": 2, "image_size": 16}
    there = {**run.to_dict()["model"], **values}
    encoders = served_models.as_initialised(config.from_flat(there), 3)
    assert encoders.clips["video"].shape == (3, 5, 16, 16, 3)
    # Ten stored frames, 12.5 a second, are 0.8 s of sound at 16 kHz.
    assert encoders.calibration["audio"].shape == (3, 12800)
    assert np.abs(encoders.clips["audio"]).max() <= 1.0
    first, second = encoders.runs["float32"], encoders.runs["mixed_bfloat16"]
    for one, other in zip(first.video_tower.weights, second.video_tower.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    found = [run.audio_tower(encoders.clips["audio"]).embedding for run in (first, second)]
    assert np.abs(found[0] - found[1]).max() > 0  # They compute in different precisions.
    np.testing.assert_allclose(*found, atol=0.1)


@pytest.mark.parametrize(
    ("layers", "shape", "expected"),
    [
        # Outputs 4 x 3 of 4 channels, each a sum of 3 x 3 x 3; then 48 inputs for 2 outputs.
        (
            lambda: [
                tf.keras.layers.Conv2D(4, 3),
                tf.keras.layers.Flatten(),
                tf.keras.layers.Dense(2),
            ],
            (6, 5, 3),
            12 * 4 * 27 + 48 * 2,
        ),
        # Outputs 2 x 2 x 2 of 5 channels, each a sum of 1 x 2 x 2 x 3.
        (
            lambda: [tf.keras.layers.Conv3D(5, (1, 2, 2), strides=(1, 2, 2))],
            (2, 4, 4, 3),
            8 * 5 * 12,
        ),
        (lambda: [tf.keras.layers.ReLU()], (4, 4, 3), 0),
    ],
)
def test_arithmetic_is_counted(layers, shape, expected):
    model = tf.keras.Sequential(layers())
    assert served_models.multiply_adds(model, np.zeros([1, *shape], np.float32)) == expected


def test_arithmetic_of_a_known_network():
    # 40.7 G multiply-adds of a clip of 16 x 112 x 112 is what is known of 3D-ResNet-18.
    backbone = video_encoders.build_video_encoder("resnet3d_18", 1.0)
    count = served_models.multiply_adds(backbone, np.zeros([1, 16, 112, 112, 3], np.float32))
    assert count == pytest.approx(40.7e9, rel=0.002)
