"""Sound of records of others: packets, channels, and integers under the name of floats."""

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.data.records import waveforms
from actcl_tf.storage.errors import DataError


def _example(packets, stamps=(), **context):
    example = tf.train.SequenceExample()
    lists = example.feature_lists.feature_list
    for packet in packets:
        lists["WAVEFORM/feature/floats"].feature.add().float_list.value.extend(packet)
    for stamp in stamps:
        lists["WAVEFORM/feature/timestamp"].feature.add().int64_list.value.append(stamp)
    for key, value in context.items():
        feature = example.context.feature[f"WAVEFORM/feature/{key}"]
        feature.int64_list.value.append(value)
    return example


@pytest.mark.parametrize(
    ("packets", "stamps", "rate", "expected"),
    [
        ([], [], 0.0, []),
        ([[0.5, -0.5]], [], 10.0, [0.5, -0.5]),
        ([[0.5, -0.5]], [7], 10.0, [0.5, -0.5]),
        ([[0.1, 0.2], [0.3]], [0, 200_000], 10.0, [0.1, 0.2, 0.3]),
        ([[0.1, 0.2], [0.3]], [5_000_000, 5_200_000], 0.0, [0.1, 0.2, 0.3]),
        ([[0.1, 0.2], [0.3]], [0, 210_000], 10.0, [0.1, 0.2, 0.3]),  # Clocks are coarse.
        ([[0.1, 0.2], [], [0.3]], [0, 200_000, 200_000], 10.0, [0.1, 0.2, 0.3]),
    ],
)
def test_packets_that_follow_each_other_are_joined(packets, stamps, rate, expected):
    found = waveforms.read(_example(packets, stamps, num_channels=1), rate)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize(
    ("packets", "stamps", "channels", "message"),
    [
        ([[0.1], [0.2]], [], 1, "holds 2 features in .*floats and 0 in .*timestamp, expected one"),
        ([[0.1], [0.2]], [0], 1, "holds 2 features in .* and 1 in"),
        ([[0.1], [0.2]], [9, 9], 1, "holds 9 last in .*timestamp, expected more than 9, the first"),
        (
            [[0.1] * 4, [0.2] * 4],
            [0, 200_000],
            1,
            r"overlap or leave gaps: number 1 begins 0.200 s",
        ),
        (
            [[0.1] * 4, [0.2] * 4],
            [0, 900_000],
            1,
            r"begins 0.900 s .* has 4 samples at 10 a second",
        ),
        ([[0.1] * 4, [0.2]], [400_000, 0], 1, "expected more than 400000, the first"),
        ([[0.1] * 4], [0], 2, "holds 2 in .*num_channels, expected 1: mix the channels to one"),
    ],
)
def test_packets_that_do_not_are_refused(packets, stamps, channels, message):
    with pytest.raises(DataError, match=message):
        waveforms.read(_example(packets, stamps, num_channels=channels), 10.0)


@pytest.mark.parametrize("loudness", [1.0, 0.1, 0.001])
def test_integers_under_the_name_of_floats_are_named(loudness):
    # What ffmpeg writes as s32le, read as float32.
    tone = loudness * np.sin(np.arange(16000) / 10)
    noise = loudness * np.random.default_rng(0).normal(0.0, 0.1, 16000)
    for sound in (tone, noise):
        values = np.clip(sound * 2**31, -(2**31), 2**31 - 1).astype("<i4").view(np.float32)
        with pytest.raises(DataError, match=r"holds 32-bit integers under the name .*f32le"):
            waveforms.read(_example([values]), 16000.0)


@pytest.mark.parametrize("values", [[0.0, np.nan], [np.nan] * 9, [32767.0, -5.0], [0.1, np.inf]])
def test_other_wrong_numbers_are_not(values):
    with pytest.raises(DataError, match=r"holds samples up to .* expected floats in \[-1, 1\]"):
        waveforms.read(_example([values]), 16000.0)
