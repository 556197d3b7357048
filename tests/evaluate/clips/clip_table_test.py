"""Tables of clips against the records they are read from."""

import dataclasses

import pytest

from actcl_tf import config
from actcl_tf.data.records import records
from actcl_tf.evaluate.clips import clip_table
from tests import labelled_data as made

CLASSES = ("high", "low", "middle")


def _write(folder, **changes):
    train = [made.record(f"b{i}", i % 3, classes=CLASSES) for i in range(5)]
    test = [made.record("t0", 2, classes=CLASSES), made.record("t1", None, classes=CLASSES)]
    made.write(folder, "train", train, classes=CLASSES)
    made.write(folder, "test", test, classes=CLASSES, **changes)
    return str(folder)


def test_splits_stand_one_after_the_other(tmp_path):
    seen = []
    data_dir = _write(tmp_path)
    table = clip_table.read(data_dir, ("train", "test"), lambda *each: seen.append(each))
    assert table.splits == ["train"] * 5 + ["test"] * 2
    assert table.filenames == [*(f"b{i}.wav" for i in range(5)), "t0.wav", "t1.wav"]
    assert table.labels == [[0], [1], [2], [0], [1], [2], []]
    assert table.classes == list(CLASSES)
    assert table.parts.shape == (7, 0)
    assert table.clip_ids[0] == records.clip_id_of("b0").numpy()
    assert seen == [("train", 5, 5), ("test", 2, 2)]
    (targets,) = clip_table.find_targets(table)
    assert targets.values.tolist() == [0, 1, 2, 0, 1, 2, -1]
    assert targets.known.tolist() == [True] * 6 + [False]
    other = clip_table.read(data_dir, ("train",))
    assert other.digest != table.digest
    assert clip_table.read(data_dir, ("train", "test")).digest == table.digest


def test_folds_are_read(tmp_path):
    parts = [("train", "test"), ("test", ""), ("test", "train")]
    examples = [
        made.record(f"c{i}", i, classes=CLASSES, folds=part) for i, part in enumerate(parts)
    ]
    made.write(tmp_path, "all", examples, classes=CLASSES)
    table = clip_table.read(str(tmp_path), ("all",))
    assert table.parts.tolist() == [list(part) for part in parts]


def test_several_labels_a_clip(tmp_path):
    examples = [
        made.record("a", None, classes=CLASSES, labels=[0, 2]),
        made.record("b", None, classes=CLASSES, labels=[]),
        made.record("c", None, classes=CLASSES, labels=[1]),
    ]
    made.write(tmp_path, "train", examples, classes=CLASSES, multi_label=True)
    (targets,) = clip_table.find_targets(clip_table.read(str(tmp_path), ("train",)))
    assert targets.values.tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    assert targets.known.tolist() == [True, False, True]


def test_labels_from_names():
    table = made.table(["s1_cat.mp4", "dir/s2_dog.mp4", "s1_dog.mp4"])
    found = clip_table.find_targets(table, r"(?P<who>s\d)_(?P<what>\w+)")
    assert [(each.name, each.classes) for each in found] == [
        ("who", ["s1", "s2"]),
        ("what", ["cat", "dog"]),
    ]
    assert [each.values.tolist() for each in found] == [[0, 1, 0], [0, 1, 1]]
    with pytest.raises(config.ConfigError, match=r"--label_pattern=.*'s1_cat.mp4' does not match"):
        clip_table.find_targets(table, r"(?P<x>\d)")
    with pytest.raises(config.ConfigError, match=r"--label_pattern=\(: must be a regular"):
        clip_table.find_targets(table, "(")


def test_no_labels_at_all_is_refused():
    table = made.table(["a", "b"], labels=[[], []])
    with pytest.raises(records.DataError, match=r"have no labels to predict.*--label_pattern"):
        clip_table.find_targets(table)


def test_classes_without_names_are_numbers():
    table = made.table(["a", "b"], labels=[[3], []], classes=())
    (targets,) = clip_table.find_targets(table)
    assert targets.classes == ["0", "1", "2", "3"]
    assert targets.values.tolist() == [3, -1]


def test_what_does_not_go_together_is_refused(tmp_path):
    data_dir = _write(tmp_path)
    manifest = records.read_manifest(tmp_path / "test")
    records.write_manifest(tmp_path / "test", dataclasses.replace(manifest, sample_rate=16000))
    with pytest.raises(records.DataError, match="sample_rate of split 'train' and 'test' differ"):
        clip_table.read(data_dir, ("train", "test"))
    with pytest.raises(records.DataError, match="nothing"):
        clip_table.read(data_dir, ("train", "nothing"))


def test_a_clip_that_stands_twice_is_refused(tmp_path):
    same = [made.record("a", 0, classes=CLASSES), made.record("b", 1, classes=CLASSES)]
    made.write(tmp_path, "train", same, classes=CLASSES)
    made.write(tmp_path, "test", same[1:], classes=CLASSES)
    with pytest.raises(records.DataError, match=r"a clip of 'b.wav' stands there twice"):
        clip_table.read(str(tmp_path), ("train", "test"))


def test_a_damaged_shard_is_named(tmp_path):
    data_dir = _write(tmp_path)
    path = tmp_path / "train" / "train-00000-of-00001.tfrecord"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(bytes(data))
    with pytest.raises(records.DataError, match=r"train-00000-of-00001.tfrecord is damaged after"):
        clip_table.read(data_dir, ("train",))


def test_folds_of_different_number_are_refused(tmp_path):
    examples = [
        made.record("a", 0, classes=CLASSES, folds=("train",)),
        made.record("b", 1, classes=CLASSES, folds=("train", "test")),
    ]
    made.write(tmp_path, "all", examples, classes=CLASSES)
    with pytest.raises(records.DataError, match="some clips have 1 folds and some 2"):
        clip_table.read(str(tmp_path), ("all",))
