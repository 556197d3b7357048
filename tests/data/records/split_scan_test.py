import gzip
import struct

import google_crc32c
import pytest

from actcl_tf.data.records import split_scan
from actcl_tf.storage.errors import DataError
from tests import conftest
from tests.contract_writer import clip, write


@pytest.fixture
def folder(tmp_path):
    """`train`: two shards without a manifest; `test`: with one; and what is no split."""
    write(tmp_path / "train" / "train-00000-of-00002", [clip(2), clip(3)])
    write(tmp_path / "train" / "train-00001-of-00002", [clip(4)])
    conftest.write_tiny_split(tmp_path, "test", 2, seed=0)
    (tmp_path / "notes").mkdir()
    (tmp_path / ".partial").mkdir()
    write(tmp_path / ".partial" / "a.tfrecord", [])
    (tmp_path / "contact_sheet.png").touch()
    return tmp_path


def test_splits_of_a_data_set(folder):
    test, train = split_scan.find_splits(folder)
    assert (test.name, train.name) == ("test", "train")
    assert train.shards == ["train-00000-of-00002", "train-00001-of-00002"]
    assert test.shards == ["test-00000-of-00002.tfrecord", "test-00001-of-00002.tfrecord"]
    assert train.manifest is None and test.manifest.num_clips == 2
    assert train.gaps == test.gaps == []


def test_one_split_is_named_after_its_folder(folder, monkeypatch):
    monkeypatch.chdir(folder / "train")
    for path in (folder / "train", f"{folder}/train/", "."):
        (split,) = split_scan.find_splits(path)
        assert (split.name, len(split.shards)) == ("train", 2)


def test_shards_of_several_names_are_a_split_each(tmp_path):
    for name in ("train-00000-of-00001", "val-00001-of-00002", "rest.tfrecord"):
        write(tmp_path / name, [clip(2)])
    splits = {split.name: split for split in split_scan.find_splits(tmp_path)}
    assert set(splits) == {"train", "val", "rest"}
    assert splits["val"].gaps == ["1 of 2 shards are missing: 00000"]
    assert splits["val"].folder == str(tmp_path / "val")
    assert splits["val"].path(splits["val"].shards[0]) == str(tmp_path / "val-00001-of-00002")
    found = split_scan.scan(list(splits.values()), progress=False)
    assert [len(found[name][0].clips) for name in sorted(splits)] == [1, 1, 1]


def test_shards_that_the_manifest_lists_come_first(folder):
    write(folder / "test" / "another.tfrecord", [])
    (folder / "test" / "test-00000-of-00002.tfrecord").unlink()
    test, _ = split_scan.find_splits(folder)
    assert test.shards == [
        "test-00000-of-00002.tfrecord",
        "test-00001-of-00002.tfrecord",
        "another.tfrecord",
    ]
    missing, there, empty = split_scan.scan([test], progress=False)["test"]
    assert missing.faults == [f"{folder}/test/test-00000-of-00002.tfrecord is missing"]
    assert (len(there.clips), there.faults, empty.clips, empty.faults) == (1, [], [], [])


@pytest.mark.parametrize(
    "name, words", [("none", "is not a folder"), ("file", "is not a folder"), ("empty", "no data")]
)
def test_no_data_set(tmp_path, name, words):
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=words):
        split_scan.find_splits(tmp_path / name)


@pytest.mark.parametrize("length", [2**31, 2**40, 2**62, 2**64 - 8])
def test_a_record_that_claims_more_than_its_file_is_not_read(tmp_path, length):
    path = write(tmp_path / "a" / "a-00000-of-00001", [clip(2)])
    head = struct.pack("<Q", length)
    checksum = google_crc32c.value(head)  # The right one, as TFRecord has it.
    masked = ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF
    path.write_bytes(path.read_bytes() + head + struct.pack("<I", masked) + bytes(100))
    (shard,) = split_scan.scan(split_scan.find_splits(tmp_path), progress=False)["a"]
    assert len(shard.clips) == 1
    assert shard.faults == [f"{path} is damaged after 1 whole records (it is cut off)"]


def test_every_record_is_read_whatever_another_is_like(tmp_path, capfd):
    good = [clip(2 + i) for i in range(3)]
    path = write(tmp_path / "a" / "a-00000-of-00003", [good[0], b"\xff", good[1], good[2]])
    cut = write(tmp_path / "a" / "a-00001-of-00003", good)
    cut.write_bytes(cut.read_bytes()[:-5])
    flipped = write(tmp_path / "a" / "a-00002-of-00003", good)
    data = bytearray(flipped.read_bytes())
    data[len(data) // 2] ^= 1
    flipped.write_bytes(bytes(data))
    seen = []
    splits = split_scan.find_splits(tmp_path)
    shards = split_scan.scan(splits, on_record=lambda *values: seen.append(values))["a"]
    assert [len(shard.clips) for shard in shards] == [3, 2, 1]
    assert shards[0].faults == [f"{path}: record 1 is no tf.train.SequenceExample"]
    assert f"{cut} is damaged after 2 whole records" in shards[1].faults[0]
    assert f"{flipped} is damaged after 1 whole records" in shards[2].faults[0]
    assert [len(shard.faults) for shard in shards] == [1, 1, 1]
    assert shards[0].num_bytes == path.stat().st_size
    assert [values[:3] for values in seen[:3]] == [
        ("a", "a-00000-of-00003", 0),
        ("a", "a-00000-of-00003", 2),
        ("a", "a-00000-of-00003", 3),
    ]
    assert seen[1][3] == good[1] and seen[1][4].frames == 3
    bar = capfd.readouterr().err
    assert "Reading: " in bar and "B/s, 6 clips, 3 faults" in bar


def test_compressed_shards_are_told(tmp_path):
    plain = write(tmp_path / "x", [clip(2)])
    (tmp_path / "a.tfrecord").write_bytes(gzip.compress(plain.read_bytes()))
    (shard,) = split_scan.scan(split_scan.find_splits(tmp_path), progress=False)[tmp_path.name]
    (fault,) = shard.faults
    assert "compressed with gzip: unpack it" in fault
