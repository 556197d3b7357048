"""Clips in pages, decoded again by FFmpeg's libraries."""

import base64
import io
import re

import av
import numpy as np
import pytest

from actcl_tf.reporting import playable

RATE = 16000


def _clip(frames=None, waveform=None, **changes):
    values = {"caption": "a <b>", "is_right": None, "frame_rate": 10.0, "sample_rate": RATE}
    return playable.Clip(frames=frames, waveform=waveform, **{**values, **changes})


def _media(text, kind):
    return [base64.b64decode(each) for each in re.findall(rf'"data:{kind};base64,([^"]+)"', text)]


def _tone(seconds):
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(int(RATE * seconds)) / RATE)).astype("f")


def test_audio_is_a_wav_over_its_spectrogram():
    wave = _tone(0.5)
    text = playable.to_html(_clip(waveform=wave))
    (data,) = _media(text, "audio/wav")
    with av.open(io.BytesIO(data)) as container:
        heard = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    np.testing.assert_allclose(heard / 32767, wave, atol=1e-4)
    assert len(_media(text, "image/png")) == 1
    assert "a &lt;b&gt;" in text


@pytest.mark.parametrize("height, width, expected", [(240, 320, (120, 160)), (40, 64, (40, 64))])
@pytest.mark.parametrize("has_audio", [True, False])
def test_frames_are_an_mp4_with_audio(height, width, expected, has_audio):
    frames = np.full([7, height, width, 3], 90, np.uint8)
    text = playable.to_html(_clip(frames, _tone(0.7) if has_audio else None))
    (data,) = _media(text, "video/mp4")
    with av.open(io.BytesIO(data)) as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert container.streams.audio
    assert len(shown) == 7
    assert shown[0].shape[:2] == expected
    assert np.abs(np.array(shown).astype(int) - 90).mean() < 4
    assert len(_media(text, "image/jpeg")) == 1
    assert len(_media(text, "image/png")) == has_audio


def test_fine_lines_become_grey_instead_of_others():
    lines = np.zeros([2, 240, 320, 3], np.uint8)
    lines[:, ::2] = 255
    (poster,) = _media(playable.to_html(_clip(lines)), "image/jpeg")
    with av.open(io.BytesIO(poster), format="image2pipe") as container:
        (frame,) = container.decode(video=0)
    shown = frame.to_ndarray(format="gray").astype(int)
    assert shown.shape == (120, 160)
    assert np.abs(shown[4:-4] - 128).max() < 12


@pytest.mark.parametrize("is_right, sign, name", [(True, "✓", "right"), (False, "✗", "wrong")])
def test_right_and_wrong_are_told_by_a_sign(is_right, sign, name):
    text = playable.to_html(_clip(waveform=_tone(0.1), is_right=is_right))
    assert f'class="clip {name}"' in text
    assert f"{sign} a" in text
