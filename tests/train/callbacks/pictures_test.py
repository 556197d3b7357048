import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.train.callbacks import pictures


@pytest.mark.parametrize(("num_frames", "columns"), [(1, 1), (4, 4), (8, 8), (24, 8)])
def test_frames_stand_over_their_spectrogram(num_frames, columns):
    frames = tf.cast(tf.range(num_frames)[None, :, None, None, None] * 10, tf.uint8)
    frames = tf.broadcast_to(frames, [2, num_frames, 6, 6, 3])
    spectrogram = tf.tile(tf.linspace(-1.0, 3.0, 5)[None, None, :], [2, 20, 1])
    picture = pictures.frames_over_spectrogram(frames, spectrogram).numpy()
    assert picture.shape == (2, 12, 6 * columns, 3)
    assert picture.dtype == np.uint8
    assert (picture[0, 0, 0] == 0).all()
    assert (picture[0, 0, -1] == 10 * (num_frames - 1)).all()
    # The highest band is on top and the lowest at the bottom, scaled to the whole range.
    assert (picture[:, 6] == 255).all()
    assert (picture[:, -1] == 0).all()


def test_silence_is_drawn_dark():
    picture = pictures.frames_over_spectrogram(
        tf.zeros([1, 2, 4, 4, 3], tf.uint8), tf.fill([1, 10, 5], -2.0)
    )
    assert not picture.numpy().any()
