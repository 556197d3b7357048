"""Writes small splits of hand-made clips, for the tests of what reads them."""

import os

import numpy as np
import tensorflow as tf

from actcl_tf.data.records import example_building, records

FRAME_RATE = 10.0
SAMPLE_RATE = 1000.0
SAMPLES_A_FRAME = 100
STEP = 6  # Brightness from one frame to the next of a ramp.


def ramp_clip(name, num_frames=30, height=24, width=32, label=None, num_samples=None):
    """A clip that tells its own time: frame i is STEP * i bright, sample s is s / 10000."""
    frames = [np.full([height, width, 3], STEP * i, np.uint8) for i in range(num_frames)]
    num_samples = num_samples or num_frames * SAMPLES_A_FRAME
    return clip(name, frames, np.arange(num_samples, dtype=np.float32) / 10000.0, label)


def clip(name, frames, waveform, label=None):
    """The record of a clip: frames [H, W, 3] uint8 each."""
    height, width, _ = frames[0].shape
    jpegs = [
        tf.io.encode_jpeg(frame, quality=95, chroma_downsampling=False).numpy() for frame in frames
    ]
    return example_building.build_example(
        example_id=name,
        filename=f"{name}.mp4",
        frames_jpeg=jpegs,
        waveform=waveform,
        height=height,
        width=width,
        frame_rate=FRAME_RATE,
        sample_rate=SAMPLE_RATE,
        start_us=0,
        end_us=round(len(frames) / FRAME_RATE * 1e6),
        labels=() if label is None else (label,),
        label_texts=() if label is None else (f"class {label}",),
    )


def write_split(folder, split, examples, num_shards=1, sizes=True):
    """Writes examples to shards, in contiguous blocks, with their manifest; returns the shards."""
    folder = folder / split
    folder.mkdir(parents=True)
    paths, infos = [], []
    for index, block in enumerate(np.array_split(np.arange(len(examples)), num_shards)):
        path = folder / records.shard_name(split, index, num_shards)
        with tf.io.TFRecordWriter(str(path)) as writer:
            for place in block:
                writer.write(examples[place].SerializeToString())
        info = {"name": path.name, "clips": len(block)}
        infos.append({**info, "bytes": os.path.getsize(path)} if sizes else info)
        paths.append(path)
    lengths = [len(e.feature_lists.feature_list[records.IMAGE].feature) for e in examples]
    manifest = records.Manifest(
        split=split,
        num_clips=len(examples),
        num_shards=num_shards,
        shards=infos,
        classes=[],
        frame_rate=FRAME_RATE,
        sample_rate=SAMPLE_RATE,
        min_frames=min(lengths, default=0),
        min_height=24,
        min_width=32,
        height=None,
        width=None,
        duration=sum(lengths) / FRAME_RATE,
        tool_version="test",
    )
    records.write_manifest(folder, manifest)
    return paths
