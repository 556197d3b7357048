"""Writes clips by the contract of the field alone: nothing of this project is used here."""

import io

import numpy as np
import tensorflow as tf
from PIL import Image


def jpeg(level=100, size=(24, 32), kind="JPEG", mode="RGB", **options):
    """An image of one grey level, encoded by Pillow."""
    data = io.BytesIO()
    Image.new(mode, size[::-1], (level,) * len(mode) if len(mode) > 1 else level).save(
        data, kind, **options
    )
    return data.getvalue()


def clip(num_frames=20, num_samples=2000, *, frames=None, waveform=None, **context):
    """A serialized clip: frames of growing brightness, a ramp of sound; context keys as given.

    Keys are written with "__" for "/"; values are lists of one type.
    """
    example = tf.train.SequenceExample()
    if frames is None:
        frames = [jpeg(6 * i) for i in range(num_frames)]
    for frame in frames:
        feature = example.feature_lists.feature_list["image/encoded"].feature.add()
        feature.bytes_list.value.append(frame)
    if waveform is None:
        waveform = np.arange(num_samples) / 10000
    if len(waveform):
        feature = example.feature_lists.feature_list["WAVEFORM/feature/floats"].feature.add()
        feature.float_list.value.extend(waveform)
    for key, values in context.items():
        set_context(example, key.replace("__", "/"), values)
    return example.SerializeToString()


def labelled(index, name, **others):
    """A clip as DMVR's example program writes it."""
    return clip(
        clip__label__index=[index],
        clip__label__text=[name.encode()],
        video__filename=[f"{name}.mp4".encode()],
        clip__start__timestamp=[0],
        clip__end__timestamp=[2_000_000],
        **others,
    )


def set_context(example, key, values):
    """Sets a context feature; the type follows from the values."""
    kinds = {bytes: "bytes_list", int: "int64_list", float: "float_list"}
    getattr(example.context.feature[key], kinds[type(values[0])]).value.extend(values)


def write(path, clips):
    """Writes serialized clips to a shard."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in clips:
            writer.write(record)
    return path
