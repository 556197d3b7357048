import dataclasses

import pytest

from actcl_tf.data.records import records, split_faults, split_scan
from tests import conftest
from tests.contract_writer import clip, write


@pytest.fixture
def folder(tmp_path):
    """A split of three good clips in two shards, and its manifest."""
    conftest.write_tiny_split(tmp_path, "train", 3, seed=0)
    change_manifest(tmp_path / "train", classes=["dim", "middle", "bright"])
    return tmp_path / "train"


def faults(folder, every_frame=False):
    (split,) = split_scan.find_splits(folder)
    found = split_scan.scan([split], every_frame=every_frame, progress=False)
    return split_faults.find_faults(split, found["train"])


def change_manifest(folder, **changes):
    held = records.load_manifest(folder)
    records.write_manifest(folder, dataclasses.replace(held, **changes))


def test_nothing_is_wrong(folder):
    assert faults(folder, every_frame=True) == []
    (folder / "manifest.json").unlink()
    assert faults(folder, every_frame=True) == []


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"num_clips": 4}, "manifest.json says 4 clips, and 3 in its shards"),
        (
            {"min_frames": 11},
            "2 clips have fewer than 11 frames, which manifest.json says; the first",
        ),
        ({"frame_rate": 12.5}, "2 clips have 10 instead of 12.5 as their frame rate"),
        ({"sample_rate": 16000}, "2 clips have 8000 instead of 16000 as their sample rate"),
        ({"classes": ["bright"]}, "1 clips have class 1, of 1 classes"),
        ({"classes": ["dim", "bright", "x"]}, "1 clips call class 1 'middle' instead of 'bright'"),
        ({"classes": ["x", "middle", "x"]}, "the first is train/0"),
    ],
)
def test_where_the_manifest_is_wrong(folder, changes, words):
    change_manifest(folder, **changes)
    assert any(words in fault for fault in faults(folder)), faults(folder)


def test_damaged_and_missing_and_unlisted_shards(folder):
    first, second = sorted(folder.glob("*.tfrecord"))
    entries = [
        {"name": first.name, "clips": 1, "bytes": first.stat().st_size},
        {"name": second.name, "clips": 1, "bytes": 7},
    ]
    change_manifest(folder, shards=entries)
    write(folder / "more.tfrecord", [clip(2)])
    found = faults(folder)
    assert f"{first} holds 2 clips instead of 1" in found
    assert f"{second} has {second.stat().st_size} bytes instead of 7" in found
    assert f"{folder}/more.tfrecord is not in manifest.json" in found
    assert f"{folder}/manifest.json says 3 clips, and 2 in its shards" in found
    assert len(found) == 4
    first.unlink()
    assert f"{first} is missing" in faults(folder)


def test_streams_that_are_not_there(folder):
    first, second = sorted(folder.glob("*.tfrecord"))
    write(first, [clip(12, 0), clip(12, 0)])
    write(second, [clip(0)])
    assert [fault.split(": ")[1].split(",")[0] for fault in faults(folder)] == [
        "2 clips lack the audio",
        "1 clips lack the video",
    ]


def test_gaps_are_faults_where_there_is_no_manifest(tmp_path):
    write(tmp_path / "train" / "a-00001-of-00002", [clip(2)])
    assert faults(tmp_path / "train") == [f"{tmp_path}/train: 1 of 2 shards are missing: 00000"]
