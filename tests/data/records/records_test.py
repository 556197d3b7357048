import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.data.records import example_building, records


def example(**changes):
    values = {
        "example_id": "a/b.mp4#0-1000",
        "filename": "a/b.mp4",
        "frames_jpeg": [b"one", b"two"],
        "waveform": np.linspace(-1, 1, 5, dtype=np.float32),
        "height": 3,
        "width": 4,
        "frame_rate": 12.5,
        "sample_rate": 16000,
        "start_us": 0,
        "end_us": 160000,
    }
    return example_building.build_example(**{**values, **changes})


def test_keys_are_those_of_media_sequence():
    built = example(labels=[3], label_texts=["dog"])
    context = built.context.feature
    assert set(context) == {
        "example/id",
        "video/filename",
        "image/format",
        "image/height",
        "image/width",
        "image/channels",
        "image/frame_rate",
        "WAVEFORM/feature/sample_rate",
        "WAVEFORM/feature/num_channels",
        "clip/start/timestamp",
        "clip/end/timestamp",
        "clip/label/index",
        "clip/label/text",
        "clip/label/string",
    }
    assert context["clip/label/index"].int64_list.value[:] == [3]
    assert context["clip/label/string"].bytes_list.value[:] == [b"dog"]
    assert context["clip/end/timestamp"].int64_list.value[:] == [160000]
    lists = built.feature_lists.feature_list
    assert [f.bytes_list.value[:] for f in lists["image/encoded"].feature] == [[b"one"], [b"two"]]
    assert [f.int64_list.value[:] for f in lists["image/timestamp"].feature] == [[0], [80_000]]
    assert [f.int64_list.value[:] for f in lists["WAVEFORM/feature/timestamp"].feature] == [[0]]
    assert context["image/channels"].int64_list.value[:] == [3]
    assert context["WAVEFORM/feature/num_channels"].int64_list.value[:] == [1]
    (sound,) = lists["WAVEFORM/feature/floats"].feature
    np.testing.assert_allclose(sound.float_list.value, np.linspace(-1, 1, 5))
    assert not {"clip/label/index", "clip/label/text"} & set(example().context.feature)


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("label", [None, 0, 7])
def test_parse_gives_back_what_was_built(in_graph, label):
    labels, texts = ((), ()) if label is None else ((label,), ("dög",))
    built = example(labels=labels, label_texts=texts, filename="ü/\udcff.mp4")
    if in_graph:
        dataset = tf.data.Dataset.from_tensors(built.SerializeToString())
        parsed = next(iter(dataset.map(records.parse_example)))
    else:
        parsed = records.parse_example(tf.constant(built.SerializeToString()))
    assert parsed["frames_jpeg"].numpy().tolist() == [b"one", b"two"]
    np.testing.assert_array_equal(parsed["waveform"], np.linspace(-1, 1, 5, dtype=np.float32))
    assert parsed["waveform"].dtype == tf.float32
    assert parsed["label"].dtype == tf.int64
    assert int(parsed["label"]) == (-1 if label is None else label)
    assert parsed["filename"].numpy() == "ü/".encode() + b"\xff.mp4"
    assert parsed["example_id"].numpy() == b"a/b.mp4#0-1000"
    assert float(parsed["frame_rate"]) == 12.5
    assert float(parsed["sample_rate"]) == 16000


@pytest.mark.parametrize(
    "changes, keys, num_frames, num_samples",
    [
        ({"waveform": None}, {"format", "height", "width", "channels", "frame_rate"}, 2, 0),
        ({"frames_jpeg": []}, {"sample_rate", "num_channels"}, 0, 5),
    ],
)
def test_a_clip_may_have_one_stream(changes, keys, num_frames, num_samples):
    built = example(**changes)
    always = {"example/id", "video/filename", "clip/start/timestamp", "clip/end/timestamp"}
    assert {key.rpartition("/")[2] for key in set(built.context.feature) - always} == keys
    stream = "image" if num_frames else "WAVEFORM/feature"
    data = "encoded" if num_frames else "floats"
    assert set(built.feature_lists.feature_list) == {f"{stream}/{data}", f"{stream}/timestamp"}
    parsed = records.parse_example(tf.constant(built.SerializeToString()))
    assert (len(parsed["frames_jpeg"]), len(parsed["waveform"])) == (num_frames, num_samples)


def test_several_labels_folds_and_a_caption():
    built = example(
        labels=[4, 1],
        label_texts=["Dog", "Bell"],
        label_strings=["/m/1", "/m/2"],
        caption="a dög",
        folds=["train", "", "test"],
    )
    context = built.context.feature
    assert context["clip/label/text"].bytes_list.value[:] == [b"Dog", b"Bell"]
    assert context["clip/label/string"].bytes_list.value[:] == [b"/m/1", b"/m/2"]
    assert context["caption/string"].bytes_list.value[:] == ["a dög".encode()]
    parsed = records.parse_example(tf.constant(built.SerializeToString()))
    assert parsed["labels"].numpy().tolist() == [4, 1]
    assert int(parsed["label"]) == -1
    assert parsed["folds"].numpy().tolist() == [b"train", b"", b"test"]


def test_clip_ids_are_stable_and_differ():
    ids = records.clip_id_of(tf.constant([f"clip {i}" for i in range(1000)])).numpy()
    assert len(set(ids.tolist())) == 1000
    assert ids.dtype == np.int64
    assert ids.min() >= 0 and ids.max() < 2**62
    # Written down once: dictionaries and checkpoints hold these numbers.
    assert int(records.clip_id_of(tf.constant("a/ü#0"))) == 1216467075919427815


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"frames_jpeg": [], "waveform": None}, "got neither"),
        ({"waveform": np.zeros([0])}, "S > 0"),
        ({"waveform": np.zeros([2, 3])}, r"\(2, 3\)"),
        ({"waveform": np.array([0.0, 1.5])}, "within"),
        ({"waveform": np.array([0.0, np.nan])}, "finite"),
        ({"waveform": np.array([0, 1], np.int16)}, "got int16; divide 16-bit samples by 32768"),
        ({"waveform": np.array([False, True])}, "got bool"),
        ({"labels": [1]}, r"labels=\[1\] need as many names"),
        ({"labels": [1, 2], "label_texts": ["a"]}, r"labels=\[1, 2\] need as many names"),
        (
            {"labels": [1], "label_texts": ["a"], "label_strings": ["b", "c"]},
            r"need as many names, got \['a'\] and \['b', 'c'\]",
        ),
    ],
)
def test_unusable_clips_are_refused(changes, message):
    with pytest.raises(records.DataError, match=message):
        example(**changes)


@pytest.mark.parametrize(
    "frames, frame_rate, sample_rate, expected",
    [(75, 25, 16000, 48000), (16, 12.5, 16000, 20480), (1, 30, 16000, 533), (1, 24, 36, 2)],
)
def test_num_samples(frames, frame_rate, sample_rate, expected):
    assert records.num_samples(frames, frame_rate, sample_rate) == expected


def test_shard_names():
    assert records.shard_name("test", 3, 12) == "test-00003-of-00012.tfrecord"
    with pytest.raises(ValueError, match=r"\[0, 2\)"):
        records.shard_name("test", 2, 2)


def test_frames_with_sound_turns_num_samples_round():
    for frame_rate in (1, 10, 12.5, 23.976, 29.97, 30, 60):
        for sample_rate in (1000, 11025, 16000, 22050, 48000):
            for frames in (*range(1, 60), 351, 9999):
                samples = records.num_samples(frames, frame_rate, sample_rate)
                rates = frame_rate, sample_rate
                assert records.frames_with_audio(samples, *rates) == frames
                fewer = records.frames_with_audio(samples - 2, *rates)
                assert fewer < frames
                assert records.num_samples(fewer, *rates) <= samples - 1


MANIFEST = records.Manifest(
    split="train",
    num_clips=1,
    num_shards=1,
    shards=[],
    classes=["bell", "dög"],
    frame_rate=12.5,
    sample_rate=1000,
    min_frames=1,
    min_height=3,
    min_width=4,
    height=3,
    width=4,
    duration=1.0,
    tool_version="1",
)


@pytest.mark.parametrize(
    "samples, frames", [(80, 1), (79, 0), (160, 2), (159, 1), (400, 2), (161, 2)]
)
def test_frames_that_outlast_the_sound_are_cut_off(samples, frames):
    serialized = tf.constant(example(waveform=np.zeros(samples)).SerializeToString())
    assert len(records.parse_example(serialized)["frames_jpeg"]) == 2
    assert len(records.parse_example(serialized, MANIFEST)["frames_jpeg"]) == frames
    assert records.frames_with_audio(samples, 12.5, 1000) == frames or samples > 160
    silent = dataclasses.replace(MANIFEST, streams="video")
    assert len(records.parse_example(serialized, silent)["frames_jpeg"]) == 2


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize(
    "context, labels",
    [
        ({}, []),
        ({"clip/label/text": ["dög"]}, [1]),
        ({"clip/label/string": ["bell"], "clip/label/text": ["A bell"]}, [0]),
        ({"clip/label/text": ["dög", "bell", "cat"]}, [1, 0]),
        ({"clip/label/text": ["cat"]}, []),
    ],
)
def test_labels_that_are_names_only(in_graph, context, labels):
    built = example()
    for key, names in context.items():
        values = [name.encode() for name in names]
        built.context.feature[key].bytes_list.value.extend(values)
    parse = functools.partial(records.parse_example, manifest=MANIFEST)
    if in_graph:
        dataset = tf.data.Dataset.from_tensors(built.SerializeToString())
        parsed = next(iter(dataset.map(parse)))
    else:
        parsed = parse(tf.constant(built.SerializeToString()))
    assert parsed["labels"].numpy().tolist() == labels
    assert int(parsed["label"]) == (labels[0] if len(labels) == 1 else -1)


def test_an_index_goes_before_a_name():
    built = example(labels=[5], label_texts=["bell"])
    serialized = tf.constant(built.SerializeToString())
    assert records.parse_example(serialized, MANIFEST)["labels"].numpy().tolist() == [5]


def test_a_split_waveform_is_refused():
    built = example()
    built.feature_lists.feature_list[records.WAVEFORM].feature.add().float_list.value.append(0.5)
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be one feature"):
        records.parse_example(tf.constant(built.SerializeToString()))
    dataset = tf.data.Dataset.from_tensors(built.SerializeToString()).map(records.parse_example)
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be one feature"):
        next(iter(dataset))


@pytest.mark.parametrize("in_graph", [False, True])
def test_packets_with_a_time_stamp_each_are_joined(in_graph):
    built = example(start_us=5_000_000)
    lists = built.feature_lists.feature_list
    for values, stamp in (([0.25, 0.5], 5_000_312), ([0.75], 5_000_437)):
        lists[records.WAVEFORM].feature.add().float_list.value.extend(values)
        lists["WAVEFORM/feature/timestamp"].feature.add().int64_list.value.append(stamp)
    parse = tf.function(records.parse_example) if in_graph else records.parse_example
    waveform = parse(tf.constant(built.SerializeToString()))["waveform"]
    np.testing.assert_allclose(waveform, [*np.linspace(-1, 1, 5), 0.25, 0.5, 0.75])


def test_a_clip_without_a_name_is_known_by_its_contents():
    built = [example(example_id="", start_us=start).SerializeToString() for start in (0, 0, 1)]
    ids = [int(records.parse_example(tf.constant(each))["clip_id"]) for each in built]
    assert ids[0] == ids[1] != ids[2]
