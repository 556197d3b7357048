"""Loading an export, and media for it."""

import numpy as np
import pytest

import actcl_tf
from actcl_tf.data.media.containers import media
from tests import media_files


@pytest.fixture(scope="module")
def encoders(exported_model):
    return actcl_tf.load(exported_model)


def test_short_names_are_there_and_others_are_not():
    assert {"load", "VideoEncoder", "AudioEncoder"} <= set(dir(actcl_tf))
    for name in actcl_tf.__all__:
        assert getattr(actcl_tf, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        _ = actcl_tf.lod


@pytest.fixture
def video(tmp_path):
    """Two seconds, dark in the first and bright in the second."""
    frames = [media_files.grey(40 if i < 25 else 200) for i in range(50)]
    path = tmp_path / "a.mp4"
    media_files.write_media(path, frames=frames, sounds=[media_files.tone(2.0)])
    return path


def test_a_video_is_read_at_the_rates_of_the_encoders(encoders, video):
    clip = encoders.read(video)
    # 12.5 frames and 16,000 samples a second, for two seconds.
    assert clip.frames.shape == (1, 25, 48, 64, 3)
    assert clip.frames.dtype == np.uint8
    assert clip.waveform.shape == (1, 32000)
    brightness = clip.frames.mean(axis=(0, 2, 3, 4))
    assert abs(brightness[0] - 40) < 6
    assert abs(brightness[-1] - 200) < 6
    for encoder, value in ((encoders.video, clip.frames), (encoders.audio, clip.waveform)):
        length = np.linalg.norm(encoder.embed(value)["embedding"])
        assert abs(length - 1) < 1e-5


def test_a_span_and_one_stream_are_read(encoders, video):
    clip = encoders.read(video, streams="video", start=1.2, end=1.84)
    assert clip.waveform is None
    assert clip.frames.shape == (1, 8, 48, 64, 3)
    assert abs(clip.frames.mean() - 200) < 6
    clip = encoders.read(video, streams="audio", end=0.5)
    assert clip.frames is None
    assert clip.waveform.shape == (1, 8000)


def test_sound_alone_is_read_and_pictures_without_sound_are_told(encoders, tmp_path):
    path = tmp_path / "a.wav"
    media_files.write_media(path, sounds=[media_files.tone(1.0)], sound_codec="pcm_s16le")
    assert encoders.read(path, streams="audio").waveform.shape == (1, 16000)
    with pytest.raises(media.MediaError, match=r"a\.wav: it has no moving video"):
        encoders.read(path)
    with pytest.raises(media.MediaError, match=r"none\.mp4: .*No such file"):
        encoders.read(tmp_path / "none.mp4")
