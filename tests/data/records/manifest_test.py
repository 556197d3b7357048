import json

import pytest

from actcl_tf.data.records import records


def manifest(**changes):
    values = {
        "split": "train",
        "num_clips": 1,
        "num_shards": 1,
        "shards": [{"name": "train-00000-of-00001.tfrecord", "clips": 1, "bytes": 3}],
        "classes": ["a"],
        "frame_rate": 12.5,
        "sample_rate": 16000,
        "min_frames": 2,
        "min_height": 3,
        "min_width": 4,
        "height": 3,
        "width": None,
        "duration": 0.16,
        "tool_version": "1",
        "failures": {"silent": ["ü.mp4"]},
    }
    return records.Manifest(**{**values, **changes})


def test_manifest_round_trip_and_its_faults(tmp_path):
    folder = tmp_path / "train"
    with pytest.raises(records.DataError, match="is not a folder"):
        records.read_manifest(folder)
    folder.mkdir()
    with pytest.raises(records.DataError, match=r"holds no manifest.json.*prepare_data.py"):
        records.read_manifest(folder)
    records.write_manifest(folder, manifest())
    with pytest.raises(records.DataError, match=r"train-00000-of-00001.tfrecord is missing"):
        records.read_manifest(folder)
    shard = folder / "train-00000-of-00001.tfrecord"
    shard.write_bytes(b"12")
    with pytest.raises(records.DataError, match="has 2 bytes instead of 3"):
        records.read_manifest(folder)
    shard.write_bytes(b"123")
    assert records.read_manifest(folder) == manifest()
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
    (folder / "manifest.json").write_text("{")
    with pytest.raises(records.DataError, match="is damaged"):
        records.read_manifest(folder)
    (folder / "manifest.json").write_text(json.dumps({"split": "train"}))
    with pytest.raises(records.DataError, match="is damaged"):
        records.read_manifest(folder)


@pytest.mark.parametrize(
    "text, reason",
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("[]", "it must be dict, got list"),
        ('{"split": "train"}', "it lacks classes, duration"),
        (None, "shards must be list, got NoneType"),
        ("x", "shards must be list, got str"),
        ([None], r"shards\[0\] must be dict, got NoneType"),
        ([{}], r"shards\[0\] lacks clips, name"),
        ([{"name": 1, "clips": 1}], r"shards\[0\].name must be str, got int"),
        ([{"name": "a", "clips": "1"}], r"shards\[0\].clips must be int, got str"),
        ([{"name": "a", "clips": 1, "sides": 1}], r"shards\[0\] has no sides"),
        ([{"name": "a", "clips": -1}], "clips must be at least 0, got -1"),
        ([{"name": "../other/a.tfrecord", "clips": 1}], "must be a file name"),
        ([{"name": "..", "clips": 1}], "must be a file name"),
        ([{"name": "a\0b", "clips": 1}], "must be a file name"),
        ([{"name": "", "clips": 1}], "must be a file name"),
    ],
)
def test_manifest_of_wrong_kinds_is_refused(tmp_path, text, reason):
    records.write_manifest(tmp_path, manifest())
    path = tmp_path / "manifest.json"
    if not isinstance(text, str) or text == "x":  # Otherwise it is the whole file.
        text = json.dumps({**json.loads(path.read_text()), "shards": text})
    path.write_text(text)
    with pytest.raises(records.DataError, match=f"manifest.json is damaged .*{reason}") as found:
        records.read_manifest(tmp_path)
    assert "\n" not in str(found.value)


def test_manifest_of_an_empty_split(tmp_path):
    records.write_manifest(tmp_path, manifest(num_clips=0, num_shards=0, shards=[]))
    with pytest.raises(records.DataError, match=r"holds no clips .* name another split"):
        records.read_manifest(tmp_path)
    assert records.read_manifest(tmp_path, allow_empty=True).num_clips == 0


def test_shards_without_a_manifest_name_the_command_that_writes_it(tmp_path):
    command = r"tools/inspect_records\.py {} --write_manifest"
    (tmp_path / "train").mkdir()
    with pytest.raises(records.DataError, match="prepare_data"):
        records.read_manifest(tmp_path / "train")
    (tmp_path / "train" / "x-00000-of-00001").touch()
    with pytest.raises(records.DataError, match=command.format(tmp_path / "train")):
        records.read_manifest(tmp_path / "train")
    # In the folder above, where the records of several splits lie side by side.
    with pytest.raises(records.DataError, match=r"val is not a folder: prepare"):
        records.read_manifest(tmp_path / "val")
    (tmp_path / "val-00000-of-00001").touch()
    with pytest.raises(records.DataError, match=command.format(tmp_path)):
        records.read_manifest(f"{tmp_path}/val/")


def test_a_split_that_is_not_there_is_told_by_what_is(tmp_path):
    (tmp_path / "mine" / "train").mkdir(parents=True)
    records.write_manifest(tmp_path / "mine" / "train", manifest())
    (tmp_path / "mine" / "train" / "train-00000-of-00001.tfrecord").touch()
    above = tmp_path / "mine"
    for asked, message in {
        "train/train": rf"{above}/train is a split; name the folder above it, {above}$",
        "train/test/": rf"{above}/train is a split; name the folder above it, {above}$",
        "test": rf"{above} has no split test, only train: .* --test_fraction, .*--eval_split",
        "val": rf"{above} has no split val, only train: name another split by --train_split",
    }.items():
        with pytest.raises(records.DataError, match=message):
            records.read_manifest(f"{above}/{asked}")


def test_a_manifest_is_loaded_without_its_shards(tmp_path):
    assert records.load_manifest(tmp_path) is None
    records.write_manifest(tmp_path, manifest())
    assert records.load_manifest(tmp_path) == manifest()
