"""Windows and crops of clips that tell their own time and place."""

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.config import DataConfig
from actcl_tf.data.input import clip_sources, clip_spec, evaluation_clips
from actcl_tf.data.records import example_building, records
from tests import split_files

CONFIG = DataConfig(num_frames=4, frame_stride=2, image_size=16)


def _maker(manifest, modalities, num_windows, crops=1, num_samples=None):
    spec = clip_spec.build_clip_spec(
        CONFIG, manifest, modalities=modalities, num_samples=num_samples
    )
    source = clip_sources.StoredClips(manifest)
    made = evaluation_clips.EvaluationClips(CONFIG, source, spec, num_windows, crops)
    return functools.partial(made, 0)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluation_clips")
    split_files.write_split(folder, "test", [split_files.ramp_clip("a", 30)])
    return records.read_manifest(folder / "test")


def _record(**changes):
    return tf.constant(split_files.ramp_clip("a", 30, **changes).SerializeToString())


def test_each_stream_alone_is_what_it_is_beside_the_other(manifest):
    both = _maker(manifest, ("video", "audio"), 3)(_record())
    alone = _maker(manifest, ("video",), 3)(_record())
    assert sorted(alone) == ["clip_id", "filename", "label", "video"]
    np.testing.assert_array_equal(alone["video"], both["video"])
    sound = _maker(manifest, ("audio",), 3)(_record())
    assert sorted(sound) == ["audio", "clip_id", "filename", "label"]
    np.testing.assert_array_equal(sound["audio"], both["audio"])  # Starts 0, 1.1 and 2.2 s.


@pytest.mark.parametrize(
    "num_samples, windows, starts",
    [(1000, 1, [1000]), (1000, 3, [0, 1000, 2000]), (3000, 2, [0, 0]), (2500, 3, [0, 250, 500])],
)
def test_sound_alone_is_covered_from_end_to_end(manifest, num_samples, windows, starts):
    made = _maker(manifest, ("audio",), windows, num_samples=num_samples)(_record())
    expected = np.array(starts)[:, np.newaxis] + np.arange(num_samples)
    np.testing.assert_allclose(made["audio"] * 10000.0, expected, atol=0.01)


def test_sound_of_a_clip_without_picture(manifest):
    waveform = np.linspace(-1, 1, 2000).astype(np.float32)
    record = example_building.build_example(
        example_id="sound",
        filename="sound.wav",
        frames_jpeg=[],
        waveform=waveform,
        height=0,
        width=0,
        frame_rate=10.0,
        sample_rate=1000.0,
        start_us=0,
        end_us=2_000_000,
    )
    silent = dataclasses.replace(manifest, streams="audio")
    made = _maker(silent, ("audio",), 2, num_samples=1500)(tf.constant(record.SerializeToString()))
    np.testing.assert_array_equal(made["audio"], [waveform[:1500], waveform[500:]])


@pytest.mark.parametrize("wide", [True, False])
def test_three_crops_cover_the_longer_side(manifest, wide):
    """Thirds of a frame are dark, grey and bright; each crop sees its own."""
    frame = np.zeros([24, 72, 3], np.uint8)
    frame[:, 24:48], frame[:, 48:] = 120, 240
    frame = frame if wide else frame.transpose(1, 0, 2)
    clip = split_files.clip("a", [frame] * 10, np.zeros(1000, np.float32))
    made = _maker(manifest, ("video", "audio"), 2, crops=3)(tf.constant(clip.SerializeToString()))
    assert made["video"].shape == (6, 4, 16, 16, 3)
    assert made["audio"].shape == (2, 800)
    means = made["video"].numpy().mean((1, 2, 3, 4))
    np.testing.assert_allclose(means, [0, 120, 240] * 2, atol=8)
    central = _maker(manifest, ("video",), 2)(tf.constant(clip.SerializeToString()))
    assert np.abs(made["video"][1::3].numpy().astype(int) - central["video"].numpy()).max() <= 1


@pytest.mark.parametrize("modalities", [("video",), ("audio",)])
def test_a_clip_shorter_than_a_window_is_an_error(manifest, modalities):
    short = tf.constant(split_files.ramp_clip("a", 7).SerializeToString())
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"lower --(num_frames|audio_window)"):
        _maker(manifest, modalities, 2)(short)


def _looped(manifest, modalities, record, num_samples=None):
    spec = clip_spec.build_clip_spec(
        CONFIG, manifest, modalities=modalities, num_samples=num_samples, loop_short=True
    )
    source = clip_sources.LoopedClips(manifest, spec)
    return evaluation_clips.EvaluationClips(CONFIG, source, spec, 2)(0, record)


def test_short_clips_are_repeated_if_that_is_asked_for(manifest):
    """A clip of 3 frames under spans of 8: frames 0, 2, 1, 0 of it, and the sound of 0 to 3."""
    short = tf.constant(split_files.ramp_clip("a", 3).SerializeToString())
    made = _looped(manifest, ("video", "audio"), short)
    brightness = made["video"].numpy().mean((2, 3, 4)) / split_files.STEP
    np.testing.assert_allclose(brightness[0], [0, 2, 1, 0], atol=0.2)
    # The windows are at both ends of the 9 frames that fill the span: 0 and 1.
    np.testing.assert_allclose(brightness[1], [1, 0, 2, 1], atol=0.2)
    heard = made["audio"].numpy() * 10000
    np.testing.assert_allclose(heard[0], np.arange(800) % 300, atol=0.01)
    np.testing.assert_allclose(heard[1], (100 + np.arange(800)) % 300, atol=0.01)
    alone = _looped(manifest, ("audio",), short, num_samples=700)
    np.testing.assert_allclose(alone["audio"][0].numpy() * 10000, np.arange(700) % 300, atol=0.01)


def test_long_clips_are_not_repeated(manifest):
    made = _looped(manifest, ("video", "audio"), _record())
    plain = _maker(manifest, ("video", "audio"), 2)(_record())
    for key in ("video", "audio"):
        np.testing.assert_array_equal(made[key], plain[key])


@pytest.mark.parametrize("changes", [{"num_windows": 0}, {"num_windows": 1, "crops": 2}])
def test_wrong_numbers_are_refused(manifest, changes):
    with pytest.raises(ValueError, match="must be"):
        _maker(manifest, ("video",), **changes)
