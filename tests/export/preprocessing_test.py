"""Preprocessing in the graph against the input pipeline, SciPy and FFmpeg's resampler."""

import av
import numpy as np
import pytest
import scipy.signal
import tensorflow as tf

from actcl_tf.data.input.transforms import resampling, video_ops
from actcl_tf.export import preprocessing

SIDE = 16
WHOLE = (0.0, 0.0, 1.0, 1.0)
SIZES = [(16, 16), (17, 20), (32, 32), (33, 34), (20, 17), (60, 80), (7, 9), (1, 1)]


def _by_pipeline(frames, region):
    """What the input pipeline does in evaluation to frames [T, H, W, 3]."""
    box = video_ops.central_box(video_ops.region_of(tf.constant(frames.shape[1:3]), region))
    top, left, height, width = box.numpy()
    square = tf.constant(frames[:, top : top + height, left : left + width])
    return video_ops.to_uint8(resampling.resize(square, SIDE)).numpy()


@pytest.mark.parametrize("region", [WHOLE, (0.5, 0.22, 1.0, 0.62)])
@pytest.mark.parametrize("size", SIZES)
def test_squares_are_those_of_the_input_pipeline(rng, size, region):
    video = rng.integers(0, 256, [2, 2, *size, 3], np.uint8)
    found = preprocessing.squares_of_frames(tf.constant(video), SIDE, region)
    assert found.shape == (2, 2, SIDE, SIDE, 3)
    for clip, expected in zip(found, video, strict=True):
        np.testing.assert_array_equal(clip, _by_pipeline(expected, region))


def test_a_square_of_the_right_size_stays_as_it_is(rng):
    video = rng.integers(0, 256, [1, 3, SIDE, SIDE, 3], np.uint8)
    np.testing.assert_array_equal(preprocessing.squares_of_frames(video, SIDE, WHOLE), video)


def test_jpegs_are_decoded_as_by_the_input_pipeline(rng):
    # Frames of one clip need not be of one size; one shrinks while it is decoded.
    sizes = [(20, 30), (64, 48), (140, 200)]
    smooth = [tf.image.resize(rng.uniform(0, 255, [4, 5, 3]), size) for size in sizes]
    jpegs = [tf.io.encode_jpeg(tf.cast(frame, tf.uint8)).numpy() for frame in smooth]
    found = preprocessing.squares_of_jpegs(tf.constant([jpegs]), SIDE, WHOLE)
    assert found.shape == (1, 3, SIDE, SIDE, 3)
    for jpeg, size, square in zip(jpegs, sizes, found[0], strict=True):
        box = video_ops.central_box(tf.constant([0, 0, *size]))
        (cut,) = video_ops.decode_boxes(tf.constant([jpeg]), [box], SIDE)
        np.testing.assert_array_equal(square, video_ops.to_uint8(resampling.resize(cut, SIDE))[0])
        whole = preprocessing.squares_of_frames(tf.io.decode_jpeg(jpeg)[None, None], SIDE, WHOLE)
        # A picture that is decoded at a part of its size is nearly the same.
        assert np.abs(square.numpy() - whole[0, 0].numpy().astype(float)).mean() < 8


def _wav(sound, rate):
    return tf.audio.encode_wav(tf.constant(sound, tf.float32), rate)


def test_wav_of_the_right_rate_is_the_mean_of_its_channels():
    sound = np.array([[0.5, -0.25], [0.25, 0.25], [-1.0, 0.0]])
    found = preprocessing.waveform_of_wav(_wav(sound, 8000), 8000)
    np.testing.assert_allclose(found, [0.125, 0.25, -0.5], atol=1e-4)


@pytest.mark.parametrize("rate, new_rate", [(44100, 16000), (8000, 16000), (22050, 8000)])
@pytest.mark.parametrize("length", [22050, 12345])
def test_resampling_agrees_with_scipy_and_ffmpeg(rate, new_rate, length):
    # A chirp that both rates can hold, faded in and out.
    seconds = np.arange(length) / rate
    top = 0.3 * min(rate, new_rate)
    wave = scipy.signal.chirp(seconds, 100, seconds[-1], top) * np.hanning(length)
    wave = wave.astype(np.float32)
    found = preprocessing.resample(tf.constant(wave), tf.constant(rate), new_rate).numpy()
    assert len(found) == round(length / rate * new_rate)
    gcd = np.gcd(rate, new_rate)
    by_scipy = scipy.signal.resample_poly(wave, new_rate // gcd, rate // gcd)[: len(found)]
    assert np.abs(found[: len(by_scipy)] - by_scipy).max() < 0.02
    resampler = av.AudioResampler(format="flt", layout="mono", rate=new_rate)
    frame = av.AudioFrame.from_ndarray(wave[None], format="flt", layout="mono")
    frame.rate = rate
    parts = [f.to_ndarray()[0] for each in (frame, None) for f in resampler.resample(each)]
    by_ffmpeg = np.concatenate(parts)[: len(found)]
    assert np.abs(found[: len(by_ffmpeg)] - by_ffmpeg).max() < 0.02


@pytest.mark.parametrize("length", [1, 7, 8000])
def test_resampling_keeps_a_constant_and_short_sounds(length):
    found = preprocessing.resample(tf.zeros([length]), tf.constant(8000), 16000)
    np.testing.assert_array_equal(found, np.zeros([2 * length]))
