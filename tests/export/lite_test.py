"""TFLite models against the encoders that they are made of."""

import numpy as np
import pytest

from actcl_tf.export import forms, lite
from actcl_tf.export.errors import ExportError
from tests import exports, rounding


@pytest.fixture(scope="module")
def run():
    return exports.small_run(depth=10)  # Large enough for its weights to make the size.


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(2)
    noise = rng.normal(0, 0.02, [12, exports.NUM_SAMPLES])
    return {
        "video": exports.pixels(
            rng, 12, exports.NUM_FRAMES, exports.IMAGE_SIZE, exports.IMAGE_SIZE
        ),
        "audio": exports.tones(12, exports.NUM_SAMPLES) + noise.astype(np.float32),
    }


@pytest.fixture(scope="module")
def models(run, clips):
    towers = {"video": run.video_tower, "audio": run.audio_tower}
    return {
        (modality, kind): lite.convert(tower, clips[modality], kind)
        for modality, tower in towers.items()
        for kind in forms.TFLITE
    }


@pytest.mark.parametrize("kind", forms.TFLITE)
@pytest.mark.parametrize("modality", ["video", "audio"])
def test_embeddings_agree_with_those_of_the_encoder(run, clips, models, modality, kind):
    tower = getattr(run, f"{modality}_tower")
    found = lite.agreement(models[modality, kind], tower, clips[modality])
    assert found.num_clips == 12
    assert found.least >= lite.LEAST_COSINE[kind], found
    assert found.least <= found.mean <= 1.0 + 1e-5


@pytest.mark.parametrize("modality", ["video", "audio"])
def test_a_model_gives_what_the_encoder_gives(run, clips, models, modality):
    tower, clip = getattr(run, f"{modality}_tower"), clips[modality][:1]
    found = lite.Runner(models[modality, "float32"]).encode(clip)
    expected = tower(clip)
    for name in ("embedding", "features"):
        rounding.assert_close(found[name], getattr(expected, name))
    assert abs(np.linalg.norm(found["embedding"]) - 1) < 1e-5


@pytest.mark.parametrize("kind", forms.TFLITE)
@pytest.mark.parametrize("modality", ["video", "audio"])
def test_embeddings_have_length_one_in_every_format(clips, models, modality, kind):
    runner = lite.Runner(models[modality, kind])
    found = [runner.encode(clip[np.newaxis])["embedding"] for clip in clips[modality][:8]]
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1.0, atol=1e-5)


def test_agreement_sees_another_encoder(clips, models):
    other = exports.small_run(seed=4, depth=10)
    found = lite.agreement(models["audio", "float32"], other.audio_tower, clips["audio"][:4])
    assert found.least < 0.9


def test_smaller_kinds_are_smaller(models):
    for modality in ("video", "audio"):
        sizes = [len(models[modality, kind]) for kind in ("float32", "float16")]
        assert sizes[1] < 0.7 * sizes[0]
    assert len(models["audio", "int8"]) < 0.45 * len(models["audio", "float32"])


def test_integers_are_where_they_can_be(models):
    video, audio = (lite.float_ops(models[each, "int8"]) for each in ("video", "audio"))
    # Ten-layer networks have 12 convolutions with those of the shortcuts.
    assert video["CONV_3D"] == 12
    assert "CONV_2D" not in audio
    assert audio["RFFT2D"] == 1
    assert lite.float_ops(models["audio", "float32"])["CONV_2D"] == 12


def test_what_cannot_be_converted_is_told(run):
    with pytest.raises(ExportError, match=r"audio_float32.tflite cannot be made"):
        lite.convert(run.audio_tower, np.zeros([1, 3, 5], np.float32), "float32")
