import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.data.records import record_check, records
from tests.contract_writer import clip, jpeg

SECOND = {"clip__start__timestamp": [500_000], "clip__end__timestamp": [2_500_000]}


def changed(change):
    """A good clip after a change."""
    example = tf.train.SequenceExample.FromString(clip(2))
    change(example)
    return example.SerializeToString()


def lists(key):
    return lambda example: example.feature_lists.feature_list[key].feature


def test_all_that_a_record_says():
    said = clip(
        3,
        frames=[jpeg(size=(24, 32))] * 3,
        waveform=np.full(500, -0.1),
        image__frame_rate=[10.0],
        WAVEFORM__feature__sample_rate=[1000.0],
        clip__label__index=[4, 2],
        clip__label__string=[b"/m/1", b"/m/2"],
        clip__label__text=["Dög".encode(), b"Cat"],
        example__id=[b"one"],
        video__filename=[b"x\xff.mp4"],
        **SECOND,
    )
    facts = record_check.read_facts(said, every_frame=True)
    assert facts._replace(loudest_db=0.0) == record_check.RecordFacts(
        frames=3,
        samples=500,
        height=24,
        width=32,
        frame_rate=10.0,
        sample_rate=1000.0,
        start=0.5,
        seconds=2.0,
        labels=(4, 2),
        names=("/m/1", "/m/2"),
        loudest_db=0.0,
        clip="one",
        video="x\udcff.mp4",
        num_bytes=len(said),
    )
    assert facts.loudest_db == pytest.approx(-20.0, abs=1e-3)


def test_a_record_that_says_nothing():
    facts = record_check.read_facts(clip(2, clip__data_path=[b"y.mp4"]))
    assert (facts.frame_rate, facts.sample_rate, facts.start, facts.seconds) == (0, 0, 0, 0)
    assert (facts.labels, facts.names, facts.video) == ((), (), "y.mp4")
    # Known by its contents.
    assert facts.clip == record_check.read_facts(clip(2, clip__data_path=[b"y.mp4"])).clip
    assert facts.clip != record_check.read_facts(clip(2, clip__data_path=[b"z.mp4"])).clip


@pytest.mark.parametrize(
    "record, frames, samples, loudest",
    [
        (clip(2, 0), 2, 0, None),
        (clip(0, 300), 0, 300, pytest.approx(-35, abs=5)),
        (clip(2, waveform=np.zeros(300)), 2, 300, pytest.approx(-120)),
        (clip(2, clip__label__index=[-1]), 2, 2000, pytest.approx(-19, abs=5)),
        (clip(2, waveform=[1.05, -3.9]), 2, 2, pytest.approx(9.1, abs=0.1)),
    ],
)
def test_streams_and_degenerate_clips(record, frames, samples, loudest):
    facts = record_check.read_facts(record)
    assert (facts.frames, facts.samples, facts.loudest_db) == (frames, samples, loudest)
    assert facts.labels == ()
    # What is good here is good for training.
    assert len(records.parse_example(tf.constant(record))["frames_jpeg"]) == frames


FAULTS = [
    (b"\xff\xff no message", "is no tf.train.SequenceExample"),
    (clip(0, 0), "holds neither image/encoded nor WAVEFORM/feature/floats, but nothing"),
    (clip(0, 0, a=[1], b=[1]), "but a, b"),
    (clip(0, 0, image__encoded=[jpeg()]), "holds image/encoded in its context"),
    (clip(2, waveform=[0.0, np.nan]), "holds samples up to nan"),
    (clip(2, waveform=[0.0, -np.inf]), "holds samples up to inf"),
    (clip(2, waveform=[0.0, -32768.0]), r"up to 32768 .* expected floats in \[-1, 1\]"),
    (changed(lambda e: lists(records.WAVEFORM)(e).add()), "holds 2 features in WAVEFORM"),
    (
        changed(lambda e: lists(records.WAVEFORM)(e)[0].int64_list.value.append(1)),
        "holds integers in WAVEFORM/feature/floats, expected floats",
    ),
    (
        changed(lambda e: lists(records.IMAGE)(e).add()),
        "holds nothing in feature 2 of image/encoded",
    ),
    (
        changed(lambda e: lists(records.IMAGE)(e)[0].bytes_list.value.append(b"")),
        "holds bytes in feature 0 of image/encoded, expected the bytes of one JPEG",
    ),
    (clip(frames=[jpeg(kind="GIF")]), "holds a frame, number 0, that is a GIF image"),
    (clip(frames=[jpeg(), jpeg(kind="PNG")[:-9]]), "holds a frame, number 1, that is cut off"),
    (clip(frames=[jpeg(kind="PNG")[:20]]), "number 0, that is a PNG with a damaged header"),
    (clip(frames=[jpeg(), jpeg()[:-9]]), "holds a frame, number 1, that is cut off"),
    (clip(frames=[jpeg(), jpeg(size=(8, 9))]), "of different sizes: 32 x 24 and, number 1, 9 x 8"),
    (clip(2, image__frame_rate=[25]), "holds integers in image/frame_rate, expected floats"),
    (clip(2, image__frame_rate=[25.0, 25.0]), "holds 2 values in image/frame_rate"),
    (clip(2, image__frame_rate=[-1.0]), "holds -1.0 in image/frame_rate, expected a rate"),
    (clip(2, image__frame_rate=[float("nan")]), "holds nan in image/frame_rate"),
    (clip(2, clip__label__index=[2.0]), "holds floats in clip/label/index, expected integers"),
    (clip(2, clip__label__index=[-2]), "expected indices from 0 on"),
    (
        clip(2, clip__label__index=[1, 2], clip__label__text=[b"a"]),
        "holds 2 label indices but 1 names",
    ),
    (
        clip(2, clip__start__timestamp=[5], clip__end__timestamp=[5]),
        "holds 5 in clip/end/timestamp, expected more than its start, 5",
    ),
]


@pytest.mark.parametrize("record, words", FAULTS)
def test_faults_in_words(record, words):
    with pytest.raises(records.DataError, match=words):
        record_check.read_facts(record, every_frame=True)


def test_the_first_frame_alone():
    record_check.read_facts(clip(frames=[jpeg(), b"no image"]))
    with pytest.raises(records.DataError, match="number 0"):
        record_check.read_facts(clip(frames=[b"no image", jpeg()]))
