import av
import numpy as np
import pytest

from actcl_tf.data.media import audio_sampler
from actcl_tf.data.records import records
from tests.media_files import tone


def test_num_samples_is_that_of_records():
    for frames in range(1, 400, 7):
        for rate in (8.0, 12.5, 25.0, 29.97):
            for sample_rate in (8000, 16000, 22050):
                expected = records.num_samples(frames, rate, sample_rate)
                assert audio_sampler.num_samples(frames, rate, sample_rate) == expected


@pytest.mark.parametrize("amplitude, expected", [(1.0, -3.01), (0.1, -23.01), (0.0, -120.0)])
def test_loudest_db(amplitude, expected):
    sound = np.concatenate([np.zeros(16000, np.float32), tone(0.5, amplitude=amplitude)])
    assert audio_sampler.loudest_db(sound, 16000) == pytest.approx(expected, abs=0.05)
    assert audio_sampler.loudest_db(sound[-100:], 16000) == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize(
    "channels, gains, expected",
    [
        (["FC"], [0.8], 0.8),
        (["NONE"], [-0.8], -0.8),
        (["FL", "FR"], [0.8, 0.4], 0.6),
        (["FL", "FR"], [0.8, 0.0], 0.4),
        (["FL", "FR"], [0.8, -0.8], 0.8),  # Cancelled: the first of the loudest.
        (["FL", "FR"], [0.7, -0.8], -0.8),
        (["FL", "FR"], [0.0, 0.0], 0.0),
        (["NONE"] * 4, [0.8, 0.4, 0.0, 0.0], 0.3),
        (["DL", "DR"], [0.5, 0.5], 0.5),
        (["LFE"], [0.5], 0.5),
        (["FL", "FR", "LFE"], [0.2, 0.2, 1.0], 0.2),
        (["FL", "FR", "FC", "LFE", "BL", "BR"], [1.0] * 6, 1.0),
        (["FL", "FR", "FC", "LFE", "BL", "BR"], [0.0, 0.0, 1.0, 1.0, 0.0, 0.0], 0.2929),
    ],
)
def test_mix(channels, gains, expected):
    sound = np.array(gains, np.float32)[:, None] * tone(0.1, amplitude=1.0)
    mixed = audio_sampler.mix(sound, tuple(channels))
    assert mixed.dtype == np.float32
    np.testing.assert_allclose(mixed, expected * tone(0.1, amplitude=1.0), atol=1e-3)


def test_channels_that_have_nothing_to_do_with_each_other_do_not_cancel(rng):
    for _ in range(20):
        sound = rng.normal(0, 0.1, (6, 1600)).astype(np.float32)
        names = ("FL", "FR", "FC", "LFE", "BL", "BR")
        weights = np.array([0.7071, 0.7071, 1.0, 0.0, 0.5, 0.5]) / 3.4142
        np.testing.assert_allclose(audio_sampler.mix(sound, names), weights @ sound, atol=1e-5)


@pytest.mark.parametrize(
    "amplitude, silence_db, expected",
    [
        (0.0, -50.0, "silent"),
        (0.0, None, "silent"),
        (1e-3, -50.0, "near_silent"),
        (1e-3, None, None),
        (0.1, -50.0, None),
        (np.nan, -50.0, "damaged"),
        (np.inf, None, "damaged"),
    ],
)
def test_fault(amplitude, silence_db, expected):
    with np.errstate(invalid="ignore"):
        sound = tone(1, amplitude=amplitude)
    assert audio_sampler.fault(sound, 16000, silence_db) == expected


def _times(step, num=100):
    return np.arange(num) * step


@pytest.mark.parametrize(
    "times, expected",
    [
        (_times(0.02), None),
        (_times(0.0201), None),  # A clock that is slow: laid anew every 6 s.
        (_times(0.02) + 0.02 * (np.arange(100) % 2), None),
        (np.append(_times(0.02, 50), 1.5 + _times(0.02, 50)), None),  # Half a second is lost.
        (_times(0.02) + 0.1 * (np.arange(100) > 50) + 0.1 * (np.arange(100) > 60), None),
        # FFmpeg counts with twice the sample rate, or half of it; AVI with AMR.
        (_times(0.01), (0.03, 1.01)),
        (_times(0.04), (0.04, 3.96)),
        (_times(0.32, 10), (0.0, 2.9)),
        # From 1 s on.
        (np.append(_times(0.02, 50), 1.0 + _times(0.05, 50)), (1.0, 3.45)),
    ],
)
def test_time_stamps_that_do_not_fit_the_samples_are_told(times, expected):
    sampler = audio_sampler.AudioSampler(8000)
    for time in times:
        frame = av.AudioFrame.from_ndarray(
            np.zeros([1, 160], np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 8000
        sampler.add(frame, float(time))
    if expected is None:
        assert sampler.damage == []
        return
    (damage,) = sampler.damage
    assert damage.reason == "uneven_audio"
    assert (damage.start, damage.end) == pytest.approx(expected, abs=0.1)
