"""Extraction against calling the towers clip by clip."""

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf import config
from actcl_tf.data.input import pipeline
from actcl_tf.evaluate.features import features
from tests import rounding, small_models


@pytest.fixture(scope="module")
def towers():
    return tuple(small_models.real_towers(num_audio_samples=3200).values())


def _clips(rng, num, windows=2):
    return {
        "video": rng.integers(0, 256, [num, windows, 4, 16, 16, 3], np.uint8),
        "audio": rng.uniform(-1, 1, [num, windows, 3200]).astype(np.float32),
        "label": rng.integers(-1, 3, [num]),
        "filename": np.array([f"folder/ä{i}.mp4".encode() for i in range(num)]),
        "clip_id": rng.integers(0, 2**62, [num]),
    }


def _batches(clips, size):
    return tf.data.Dataset.from_tensor_slices(clips).batch(size)


@pytest.mark.parametrize("batch_size", [1, 3, 5, 16])
def test_equals_calling_the_towers(towers, rng, batch_size):
    clips = _clips(rng, 5)
    found = features.Extractor(*towers)(_batches(clips, batch_size))
    for modality, tower in zip(("video", "audio"), towers, strict=True):
        for window in range(2):
            expected = tower(clips[modality][:, window], training=False)
            for value, reference in (
                (getattr(found, modality), expected.features),
                (getattr(found, f"{modality}_embedding"), expected.embedding),
            ):
                assert value.dtype == np.float32
                rounding.assert_close(value[:, window], reference)
    assert found.labels.tolist() == clips["label"].tolist()
    assert found.clip_ids.tolist() == clips["clip_id"].tolist()
    assert found.filenames == [f"folder/ä{i}.mp4" for i in range(5)]


def test_one_graph_serves_short_batches_and_further_data(towers, rng):
    extractor = features.Extractor(*towers)
    for num in (7, 3, 1):
        assert extractor(_batches(_clips(rng, num), 3)).video.shape[:2] == (num, 2)
    assert extractor.num_traces == 1
    extractor(_batches(_clips(rng, 2, windows=3), 3))
    assert extractor.num_traces == 2


def test_the_same_graph_sees_new_weights(towers, rng):
    dataset = _batches(_clips(rng, 3), 3)
    extractor = features.Extractor(*towers)
    before = extractor(dataset).video
    weights = towers[0].get_weights()
    towers[0].set_weights([weight * 1.5 for weight in weights])
    after = extractor(dataset).video
    towers[0].set_weights(weights)
    assert np.abs(after - before).max() > 1e-3
    np.testing.assert_array_equal(extractor(dataset).video, before)


def test_extraction_changes_no_weight(towers, rng):
    before = [weight for tower in towers for weight in tower.get_weights()]
    features.Extractor(*towers)(_batches(_clips(rng, 3), 2))
    after = [weight for tower in towers for weight in tower.get_weights()]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_no_clip_is_an_error(towers, rng):
    with pytest.raises(ValueError, match="expected at least 1 clip"):
        features.Extractor(*towers)(_batches(_clips(rng, 2), 2).take(0))


def test_reads_the_evaluation_pipeline(towers, tiny_data):
    data = config.DataConfig(data_dir=str(tiny_data), num_frames=4, image_size=16)
    dataset = pipeline.build_eval_dataset(data, split="test", batch_size=5, num_windows=3)
    found = features.Extractor(*towers)(dataset)
    assert found.video.shape[:2] == found.audio.shape[:2] == (12, 3)
    size = small_models.ENCODERS["embedding_size"]
    assert found.video_embedding.shape == found.audio_embedding.shape == (12, 3, size)
    np.testing.assert_allclose(np.linalg.norm(found.audio_embedding, axis=-1), 1.0, atol=1e-5)
    # The split is stored shard by shard: even clips, then odd ones.
    assert found.labels.tolist() == [i % 3 for i in [*range(0, 12, 2), *range(1, 12, 2)]]
    assert found.filenames[0] == "test/d0_000.mp4"
    assert len(set(found.clip_ids.tolist())) == 12
