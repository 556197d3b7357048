"""Time stamps of frames: even, at the rate that is named, and from where the audio begins."""

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.data.records import frame_times, record_check
from actcl_tf.storage.errors import DataError
from tests import contract_writer

EVEN = [100_000 * index for index in range(20)]


def _example(stamps, audio=(), key="int64_list"):
    example = tf.train.SequenceExample.FromString(contract_writer.clip())
    lists = example.feature_lists.feature_list
    for name, values in (("image", stamps), ("WAVEFORM/feature", audio)):
        for value in values:
            feature = lists[f"{name}/timestamp"].feature.add()
            getattr(feature, key).value.append(value)
    return example


@pytest.mark.parametrize(
    ("stamps", "audio", "rate"),
    [
        ([], [], 25.0),
        (EVEN, [], 0.0),
        (EVEN, [], 10.0),
        (EVEN, [90_000], 10.0),
        ([7_000_000 + stamp for stamp in EVEN], [7_000_000], 10.0),
        ([round(1e6 * index / 29.97) for index in range(20)], [], 30.0),
        # Clocks of milliseconds, and of 90 kHz.
        ([1000 * round(1e3 * index / 24) for index in range(20)], [], 24.0),
        ([EVEN[0], EVEN[1] + 15_000, *EVEN[2:]], [], 10.0),
    ],
)
def test_even_frames_beside_their_audio_are_taken(stamps, audio, rate):
    frame_times.check(_example(stamps, audio), rate)


@pytest.mark.parametrize(
    ("stamps", "audio", "rate", "message"),
    [
        (EVEN[:-1], [], 10.0, "holds 20 frames and 19 time stamps in image/timestamp"),
        (EVEN, [], 25.0, r"frames 0.100 s apart by image/timestamp, but 25 a second by image/fr"),
        (EVEN, [150_000], 10.0, r"video from 0.000 s on .* audio from 0.150 s on .*same span"),
        ([*EVEN[:-1], 5_000_000], [], 10.0, r"uneven .* number 19 comes 3.200 s .* most 0.100 s"),
        ([*EVEN[:10], *(700_000 + stamp for stamp in EVEN[10:])], [], 0.0, "number 10 comes 0.800"),
        ([*EVEN[:5], *EVEN[4:-1]], [], 10.0, "0.400000 s after 0.400000 s in .* stamps that rise"),
        (EVEN[::-1], [], 10.0, "1.800000 s after 1.900000 s in .* expected time stamps that rise"),
    ],
)
def test_others_are_refused(stamps, audio, rate, message):
    with pytest.raises(DataError, match=message):
        frame_times.check(_example(stamps, audio), rate)


def test_stamps_of_another_kind_are_refused():
    with pytest.raises(DataError, match="holds floats in image/timestamp, expected integers"):
        frame_times.check(_example(np.array(EVEN, float), key="float_list"), 10.0)


def test_a_record_is_checked():
    example = _example([*EVEN[:-1], 5_000_000])
    with pytest.raises(DataError, match="uneven"):
        record_check.read_facts(example.SerializeToString())
