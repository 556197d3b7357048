"""Audio as an image."""

import numpy as np
import pytest

from actcl_tf.reporting import spectrogram


@pytest.mark.parametrize("rate, bands", [(16000, 80), (4000, 80), (1000, 80)])
def test_shapes_and_silence(rate, bands):
    found = spectrogram.log_mel(np.zeros(rate, np.float32), rate)
    assert found.shape == (100, bands)
    np.testing.assert_allclose(found, -2.0, atol=1e-5)


def test_a_higher_tone_is_higher_up():
    time = np.arange(16000) / 16000
    places = [
        spectrogram.log_mel(np.sin(2 * np.pi * hertz * time).astype("f"), 16000).mean(0).argmax()
        for hertz in (200, 1000, 5000)
    ]
    assert places == sorted(places)
    assert len(set(places)) == 3
