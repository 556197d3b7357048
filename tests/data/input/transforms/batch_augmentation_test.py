"""Batches augmented at once, against the same clips one by one."""

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf import config
from actcl_tf.data.input import pipeline, training_clips
from actcl_tf.data.input.transforms import audio_ops, batch_augmentation, video_augmentation
from tests import split_files
from tests.data.input.transforms import many_draws

NOTHING = video_augmentation.Strengths(
    flip=False, color_jitter=0.0, gray_probability=0.0, blur_probability=0.0
)
EVERYTHING = video_augmentation.Strengths(
    flip=True, color_jitter=1.0, gray_probability=0.3, blur_probability=0.5
)


@pytest.mark.parametrize(
    "settings",
    [
        *(NOTHING, EVERYTHING),
        *(NOTHING._replace(**{key: value}) for key, value in EVERYTHING._asdict().items()),
    ],
)
def test_videos_are_those_of_clips_one_by_one(rng, settings):
    videos = tf.constant(rng.integers(0, 256, (20, 3, 16, 16, 3)).astype(np.uint8))
    function = tf.function(batch_augmentation.augment_videos)
    found = function(videos, many_draws.seeds(20), settings).numpy()
    assert found.dtype == np.uint8
    for video, seed, one in zip(videos, many_draws.seeds(20), found, strict=True):
        expected = video_augmentation.augment(video, seed, settings).numpy()
        # Sums in another order may round to the next level.
        assert np.abs(one.astype(int) - expected).max() <= 1


def test_audio_is_that_of_clips_one_by_one(rng):
    waveforms = tf.constant(rng.uniform(-1, 1, (5, 300)).astype(np.float32))
    found = batch_augmentation.augment_audio(waveforms, many_draws.seeds(5), gain_db=6.0, noise=0.1)
    for waveform, seed, one in zip(waveforms, many_draws.seeds(5), found, strict=True):
        expected = audio_ops.augment(waveform, seed, gain_db=6.0, noise=0.1)
        np.testing.assert_allclose(one, expected, rtol=1e-6)


def test_it_compiles(rng):
    """Under XLA, TensorFlow's stateless floats are others; the clips are as likely."""
    videos = tf.constant(rng.integers(0, 256, (4, 3, 16, 16, 3)).astype(np.uint8))
    function = tf.function(batch_augmentation.augment_videos, jit_compile=True)
    np.testing.assert_array_equal(function(videos, many_draws.seeds(4), NOTHING), videos)
    assert function(videos, many_draws.seeds(4), EVERYTHING).shape == videos.shape


def test_no_clips():
    videos, seeds = tf.zeros([0, 2, 16, 16, 3], tf.uint8), tf.zeros([0, 2], tf.int32)
    found = batch_augmentation.augment_videos(videos, seeds, EVERYTHING)
    assert found.shape == videos.shape


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    clips = []
    for index in range(8):
        frames = rng.integers(0, 256, (12, 24, 32, 3)).astype(np.uint8)
        waveform = rng.uniform(-0.5, 0.5, 1200).astype(np.float32)
        clips.append(split_files.clip(f"clip {index}", list(frames), waveform))
    split_files.write_split(folder, "train", clips, 2)
    return str(folder)


@pytest.mark.parametrize("crop", ["fixed", "resized"])
@pytest.mark.parametrize("views", [1, 2])
def test_device_and_host_give_the_same_batches(data_dir, crop, views):
    batches = []
    for place in ("host", "device"):
        data = config.DataConfig(
            data_dir=data_dir, num_frames=4, image_size=16, crop=crop, augment_on=place
        )
        clips = training_clips.open_training_clips(data, seed=3, views=views)
        dataset = pipeline.build_train_dataset(data, batch_size=8, seed=3, make_clip=clips)
        batch = next(iter(dataset))
        batches.append(batch_augmentation.build_augmentation(data)(batch))
    host, device = batches
    assert host.keys() == device.keys()
    for key, expected in host.items():
        assert device[key].dtype == expected.dtype and device[key].shape == expected.shape
        if key.endswith("video"):
            gap = np.abs(device[key].numpy().astype(int) - expected.numpy())
            # Resized pixels are rounded once more; colours may then spread that by up to 3.2.
            assert gap.max() <= (1 if crop == "fixed" else 4)
            assert gap.mean() < 0.5
        else:
            np.testing.assert_allclose(device[key], expected, rtol=1e-6)


def test_batches_without_seeds_pass_as_they_are():
    batch = {"video": tf.zeros([1, 2, 16, 16, 3], tf.uint8), "audio": tf.zeros([1, 9])}
    augment = batch_augmentation.build_augmentation(config.DataConfig())
    assert augment(batch) == batch
