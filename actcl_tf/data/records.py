"""The record contract: how one clip, and one split of clips, is stored.

One clip is one `tf.train.SequenceExample` in the key names of MediaPipe MediaSequence and DMVR; one
split is a folder of TFRecord shards with a `manifest.json` that says what is in them:

    DATA_DIR/train/train-00000-of-00004.tfrecord
    DATA_DIR/train/manifest.json
"""

import dataclasses
import json
import math
import os
import pathlib
from collections.abc import Sequence
from typing import Any, Optional, Union

import numpy as np
import tensorflow as tf

IMAGE = "image/encoded"
IMAGE_FORMAT = "image/format"
IMAGE_HEIGHT = "image/height"
IMAGE_WIDTH = "image/width"
FRAME_RATE = "image/frame_rate"
WAVEFORM = "WAVEFORM/feature/floats"
SAMPLE_RATE = "WAVEFORM/feature/sample_rate"
LABEL_INDEX = "clip/label/index"
LABEL_TEXT = "clip/label/text"
LABEL_STRING = "clip/label/string"
START = "clip/start/timestamp"
END = "clip/end/timestamp"
FILENAME = "video/filename"
EXAMPLE_ID = "example/id"

MANIFEST = "manifest.json"
TOOL_VERSION = "0.1.0"
NO_LABEL = -1

PathLike = Union[str, "os.PathLike[str]"]


class DataError(ValueError):
    """Data that is missing, damaged or not what was asked for; the message is one clear line."""


def _bytes(*values: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def _text(value: str) -> tf.train.Feature:
    """Text as UTF-8; bytes of a file name that are no UTF-8 come through as they are."""
    return _bytes(value.encode("utf-8", "surrogateescape"))


def _ints(*values: int) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def _floats(values: Any) -> tf.train.Feature:
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def build_example(
    *,
    example_id: str,
    filename: str,
    frames_jpeg: Sequence[bytes],
    waveform: np.ndarray,
    height: int,
    width: int,
    frame_rate: float,
    sample_rate: float,
    start_us: int,
    end_us: int,
    label_index: Optional[int] = None,
    label_text: Optional[str] = None,
    label_string: Optional[str] = None,
) -> tf.train.SequenceExample:
    """Builds the record of one clip.

    Args:
      example_id: name of the clip, unique in the data set.
      filename: name of the video it was cut from, relative to the data set's source.
      frames_jpeg: T JPEG images, one a frame.
      waveform: [S] float32, mono, in [-1, 1]; spans the same time as the frames.
      height: of the frames, in pixels.
      width: of the frames, in pixels.
      frame_rate: frames a second.
      sample_rate: samples a second.
      start_us: where the clip starts in the video, microseconds.
      end_us: where it ends (exclusive), microseconds.
      label_index: index in the sorted list of all classes; None for unlabelled data.
      label_text: name of the class; None for unlabelled data.
      label_string: machine name of the class; `label_text` where None.

    Raises:
      DataError: there is no frame or no sound, or the waveform is not finite mono in [-1, 1].
    """
    waveform = np.asarray(waveform, dtype=np.float32)
    if not frames_jpeg:
        raise DataError(f"clip {example_id}: expected at least 1 frame, got none")
    if waveform.ndim != 1 or not waveform.size:
        raise DataError(
            f"clip {example_id}: waveform must have shape [S] with S > 0, got {waveform.shape}"
        )
    # Written so that NaN fails too.
    if not float(np.max(np.abs(waveform))) <= 1.0:
        raise DataError(f"clip {example_id}: waveform must be finite and within [-1, 1]")
    context = {
        EXAMPLE_ID: _text(example_id),
        FILENAME: _text(filename),
        IMAGE_FORMAT: _bytes(b"JPEG"),
        IMAGE_HEIGHT: _ints(height),
        IMAGE_WIDTH: _ints(width),
        FRAME_RATE: _floats([frame_rate]),
        SAMPLE_RATE: _floats([sample_rate]),
        START: _ints(start_us),
        END: _ints(end_us),
    }
    if label_index is not None:
        if label_text is None:
            raise DataError(f"clip {example_id}: label_index={label_index} needs label_text")
        context[LABEL_INDEX] = _ints(label_index)
        context[LABEL_TEXT] = _text(label_text)
        context[LABEL_STRING] = _text(label_string or label_text)
    lists = {
        IMAGE: tf.train.FeatureList(feature=[_bytes(frame) for frame in frames_jpeg]),
        WAVEFORM: tf.train.FeatureList(feature=[_floats(waveform)]),
    }
    return tf.train.SequenceExample(
        context=tf.train.Features(feature=context),
        feature_lists=tf.train.FeatureLists(feature_list=lists),
    )


def clip_id_of(example_id: tf.Tensor) -> tf.Tensor:
    """A stable 62-bit fingerprint of `example/id`.

    Args:
      example_id: [...] string.

    Returns:
      [...] int64, in [0, 2**62).
    """
    return tf.strings.to_hash_bucket_fast(example_id, 2**62)


def parse_example(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    """Parses one record, in a graph or eagerly; frames stay encoded.

    Args:
      serialized: [] string, a `tf.train.SequenceExample`.

    Returns:
      `frames_jpeg` [T] string, `waveform` [S] float32, `clip_id` [] int64, `label` [] int64 (-1
      where the record has none), `filename` [] string, `example_id` [] string, `frame_rate` []
      float32, `sample_rate` [] float32.
    """
    context, lists = tf.io.parse_single_sequence_example(
        serialized,
        context_features={
            LABEL_INDEX: tf.io.FixedLenFeature([], tf.int64, default_value=NO_LABEL),
            FILENAME: tf.io.FixedLenFeature([], tf.string, default_value=b""),
            EXAMPLE_ID: tf.io.FixedLenFeature([], tf.string),
            FRAME_RATE: tf.io.FixedLenFeature([], tf.float32),
            SAMPLE_RATE: tf.io.FixedLenFeature([], tf.float32),
        },
        sequence_features={
            IMAGE: tf.io.FixedLenSequenceFeature([], tf.string),
            WAVEFORM: tf.io.VarLenFeature(tf.float32),
        },
    )
    return {
        "frames_jpeg": lists[IMAGE],
        "waveform": lists[WAVEFORM].values,
        "clip_id": clip_id_of(context[EXAMPLE_ID]),
        "label": context[LABEL_INDEX],
        "filename": context[FILENAME],
        "example_id": context[EXAMPLE_ID],
        "frame_rate": context[FRAME_RATE],
        "sample_rate": context[SAMPLE_RATE],
    }


def shard_name(split: str, index: int, count: int) -> str:
    """File name of a shard: `train-00000-of-00004.tfrecord`."""
    if not 0 <= index < count:
        raise ValueError(f"shard index must be in [0, {count}), got {index}")
    return f"{split}-{index:05d}-of-{count:05d}.tfrecord"


@dataclasses.dataclass
class Manifest:
    """What one split holds.

    Attributes:
      split: its name.
      num_clips: clips over all shards.
      num_shards: shards.
      shards: one `{"name": file name, "clips": count, "bytes": size}` a shard, in order.
      classes: names of all classes of the data set, sorted; empty if it is unlabelled.
      frame_rate: frames a second, of every clip.
      sample_rate: samples a second, of every clip.
      min_frames: frames of the shortest clip.
      min_height: of the lowest clip, pixels.
      min_width: of the narrowest clip, pixels.
      height: of all clips, pixels; None if it differs.
      width: of all clips, pixels; None if it differs.
      duration: of all clips together, seconds.
      tool_version: version of the program that wrote the split.
      failures: reason to the sources that were left out for it, sorted.
      settings: the settings the split was prepared with.
    """

    split: str
    num_clips: int
    num_shards: int
    shards: list[dict[str, Any]]
    classes: list[str]
    frame_rate: float
    sample_rate: float
    min_frames: int
    min_height: int
    min_width: int
    height: Optional[int]
    width: Optional[int]
    duration: float
    tool_version: str
    failures: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)


def write_atomically(path: PathLike, text: str) -> None:
    """Writes a text file so that it is seen whole or not at all."""
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    temporary.write_text(text, encoding="utf-8", errors="surrogateescape")
    os.replace(temporary, path)


def write_manifest(split_dir: PathLike, manifest: Manifest) -> None:
    """Writes `manifest.json` of a split, atomically."""
    text = json.dumps(dataclasses.asdict(manifest), indent=1, ensure_ascii=False, sort_keys=True)
    write_atomically(pathlib.Path(split_dir) / MANIFEST, text + "\n")


def read_manifest(split_dir: PathLike, *, allow_empty: bool = False) -> Manifest:
    """Reads `manifest.json` of a split and checks that its shards are there, and whole.

    Args:
      split_dir: folder of the split.
      allow_empty: whether a split without clips will do.

    Raises:
      DataError: the folder, the manifest or a shard is missing or damaged, or there is no clip.
    """
    folder = pathlib.Path(split_dir)
    remedy = "prepare it with tools/prepare_data.py --input=VIDEOS --output=DATA_DIR"
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder: {remedy}")
    path = folder / MANIFEST
    if not path.is_file():
        raise DataError(f"{folder} holds no {MANIFEST}: {remedy}")
    try:
        manifest = Manifest(
            **json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
        )
    except (ValueError, TypeError) as error:
        raise DataError(f"{path} is damaged ({error}): {remedy}") from error
    for shard in manifest.shards:
        file = folder / shard["name"]
        if not file.is_file():
            raise DataError(f"{file} is missing, {path.name} lists it: {remedy}")
        size = file.stat().st_size
        if size != shard.get("bytes", size):
            raise DataError(f"{file} has {size} bytes instead of {shard['bytes']}: {remedy}")
    if not manifest.num_clips and not allow_empty:
        raise DataError(f"{folder} holds no clips ({path.name} says why): {remedy}")
    return manifest


def num_samples(num_frames: int, frame_rate: float, sample_rate: float) -> int:
    """Samples that span the same time as `num_frames` frames; halves round up."""
    return math.floor(num_frames / frame_rate * sample_rate + 0.5)
