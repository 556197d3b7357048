import dataclasses

import pytest
import tensorflow as tf

from actcl_tf.data.records import records
from actcl_tf.inspection import records_inspector
from actcl_tf.storage.errors import DataError
from tests.contract_writer import clip, labelled, write

RATES = {"frame_rate": 10.0, "sample_rate": 1000.0}


def inspect(folder, **options):
    return records_inspector.Inspection(folder, progress=False, **options)


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "train" / "a-00000-of-00002", [labelled(0, "a"), labelled(1, "b"), clip(3)])
    write(tmp_path / "train" / "a-00001-of-00002", [labelled(0, "a", num_frames=30)])
    write(tmp_path / "test" / "a.tfrecord", [labelled(1, "b", num_samples=2001)])
    return tmp_path


def drawn(folder, **options):
    return [(each.split, each.facts.clip) for each in inspect(folder, **options).drawn]


def test_the_draw_is_a_function_of_the_seed(folder):
    assert inspect(folder).drawn == []
    everything = drawn(folder, num_drawn=9)
    assert len(set(everything)) == 5
    for count in (1, 3):
        assert drawn(folder, num_drawn=count) == everything[:count]
    orders = {tuple(drawn(folder, num_drawn=2, seed=seed)) for seed in range(6)}
    assert len(orders) > 2


def test_every_clip_is_drawn_as_often(tmp_path):
    write(tmp_path / "a.tfrecord", [clip(1, 1 + i) for i in range(8)])
    counts = dict.fromkeys(range(1, 9), 0)
    for seed in range(80):
        for each in inspect(tmp_path, num_drawn=2, seed=seed).drawn:
            counts[each.facts.samples] += 1
    # Of 160 draws 20 each; chi-square of 7 degrees of freedom, 99.9 %.
    assert sum((count - 20) ** 2 / 20 for count in counts.values()) < 24.3


def test_what_it_tells(folder):
    inspection = inspect(folder)
    assert (inspection.num_clips, inspection.faults()) == (5, [])
    text = inspection.describe()
    assert "train: 4 clips in 2 shards" in text and "test: 1 clips in 1 shard," in text
    assert "test and train share 1 videos: b.mp4" in text


def test_manifests_are_written_and_seen(folder):
    with pytest.raises(ValueError, match="--frame_rate: must be given"):
        inspect(folder).write_manifests()
    inspection = inspect(folder, **RATES)
    assert "none; --write_manifest writes one" in inspection.describe()
    lines = inspection.write_manifests()
    assert lines[:2] == [f"Written: {folder}/{name}/manifest.json" for name in ("test", "train")]
    assert "none; --write_manifest" not in inspection.describe()
    assert inspection.faults() == inspect(folder).faults() == []


def test_sheets(folder, tmp_path_factory, monkeypatch):
    inspection = inspect(folder, num_drawn=2)
    assert inspection.write_sheet(None) == f"{folder}/contact_sheet.png"
    assert inspection.write_sheet(folder / "other.png") == f"{folder}/other.png"
    assert (folder / "contact_sheet.png").read_bytes() == (folder / "other.png").read_bytes()
    with pytest.raises(DataError, match="cannot be written"):
        inspection.write_sheet(folder / "none" / "sheet.png")
    # Nothing can be written where a folder has the sheet's name: root may write anywhere else.
    (folder / "contact_sheet.png").unlink()
    (folder / "contact_sheet.png").mkdir()
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))
    assert inspection.write_sheet(None) == "contact_sheet.png"


def test_captions(folder):
    inspect(folder, **RATES).write_manifests()
    manifest = records.load_manifest(folder / "train")
    records.write_manifest(
        folder / "train", dataclasses.replace(manifest, classes=["dog", "b", "c"])
    )
    rows = {}
    for each in (inspection := inspect(folder, num_drawn=9)).drawn:
        row = inspection._row(each)
        rows[row.title, row.note] = row.seconds
    assert ("a", "train, 0.00 to 3.00 s of a.mp4") in rows
    assert ("b", "test, 0.00 to 2.00 s of b.mp4") in rows
    (unnamed,) = (row for row in rows if row[1] == "train, 0.00 to 0.30 s")
    assert len(unnamed[0]) == 64  # The fingerprint stands for the name.


def test_another_file_system(folder):
    remote = "ram://inspected"
    for path in folder.glob("t*/*"):
        tf.io.gfile.makedirs(f"{remote}/{path.parent.name}")
        tf.io.gfile.copy(str(path), f"{remote}/{path.parent.name}/{path.name}")
    inspection = inspect(remote, num_drawn=1, every_frame=True, **RATES)
    assert inspection.num_clips == 5
    inspection.write_manifests()
    assert records.read_manifest(f"{remote}/train").num_clips == 4
    assert inspection.write_sheet(None) == f"{remote}/contact_sheet.png"
    assert tf.io.gfile.stat(f"{remote}/contact_sheet.png").length > 1000


def test_a_remote_folder_of_several_splits_is_refused_a_manifest(folder):
    for name in ("train-00000-of-00001", "test-00000-of-00001"):
        tf.io.gfile.makedirs("ram://flat")
        tf.io.gfile.copy(str(folder / "test" / "a.tfrecord"), f"ram://flat/{name}")
    inspection = inspect("ram://flat", **RATES)
    assert inspection.num_clips == 2
    with pytest.raises(DataError, match="move the shards of each split into a folder of its own"):
        inspection.write_manifests()


def test_an_index_of_videos_is_told(folder):
    inspect(folder, frame_rate=10.0, sample_rate=1000.0).write_manifests()
    manifest = records.read_manifest(folder / "test")
    records.write_manifest(folder / "test", dataclasses.replace(manifest, is_index=True))
    with pytest.raises(DataError, match="is an index of videos, of --input=media"):
        inspect(folder)
