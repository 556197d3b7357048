"""Spans against numbers worked out by hand, and what a split cannot give."""

import dataclasses

import pytest

from actcl_tf.config import DataConfig
from actcl_tf.data.input import clip_spec
from actcl_tf.data.records import records
from tests import split_files


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spans")
    split_files.write_split(folder, "train", [split_files.ramp_clip("a", 30)])
    return dataclasses.replace(records.read_manifest(folder / "train"), min_samples=3000)


CONFIG = DataConfig(data_dir="DIR", num_frames=4, frame_stride=2)


@pytest.mark.parametrize(
    "modalities, num_samples, expected",
    [
        (("video", "audio"), None, (4, 2, 10.0, 1000.0, 800)),
        (("video",), None, (4, 2, 10.0, 1000.0, 0)),
        (("audio",), None, (0, 2, 10.0, 1000.0, 800)),
        (("audio",), 2500, (0, 2, 10.0, 1000.0, 2500)),
        (("audio",), 3000, (0, 2, 10.0, 1000.0, 3000)),
    ],
)
def test_what_is_used(manifest, modalities, num_samples, expected):
    spec = clip_spec.build_clip_spec(
        CONFIG, manifest, modalities=modalities, num_samples=num_samples
    )
    assert spec == expected
    assert spec.frames == 2 * spec.num_frames


@pytest.mark.parametrize(
    "streams, modalities, message",
    [
        ("audio", ("video", "audio"), "hold audio alone, and video and audio are needed.*=both"),
        ("audio", ("video",), "hold audio alone, and video is needed.*--streams=video"),
        ("video", ("audio",), "hold video alone, and audio is needed.*--streams=audio"),
    ],
)
def test_what_clips_lack_is_named(manifest, streams, modalities, message):
    lacking = dataclasses.replace(manifest, streams=streams)
    with pytest.raises(records.DataError, match=message):
        clip_spec.build_clip_spec(CONFIG, lacking, modalities=modalities)
    clip_spec.build_clip_spec(CONFIG, lacking, modalities=(streams,))


def test_too_long_a_window_is_refused_in_seconds(manifest):
    with pytest.raises(records.DataError, match=r"--audio_window=3.001: .* at most 3 seconds"):
        clip_spec.build_clip_spec(CONFIG, manifest, modalities=("audio",), num_samples=3001)
    unknown = dataclasses.replace(manifest, min_samples=0)
    assert (
        clip_spec.build_clip_spec(CONFIG, unknown, modalities=("audio",), num_samples=3001).samples
        == 3001
    )


def test_one_stream_of_an_index_is_refused(manifest):
    index = dataclasses.replace(manifest, is_index=True)
    for modality in clip_spec.MODALITIES:
        with pytest.raises(records.DataError, match="from prepared clips only"):
            clip_spec.build_clip_spec(CONFIG, index, modalities=(modality,))
    assert clip_spec.build_clip_spec(CONFIG, index).samples == 800


def test_where_short_clips_can_be_repeated_the_way_out_is_named(manifest):
    longer = dataclasses.replace(CONFIG, num_frames=16)
    with pytest.raises(records.DataError, match=r"at most 30, .*; or name --short_clips=loop"):
        clip_spec.build_clip_spec(longer, manifest, loop_short=False)
    with pytest.raises(records.DataError, match=r"'train'$"):
        clip_spec.build_clip_spec(longer, manifest)
    assert clip_spec.build_clip_spec(longer, manifest, loop_short=True).frames == 32
    sound = {"modalities": ("audio",), "num_samples": 3001}
    with pytest.raises(records.DataError, match=r"; or name --short_clips=loop"):
        clip_spec.build_clip_spec(CONFIG, manifest, loop_short=False, **sound)
    assert clip_spec.build_clip_spec(CONFIG, manifest, loop_short=True, **sound).samples == 3001
