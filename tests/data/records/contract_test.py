"""Our records, read by the contract alone; and records written by it, read by us."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf import config
from actcl_tf.data import catalogs
from actcl_tf.data.input import pipeline
from actcl_tf.data.prepare import prepare, shard_writing
from actcl_tf.data.records import (
    example_building,
    records,
    split_faults,
    split_manifests,
    split_scan,
)
from tests import contract_writer
from tests.data.records import contract_reader
from tests.media_files import tone, write_clip

ONE_PROCESS = prepare.Execution(num_workers=1, progress=False)
RATES = {"frame_rate": 10.0, "sample_rate": 1000.0}


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """A folder of three videos each of two classes."""
    folder = tmp_path_factory.mktemp("media")
    for index, level in enumerate((60, 120, 180)):
        first = write_clip(folder / "bell" / f"{index}.mp4", levels=(level,), sounds=[tone(2.0)])
        (folder / "dög").mkdir(exist_ok=True)
        shutil.copy(first, folder / "dög")
    return folder


def prepared(media, folder, streams):
    """A data set made by this project out of real media; its shards."""
    catalog = catalogs.from_folder(str(media), test_fraction=0.34, seed=0)
    settings = shard_writing.PrepareSettings(short_side=32, streams=streams, frame_rate=10.0)
    prepare.prepare(catalog, str(folder / "out"), settings, ONE_PROCESS)
    return sorted((folder / "out").glob("*/*.tfrecord"))


@pytest.fixture(scope="module")
def ours(media, tmp_path_factory):
    return prepared(media, tmp_path_factory.mktemp("ours"), "both")


def test_our_records_are_dmvrs(ours):
    clips = [clip for path in ours for clip in contract_reader.read_like_dmvr(str(path))]
    assert len(clips) == 6
    names = {0: "bell", 1: "dög"}
    for clip in clips:
        assert clip["image"].shape == (20, 32, 43, 3)
        assert clip["audio"].shape == (32000,)
        assert 0.3 < np.abs(clip["audio"]).max() <= 1.0
        (index,), (text,) = clip["clip/label/index"], clip["clip/label/text"]
        assert text.decode() == names[index]
        assert clip["caption/string"].size == 0
    levels = sorted(round(float(clip["image"].mean())) for clip in clips)
    assert levels == pytest.approx([60, 60, 120, 120, 180, 180], abs=3)
    assert sorted(int(clip["clip/label/index"][0]) for clip in clips) == [0, 0, 0, 1, 1, 1]


def test_our_records_are_media_sequences(ours):
    for path in ours:
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            context, lists = contract_reader.read_like_media_sequence(record)
            label = context.pop("clip/label/index"), context.pop("clip/label/string")
            assert label in (([0], [b"bell"]), ([1], ["dög".encode()]))
            assert context.pop("example/id").decode().startswith(label[1][0].decode() + "/")
            assert context == {
                "clip/start/timestamp": 0,
                "clip/end/timestamp": 2_000_000,
                "image/format": b"JPEG",
                "image/height": 32,
                "image/width": 43,
                "image/frame_rate": 10.0,
                "image/channels": 3,
                "WAVEFORM/feature/sample_rate": 16000.0,
                "WAVEFORM/feature/num_channels": 1,
            }
            assert lists["image/timestamp"] == [100_000 * i for i in range(20)]
            assert lists["WAVEFORM/feature/timestamp"] == [0]
            assert len(lists["image/encoded"]) == 20
            assert [len(values) for values in lists["WAVEFORM/feature/floats"]] == [32000]


def test_several_labels_and_a_caption(tmp_path):
    example = example_building.build_example(
        example_id="a",
        filename="a.mp4",
        frames_jpeg=[contract_writer.jpeg()],
        waveform=np.zeros(100, np.float32),
        height=24,
        width=32,
        frame_rate=10,
        sample_rate=1000,
        start_us=0,
        end_us=100_000,
        labels=[3, 1],
        label_texts=["Dog", "Bell"],
        caption="a dög",
    )
    path = contract_writer.write(tmp_path / "a.tfrecord", [example.SerializeToString()])
    (clip,) = contract_reader.read_like_dmvr(str(path))
    assert clip["clip/label/index"].tolist() == [3, 1]
    assert clip["clip/label/text"].tolist() == [b"Dog", b"Bell"]
    assert clip["caption/string"].tolist() == ["a dög".encode()]


@pytest.mark.parametrize("streams", ["video", "audio"])
def test_our_records_of_one_stream(streams, media, tmp_path):
    paths = prepared(media, tmp_path, streams)
    wanted = {"image": streams == "video", "audio": streams == "audio"}
    clips = [clip for path in paths for clip in contract_reader.read_like_dmvr(str(path), **wanted)]
    assert len(clips) == 6
    assert all(clip[key].size for clip in clips for key, there in wanted.items() if there)


def train_on(folder):
    """Makes a training batch."""
    data = config.DataConfig(data_dir=str(folder), num_frames=4, image_size=16)
    (trained,) = pipeline.build_train_dataset(data, batch_size=2, seed=0).take(1)
    assert trained["video"].shape == (2, 4, 16, 16, 3)
    assert trained["audio"].shape == (2, 400)


def read_by_us(folder, split="train"):
    """All clips of a split, by the pipeline of evaluation."""
    data = config.DataConfig(
        data_dir=str(folder), train_split=split, num_frames=4, frame_stride=1, image_size=16
    )
    dataset = pipeline.build_eval_dataset(data, split=split, batch_size=2, num_windows=1)
    return {
        key: np.concatenate([batch[key].numpy() for batch in dataset])
        for key in ("video", "audio", "label", "clip_id", "filename")
    }


def describe(folder, **rates):
    """What `tools/inspect_records.py --write_manifest` does; the splits."""
    splits = split_scan.find_splits(folder)
    found = split_scan.scan(splits, every_frame=True, progress=False)
    for split in splits:
        assert split_faults.find_faults(split, found[split.name]) == []
    return split_manifests.write_missing(splits, found, **rates)[0]


def test_records_made_elsewhere_are_read(tmp_path):
    # As DMVR's example program names and fills them: no rates, no names of clips.
    for split, classes in {"train": "cabab", "test": "ab"}.items():
        for shard in range(2):
            clips = [
                contract_writer.labelled("bac".index(name), name, num_samples=2000 + i)
                for i, name in enumerate(classes)
                if i % 2 == shard
            ]
            contract_writer.write(tmp_path / split / f"{split}-{shard:05d}-of-00002", clips)
    with pytest.raises(records.DataError, match=r"inspect_records\.py .*train --write_manifest"):
        read_by_us(tmp_path)
    assert len(describe(tmp_path, **RATES)) == 2
    manifest = records.read_manifest(tmp_path / "train")
    assert (manifest.num_clips, manifest.classes) == (5, ["b", "a", "c"])
    assert (manifest.min_frames, manifest.min_samples) == (20, 2000)
    assert (manifest.height, manifest.width, manifest.streams) == (24, 32, "both")
    train_on(tmp_path)
    found = read_by_us(tmp_path)
    assert found["label"].tolist() == [2, 0, 0, 1, 1]
    assert found["filename"].tolist() == [b"c.mp4", b"b.mp4", b"b.mp4", b"a.mp4", b"a.mp4"]
    assert len(set(found["clip_id"].tolist())) == 5
    # The window in the middle: frames 8 to 11, and the sound that goes with them.
    levels = found["video"].mean(axis=(1, 2, 3, 4, 5))
    np.testing.assert_allclose(levels, 6 * 9.5, atol=1.5)
    np.testing.assert_allclose(found["audio"][0, 0], np.arange(800, 1200) / 10000, atol=1e-6)


def test_media_sequences_packets_and_png_frames_are_read(tmp_path):
    # As MediaPipe writes them: a packet of sound every tenth of a second, and lossless frames.
    frames = [contract_writer.jpeg(6 * i, kind="PNG") for i in range(20)]
    shards = []
    for start in (0, 3_000_000):
        example = tf.train.SequenceExample.FromString(
            contract_writer.clip(frames=frames, num_samples=0, image__format=[b"PNG"])
        )
        lists = example.feature_lists.feature_list
        for index in range(20):
            sound = np.arange(100 * index, 100 * (index + 1)) / 10000
            lists["WAVEFORM/feature/floats"].feature.add().float_list.value.extend(sound)
            stamp = start + 100_000 * index
            lists["WAVEFORM/feature/timestamp"].feature.add().int64_list.value.append(stamp)
        contract_writer.set_context(example, "WAVEFORM/feature/num_channels", [1])
        contract_writer.set_context(example, "clip/data_path", [b"x.mp4"])
        shards.append(example.SerializeToString())
    contract_writer.write(tmp_path / "train" / "a.tfrecord", shards)
    describe(tmp_path, **RATES)
    manifest = records.read_manifest(tmp_path / "train")
    assert (manifest.streams, manifest.min_samples, manifest.height) == ("both", 2000, 24)
    train_on(tmp_path)
    found = read_by_us(tmp_path)
    levels = found["video"].mean(axis=(1, 2, 3, 4, 5))
    np.testing.assert_allclose(levels, 6 * 9.5, atol=0.5)
    np.testing.assert_allclose(found["audio"][0, 0], np.arange(800, 1200) / 10000, atol=1e-6)


def test_extra_keys_and_keys_that_are_missing(tmp_path):
    example = tf.train.SequenceExample.FromString(contract_writer.clip())
    for index in range(20):
        lists = example.feature_lists.feature_list
        lists["image/timestamp"].feature.add().int64_list.value.append(index * 100_000)
        lists["region/bbox/xmin"].feature.add().float_list.value.extend([0.1] * index)
    contract_writer.set_context(example, "clip/data_path", [b"x.mp4"])
    contract_writer.set_context(example, "image/channels", [3])
    records_made = [example.SerializeToString(), contract_writer.clip(num_samples=2500)]
    contract_writer.write(tmp_path / "train" / "a.tfrecord", records_made)
    describe(tmp_path, **RATES)
    found = read_by_us(tmp_path)
    assert found["label"].tolist() == [-1, -1]
    assert records.read_manifest(tmp_path / "train").classes == []


def test_a_folder_of_several_splits(tmp_path):
    for split, count in {"train": 3, "test": 1}.items():
        for shard in range(count):
            clips = [contract_writer.labelled(0, "dog", num_samples=2000 + i) for i in range(2)]
            contract_writer.write(tmp_path / f"{split}-{shard:05d}-of-{count:05d}", clips)
    with pytest.raises(records.DataError, match=f"{tmp_path} --write_manifest"):
        records.read_manifest(tmp_path / "train")
    describe(tmp_path, **RATES)
    assert len(read_by_us(tmp_path)["label"]) == 6
    assert len(read_by_us(tmp_path, "test")["label"]) == 2
    # Found again with their manifests.
    splits = split_scan.find_splits(tmp_path)
    assert {split.name: len(split.shards) for split in splits} == {"train": 3, "test": 1}
    assert all(split.manifest for split in splits)


def test_rates_come_from_the_records(tmp_path):
    said = {"image__frame_rate": [10.0], "WAVEFORM__feature__sample_rate": [1000.0]}
    clips = [contract_writer.clip(num_samples=2000 + i, **said) for i in range(2)]
    contract_writer.write(tmp_path / "train" / "a.tfrecord", clips)
    with pytest.raises(config.ConfigError, match=r"^--frame_rate=25: must be 10, as the records"):
        describe(tmp_path, frame_rate=25.0)
    describe(tmp_path)
    assert records.read_manifest(tmp_path / "train").frame_rate == 10.0
    assert read_by_us(tmp_path)["audio"].shape == (2, 1, 400)
