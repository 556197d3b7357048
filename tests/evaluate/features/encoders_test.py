"""Encoders of runs and exports: the same weights, the same features."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf import config
from actcl_tf.data.records import records
from actcl_tf.evaluate.features import encoders
from actcl_tf.models import frontends, torchvision_weights, video_encoders
from actcl_tf.train.runs import checkpoints, errors, loading
from tests import exports, rounding, saved_runs, small_models
from tests.published_weights import describe, draw, write_safetensors


@pytest.fixture(scope="module")
def saved(tiny_data, tmp_path_factory):
    """A run, its model, and an export of it."""
    folder = tmp_path_factory.mktemp("encoders")
    run = config.from_flat(
        {
            "data_dir": str(tiny_data),
            "run_dir": str(folder / "run"),
            "num_frames": 4,
            "frame_stride": 2,
            "image_size": 16,
            **small_models.ENCODERS,
            "dictionary_size": 6,
            "pool_size": 18,
            "batch_size": 6,
            "region": "0,0.1,1,0.9",
            "seed": 3,
        }
    )
    model = saved_runs.save_run(run, in_dictionary=6, in_pool=12)
    loaded = loading.load_towers(run.train.run_dir)
    exports.save(loaded, folder / "export")
    return folder, run, model


def _clips(rng):
    return {
        "video": tf.constant(rng.integers(0, 256, [2, 4, 16, 16, 3]).astype(np.uint8)),
        "audio": tf.constant(rng.uniform(-1, 1, [2, 6400]).astype(np.float32)),
    }


def test_a_run_and_its_export_encode_alike(saved, rng):
    folder, run, model = saved
    both = [encoders.open_checkpoint(str(folder / name)) for name in ("run", "export")]
    assert [each.kind for each in both] == ["run", "saved_model"]
    for each in both:
        assert (each.step, each.sample_rate, each.frame_rate) == (3, 8000, 5.0)
        assert (each.num_audio_samples, each.run.data.num_frames) == (6400, 4)
        assert each.run.data.region_box == (0.0, 0.1, 1.0, 0.9)
        assert each.run.model == run.model
    clips = _clips(rng)
    for modality, inputs in clips.items():
        expected = model.query_towers[modality](inputs, training=False)
        for each in both:
            found = encoders.load(each)[modality](inputs)
            rounding.assert_close(found.features, expected.features)
            rounding.assert_close(found.embedding, expected.embedding)


def test_digests_tell_weights_apart(saved):
    folder, run, model = saved
    first = encoders.open_checkpoint(str(folder / "run")).digest
    assert encoders.open_checkpoint(str(folder / "run")).digest == first
    model.query_towers["video"].trainable_variables[0].assign_add(
        tf.ones_like(model.query_towers["video"].trainable_variables[0])
    )
    model.step.assign(4)
    manager = checkpoints.Manager(model, run.train.run_dir, 2, model.query_towers)
    manager.save()
    changed = encoders.open_checkpoint(str(folder / "run"))
    assert changed.step == 4
    assert changed.digest != first
    assert encoders.open_checkpoint(str(folder / "run"), "latest").digest == changed.digest


def test_initialised_are_those_that_the_run_began_with(saved, rng):
    folder, _, _ = saved
    checkpoint = encoders.open_checkpoint(str(folder / "run"))
    audio = _clips(rng)["audio"]
    found = [encoders.initialised(checkpoint)["audio"](audio).features for _ in range(2)]
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[0] - encoders.load(checkpoint)["audio"](audio).features).max() > 0
    exported = encoders.open_checkpoint(str(folder / "export"))
    np.testing.assert_array_equal(encoders.initialised(exported)["audio"](audio).features, found[0])


def test_initialised_are_the_published_weights_of_a_run_that_began_with_them(tmp_path, rng):
    state, path = draw(describe("mc3_18")), tmp_path / "mc3_18.safetensors"
    write_safetensors(path, state)
    run = config.from_flat(
        {
            **small_models.ENCODERS,
            "video_encoder": "mc3_18",
            "video_width": 1.0,
            "init_from": str(path),
            "num_frames": 4,
            "image_size": 16,
        }
    )
    checkpoint = encoders.Checkpoint("run", "", "", "", 1, run, 8000, 5.0, 6400)
    video = _clips(rng)["video"]
    found = encoders.initialised(checkpoint)["video"](video).features
    backbone = video_encoders.build_video_encoder("mc3_18", 1.0)
    frames = frontends.VideoFrontend()(video)
    backbone(frames)
    backbone.set_weights(torchvision_weights.convert(state, backbone).weights)
    # 18 layers; the last ones add up 3 x 3 x 512 products.
    rounding.assert_close(found, backbone(frames, training=False), rounding.of_sums(9 * 512, 18))
    path.unlink()
    with pytest.raises(config.ConfigError, match=r"--init_from=.*: no such file"):
        encoders.initialised(checkpoint)


def test_log_mel_is_mean_and_deviation_of_the_bands(rng):
    audio = rng.uniform(-1, 1, [3, 4000]).astype(np.float32)
    spectrogram = frontends.AudioFrontend(8000, 16, 0.0, 0.0)(audio).numpy()
    found = encoders.log_mel(8000, 16)["audio"](tf.constant(audio))
    assert found.embedding is None
    expected = np.concatenate([spectrogram.mean(1), spectrogram.std(1)], 1)
    np.testing.assert_allclose(found.features, expected, rtol=1e-4, atol=1e-4)


def test_what_is_no_checkpoint_is_refused(tmp_path):
    with pytest.raises(errors.CheckpointError, match=r"--checkpoint=.*no such folder"):
        encoders.open_checkpoint(str(tmp_path / "none"))
    with pytest.raises(errors.CheckpointError, match=r"holds no run.json"):
        encoders.open_checkpoint(str(tmp_path))
    (tmp_path / "metadata.json").write_text("{}")
    with pytest.raises(errors.CheckpointError, match=r"by an older version of this package"):
        encoders.open_checkpoint(str(tmp_path))


@pytest.mark.parametrize(
    "frame_rate, sample_rate, given, expected",
    [
        (5.0, 8000, {}, 1),
        (10.0, 8000, {}, 2),
        (10.1, 8000, {}, 2),
        (12.0, 8000, {}, "12 frames a second.* takes 5: .*--frame_rate=5"),
        (2.0, 8000, {}, "2 frames a second"),
        (12.0, 8000, {"frame_stride": 7}, 7),
        (10.0, 16000, {}, "16000 samples a second.* takes 8000: .*--sample_rate=8000"),
    ],
)
def test_rates(saved, tiny_data, frame_rate, sample_rate, given, expected):
    folder, run, _ = saved
    checkpoint = encoders.open_checkpoint(str(folder / "run"))
    manifest = dataclasses.replace(
        records.read_manifest(tiny_data / "test"), frame_rate=frame_rate, sample_rate=sample_rate
    )
    data = dataclasses.replace(run.data, **given)
    if isinstance(expected, int):
        assert encoders.match_rates(data, manifest, checkpoint, given).frame_stride == expected
        return
    with pytest.raises(records.DataError, match=expected):
        encoders.match_rates(data, manifest, checkpoint, given)
