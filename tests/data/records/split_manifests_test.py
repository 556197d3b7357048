import json

import pytest
import tensorflow as tf

from actcl_tf import config
from actcl_tf.data.records import records, split_faults, split_manifests, split_scan
from tests import conftest
from tests.contract_writer import clip, jpeg, labelled, write

RATES = {"frame_rate": 10.0, "sample_rate": 1000.0}
SAID = {"image__frame_rate": [10.0], "WAVEFORM__feature__sample_rate": [1000.0]}


def make(folder, **rates):
    splits = split_scan.find_splits(folder)
    return split_manifests.make_manifests(splits, split_scan.scan(splits, progress=False), **rates)


def write_missing(folder, **rates):
    splits = split_scan.find_splits(folder)
    return split_manifests.write_missing(splits, split_scan.scan(splits, progress=False), **rates)


def write_splits(folder, **splits):
    for name, clips in splits.items():
        write(folder / name / "a.tfrecord", clips)
    return folder


def test_all_that_a_manifest_says(tmp_path):
    shards = [[clip(20), clip(30, 3000)], [clip(15, 1503)]]
    for index, clips in enumerate(shards):
        write(tmp_path / "train" / f"b-{index:05d}-of-00002", clips)
    sizes = [(tmp_path / "train" / f"b-{i:05d}-of-00002").stat().st_size for i in range(2)]
    assert make(tmp_path, **RATES)["train"] == records.Manifest(
        split="train",
        num_clips=3,
        num_shards=2,
        shards=[
            {"name": "b-00000-of-00002", "clips": 2, "bytes": sizes[0]},
            {"name": "b-00001-of-00002", "clips": 1, "bytes": sizes[1]},
        ],
        classes=[],
        frame_rate=10.0,
        sample_rate=1000.0,
        min_frames=15,
        min_samples=1503,
        min_height=24,
        min_width=32,
        height=24,
        width=32,
        duration=6.5,
        tool_version=records.TOOL_VERSION,
    )


def test_what_is_written_is_read(tmp_path):
    write_splits(tmp_path, train=[labelled(0, "a")], test=[labelled(1, "b")])
    splits, lines = write_missing(tmp_path, **RATES)
    assert lines == [f"Written: {tmp_path}/{name}/manifest.json" for name in ("test", "train")]
    for split in splits:
        assert records.read_manifest(tmp_path / split.name) == split.manifest
        assert split.manifest.classes == ["a", "b"]
    with pytest.raises(records.DataError, match="as all splits have; remove"):
        write_missing(tmp_path, **RATES)


@pytest.mark.parametrize(
    "clips, flags, expected",
    [
        ([clip(20, **SAID)], {}, (10.0, 1000.0)),
        ([clip(20, **SAID)], RATES, (10.0, 1000.0)),
        ([clip(20, **SAID), clip(20)], {}, (10.0, 1000.0)),
        ([clip(20)], RATES, (10.0, 1000.0)),
        ([clip(2, 0, image__frame_rate=[29.97])], {}, (29.97, 0.0)),
        ([clip(2, 0)], RATES, (10.0, 0.0)),
        ([clip(0, 2)], {"sample_rate": 44100.0}, (0.0, 44100.0)),
    ],
)
def test_rates(tmp_path, clips, flags, expected):
    write_splits(tmp_path, train=clips)
    manifest = make(tmp_path, **flags)["train"]
    assert (manifest.frame_rate, manifest.sample_rate) == expected


@pytest.mark.parametrize(
    "clips, flags, message",
    [
        ([clip(20)], {}, "^--frame_rate: must be given, the records do not say it$"),
        (
            [labelled(0, "a"), labelled(0, "a"), labelled(0, "a", num_frames=90)],
            {},
            r"^--frame_rate: .*; by their start and end it is about 10$",
        ),
        ([clip(20)], {"frame_rate": 10.0}, "^--sample_rate: must be given"),
        ([clip(20, **SAID)], {"frame_rate": 25.0}, "^--frame_rate=25: must be 10, as the records"),
        ([clip(20, **SAID)], {"sample_rate": 1e4}, "^--sample_rate=10000: must be 1000, as the"),
        (
            [clip(20, image__frame_rate=[10.0]), clip(20, image__frame_rate=[25.0])],
            {},
            r"records disagree on the frame rate: 10 \(1 clips\), 25 \(1 clips\)",
        ),
    ],
)
def test_rates_that_are_missing_or_disagree(tmp_path, clips, flags, message):
    write_splits(tmp_path, train=clips)
    with pytest.raises((config.ConfigError, records.DataError), match=message) as raised:
        make(tmp_path, **flags)
    assert isinstance(raised.value, config.ConfigError) == message.startswith("^--")


@pytest.mark.parametrize(
    "clips, streams, sizes",
    [
        ([clip(20), clip(20, 0)], "video", (20, 0)),
        ([clip(20), clip(0, 500)], "audio", (0, 500)),
        ([clip(20), clip(20, 1900)], "both", (19, 1900)),
        ([clip(20), clip(20, 1949)], "both", (19, 1949)),
        ([clip(20), clip(20, 9000)], "both", (20, 2000)),
    ],
)
def test_streams_and_shortest_clips(tmp_path, clips, streams, sizes):
    write_splits(tmp_path, train=clips)
    manifest = make(tmp_path, **RATES)["train"]
    assert (manifest.streams, (manifest.min_frames, manifest.min_samples)) == (streams, sizes)


def test_no_stream_in_common(tmp_path):
    write_splits(tmp_path, train=[clip(20, 0), clip(0, 5), clip(0, 6)])
    with pytest.raises(records.DataError, match="1 of 3 clips lack audio and 2 video"):
        make(tmp_path, **RATES)


def test_a_split_without_clips(tmp_path):
    write_splits(tmp_path, train=[clip(20)], test=[])
    with pytest.raises(records.DataError, match="split test holds no clips"):
        make(tmp_path, **RATES)


def test_sizes_that_differ(tmp_path):
    clips = [clip(frames=[jpeg(size=size)] * 20) for size in ((24, 32), (30, 32))]
    write_splits(tmp_path, train=clips)
    manifest = make(tmp_path, **RATES)["train"]
    assert (manifest.height, manifest.width) == (None, 32)
    assert (manifest.min_height, manifest.min_width) == (24, 32)


def named(*names, **others):
    return clip(20, clip__label__text=[name.encode() for name in names], **others)


@pytest.mark.parametrize(
    "train, test, classes, multi_label",
    [
        ([clip(20)], [clip(20)], [], False),
        ([labelled(1, "b")], [labelled(0, "z")], ["z", "b"], False),
        ([labelled(2, "b")], [clip(20)], ["class 0", "class 1", "b"], False),
        ([clip(20, clip__label__index=[1])], [clip(20)], ["class 0", "class 1"], False),
        ([clip(20, clip__label__index=[-1])], [clip(20)], [], False),
        ([named("b")], [named("a")], ["a", "b"], False),
        ([named("b", "c")], [named("a")], ["a", "b", "c"], True),
        ([labelled(0, "b"), labelled(1, "a")], [named("a")], ["b", "a"], False),
        ([named("b", "c", clip__label__index=[1, 0])], [clip(20)], ["c", "b"], True),
    ],
)
def test_classes(tmp_path, train, test, classes, multi_label):
    write_splits(tmp_path, train=train, test=test)
    manifests = make(tmp_path, **RATES)
    assert manifests["train"].classes == manifests["test"].classes == classes
    assert manifests["train"].multi_label == multi_label


@pytest.mark.parametrize(
    "train, test, message",
    [
        (labelled(0, "a"), named("b"), r"test.*class 'b' has no index there"),
        (labelled(10**7, "a"), clip(20), "class 10000000, expected an index below 1000000"),
    ],
)
def test_classes_that_disagree(tmp_path, train, test, message):
    write_splits(tmp_path, train=[train], test=[test])
    with pytest.raises(records.DataError, match=message):
        make(tmp_path, **RATES)


@pytest.mark.parametrize(
    "train, test",
    [
        ([labelled(0, "b"), labelled(1, "a")], [labelled(0, "a"), labelled(1, "c")]),
        ([labelled(0, "a"), labelled(1, "a")], [named("b"), labelled(7, "c")]),
        ([labelled(0, "a"), labelled(0, "b")], [clip(20), labelled(3, "c")]),
    ],
)
def test_classes_that_every_run_numbers_anew_are_numbered_by_name(tmp_path, train, test):
    write_splits(tmp_path, train=train, test=test)
    _, (*_, note) = write_missing(tmp_path, **RATES)
    assert note == (
        "Note: the records number their classes in more than one way, so the classes are numbered "
        "anew, by name: 3 of them"
    )
    for split, clips in {"train": train, "test": test}.items():
        manifest = records.read_manifest(tmp_path / split)
        assert (manifest.classes, manifest.labels) == (["a", "b", "c"], "name")
        for record in clips:
            names = [name.decode() for name in _texts(record)]
            found = records.parse_example(record, manifest)["labels"].numpy().tolist()
            assert found == ["abc".index(name) for name in names]
    splits = split_scan.find_splits(tmp_path)
    scanned = split_scan.scan(splits, progress=False)
    assert [split_faults.find_faults(split, scanned[split.name]) for split in splits] == [[], []]
    # A split that is added later is numbered alike.
    write_splits(tmp_path, more=[labelled(0, "c")])
    assert make(tmp_path, **RATES)["more"].classes == ["a", "b", "c"]
    write_splits(tmp_path, more=[labelled(0, "d")])
    with pytest.raises(records.DataError, match="class 'd' is none of the 3 of the other splits"):
        make(tmp_path, **RATES)


def _texts(record):
    features = tf.train.SequenceExample.FromString(record).context.feature
    return features["clip/label/text"].bytes_list.value


def test_indices_without_names_that_contradict_each_other_are_refused_or_left_out(tmp_path):
    lost = clip(20, clip__label__index=[2])
    write_splits(tmp_path, train=[labelled(0, "a"), lost], test=[labelled(0, "b")])
    with pytest.raises(records.DataError, match=r"class 0 is 'a' in .*with --unlabelled"):
        make(tmp_path, **RATES)
    splits = split_scan.find_splits(tmp_path)
    scanned = split_scan.scan(splits, progress=False)
    written, _ = split_manifests.write_missing(splits, scanned, unlabelled=True, **RATES)
    for split in written:
        assert (split.manifest.classes, split.manifest.labels) == ([], "none")
        assert split_faults.find_faults(split, scanned[split.name]) == []
        parsed = records.parse_example(lost, split.manifest)
        assert (parsed["labels"].numpy().tolist(), int(parsed["label"])) == ([], -1)


def test_beside_a_split_that_has_a_manifest(tmp_path):
    conftest.write_tiny_split(tmp_path, "train", 3, seed=0)
    text = (tmp_path / "train" / "manifest.json").read_text()
    classes = ["dim", "middle", "bright"]
    (tmp_path / "train" / "manifest.json").write_text(
        json.dumps({**json.loads(text), "classes": classes})
    )
    rates = {"image__frame_rate": [10.0], "WAVEFORM__feature__sample_rate": [8000.0]}
    write_splits(tmp_path, test=[named("middle", num_samples=16000, **rates)])
    made = make(tmp_path)
    assert set(made) == {"test"} and made["test"].classes == classes
    write_splits(tmp_path, test=[labelled(3, "other", **rates)])
    with pytest.raises(records.DataError, match="class 3, expected an index below 3"):
        make(tmp_path)
    write_splits(tmp_path, test=[clip(20, **SAID)])
    with pytest.raises(records.DataError, match=r"disagree on the sample rate: 8000 \(3 clips\)"):
        make(tmp_path)


def test_lengths_that_differ_are_noted_or_refused(tmp_path):
    write_splits(tmp_path, train=[clip(20), clip(20, 1950), clip(20, 1200, example__id=[b"x"])])
    _, (written, note) = write_missing(tmp_path, **RATES)
    assert written.startswith("Written: ")
    assert note == (
        "Note: train: in 1 of 3 clips video and audio do not end together, by up to 0.80 s (x); "
        "the rest of the longer one is not used"
    )
    (tmp_path / "train" / "manifest.json").unlink()
    with pytest.raises(records.DataError, match=r"last 0\.80 s at 25 frames .* and 1\.95 s at"):
        write_missing(tmp_path, frame_rate=25.0, sample_rate=1000.0)
    assert not (tmp_path / "train" / "manifest.json").exists()
