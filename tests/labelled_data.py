"""Small prepared data sets with labels and folds, and tables of clips, for tests."""

import numpy as np
import tensorflow as tf

from actcl_tf.data.records import example_building, records
from actcl_tf.evaluate.clips import clip_table, splits

RATE = 8000


def record(name, label, *, classes, folds=(), video=None, labels=None, seconds=0.4, pitch=None):
    """A clip of sound whose pitch tells its label."""
    rng = np.random.default_rng(sum(map(ord, name)))
    hertz = pitch or 300.0 * 3 ** (label or 0) * rng.uniform(0.9, 1.1)
    time = np.arange(int(RATE * seconds)) / RATE
    known = labels if labels is not None else ([] if label is None else [label])
    return example_building.build_example(
        example_id=name,
        filename=video or f"{name}.wav",
        frames_jpeg=[],
        waveform=(0.4 * np.sin(2 * np.pi * hertz * time + rng.uniform(0, 6))).astype(np.float32),
        height=0,
        width=0,
        frame_rate=10.0,
        sample_rate=RATE,
        start_us=0,
        end_us=round(seconds * 1e6),
        labels=known,
        label_texts=[classes[i] for i in known],
        folds=folds,
    )


def write(folder, split, examples, *, classes, multi_label=False, seconds=0.4):
    """Writes a split of sounds in one shard."""
    target = folder / split
    target.mkdir(parents=True)
    name = records.shard_name(split, 0, 1)
    with tf.io.TFRecordWriter(str(target / name)) as writer:
        for example in examples:
            writer.write(example.SerializeToString())
    manifest = records.Manifest(
        split=split,
        num_clips=len(examples),
        num_shards=1,
        shards=[{"name": name, "clips": len(examples)}],
        classes=list(classes),
        frame_rate=10.0,
        sample_rate=RATE,
        min_frames=0,
        min_height=0,
        min_width=0,
        height=None,
        width=None,
        duration=seconds * len(examples),
        tool_version="test",
        streams="audio",
        multi_label=multi_label,
        min_samples=int(RATE * seconds),
    )
    records.write_manifest(target, manifest)
    return folder


def table(filenames, labels=None, classes=("a", "b"), parts=None, split_of=None, multi_label=False):
    """A table of clips without records; by default all are of one class and of split train."""
    num = len(filenames)
    names = split_of or ["train"] * num
    return clip_table.ClipTable(
        splits=list(names),
        clip_ids=np.arange(100, 100 + num),
        filenames=list(filenames),
        parts=np.array(parts if parts is not None else [[]] * num, str).reshape(num, -1),
        labels=[[0]] * num if labels is None else labels,
        classes=list(classes),
        multi_label=multi_label,
        manifests=dict.fromkeys(dict.fromkeys(names)),
        digest="d",
    )


def fold(train, test, name="test"):
    """A fold of rows."""
    return splits.Fold(name, np.array(train), np.array(test))
