"""The record contract: how one clip is stored, and how its record is parsed.

One clip is one `tf.train.SequenceExample` in the key names of MediaPipe MediaSequence and DMVR; one
split is a folder of TFRecord shards with a manifest (see `manifest.py`, whose names stand here,
too):

    DATA_DIR/train/train-00000-of-00004.tfrecord
    DATA_DIR/train/manifest.json
"""

import math
from typing import Any

import tensorflow as tf

from actcl_tf.data.records.manifest import LABELS_BY_NAME, LABELS_NONE
from actcl_tf.data.records.manifest import MANIFEST as MANIFEST
from actcl_tf.data.records.manifest import STREAMS as STREAMS
from actcl_tf.data.records.manifest import TOOL_VERSION as TOOL_VERSION
from actcl_tf.data.records.manifest import Manifest as Manifest
from actcl_tf.data.records.manifest import load_manifest as load_manifest
from actcl_tf.data.records.manifest import read_manifest as read_manifest
from actcl_tf.data.records.manifest import write_manifest as write_manifest
from actcl_tf.storage.errors import DataError as DataError
from actcl_tf.storage.files import PathLike as PathLike

IMAGE = "image/encoded"
IMAGE_FORMAT = "image/format"
IMAGE_HEIGHT = "image/height"
IMAGE_WIDTH = "image/width"
IMAGE_CHANNELS = "image/channels"
IMAGE_TIMESTAMP = "image/timestamp"
FRAME_RATE = "image/frame_rate"
WAVEFORM = "WAVEFORM/feature/floats"
SAMPLE_RATE = "WAVEFORM/feature/sample_rate"
NUM_CHANNELS = "WAVEFORM/feature/num_channels"
WAVEFORM_TIMESTAMP = "WAVEFORM/feature/timestamp"
LABEL_INDEX = "clip/label/index"
LABEL_TEXT = "clip/label/text"
LABEL_STRING = "clip/label/string"
CAPTION = "caption/string"
FOLDS = "clip/folds"
START = "clip/start/timestamp"
END = "clip/end/timestamp"
FILENAME = "video/filename"
EXAMPLE_ID = "example/id"

NO_LABEL = -1
# Decoders overshoot full scale by little; integers, or bytes of another type, go far beyond.
MOST_OVERSHOOT = 4.0
_ROUNDING = 1e-6  # Frames; above what 64-bit floats lose, below what tells a sample.
_CONTEXT = {
    LABEL_INDEX: tf.io.VarLenFeature(tf.int64),
    LABEL_TEXT: tf.io.VarLenFeature(tf.string),
    LABEL_STRING: tf.io.VarLenFeature(tf.string),
    FOLDS: tf.io.VarLenFeature(tf.string),
    FILENAME: tf.io.FixedLenFeature([], tf.string, default_value=b""),
    EXAMPLE_ID: tf.io.FixedLenFeature([], tf.string, default_value=b""),
    FRAME_RATE: tf.io.FixedLenFeature([], tf.float32, default_value=0.0),
    SAMPLE_RATE: tf.io.FixedLenFeature([], tf.float32, default_value=0.0),
}
_LISTS = {
    IMAGE: tf.io.FixedLenSequenceFeature([], tf.string, allow_missing=True),
    WAVEFORM: tf.io.VarLenFeature(tf.float32),
    WAVEFORM_TIMESTAMP: tf.io.VarLenFeature(tf.int64),
}


def clip_id_of(example_id: tf.Tensor) -> tf.Tensor:
    """A stable 62-bit fingerprint of `example/id`.

    Args:
      example_id: [...] string.

    Returns:
      [...] int64, in [0, 2**62).
    """
    return tf.strings.to_hash_bucket_fast(example_id, 2**62)


def parse_example(serialized: tf.Tensor, manifest: Manifest | None = None) -> dict[str, tf.Tensor]:
    """Parses one record, in a graph or eagerly; frames stay encoded.

    Args:
      serialized: [] string, a `tf.train.SequenceExample`.
      manifest: of the split, for what records made elsewhere may need: its classes give indices to
        labels that are names only, or that were numbered in several ways, and its rates cut off
        frames that outlast the audio.

    Returns:
      `frames_jpeg` [T] string, `waveform` [S] float32 (T or S is 0 where the record lacks video
      or audio), `clip_id` [] int64, `label` [] int64 (-1 where the record has none or several),
      `labels` [L] int64, `filename` [] string, `example_id` [] string, `folds` [F] string,
      `frame_rate` [] float32, `sample_rate` [] float32 (0 where the record does not say).

    Raises:
      tf.errors.InvalidArgumentError: the record is damaged, or breaks the contract.
    """
    context, lists = parse_parts(serialized, _CONTEXT, _LISTS)
    example_id, labels = context[EXAMPLE_ID], context[LABEL_INDEX].values
    frames_jpeg, waveform = lists[IMAGE], _join_packets(lists)
    if manifest is not None:
        labels = _find_labels(labels, context, manifest)
        if manifest.streams == "both":
            frames_jpeg = frames_jpeg[: _frames_covered(waveform, manifest)]
    # A record made elsewhere may have no name: then it is known by what is in it.
    name = tf.where(tf.equal(example_id, ""), serialized, example_id)
    return {
        "frames_jpeg": frames_jpeg,
        "waveform": waveform,
        "clip_id": clip_id_of(name),
        "label": only_label(labels),
        "labels": labels,
        "filename": context[FILENAME],
        "example_id": example_id,
        "folds": context[FOLDS].values,
        "frame_rate": context[FRAME_RATE],
        "sample_rate": context[SAMPLE_RATE],
    }


def parse_parts(
    serialized: tf.Tensor, context: dict[str, Any], lists: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parses the context and the feature lists of a record, whatever is wrong with it.

    `tf.io.parse_single_sequence_example` ends the process on a damaged value in the context, so
    that parses the lists alone. The context is parsed as the features of a `tf.train.Example`,
    which are written alike; last, as what is said of a damaged record would be its bytes.

    Args:
      serialized: [] string, a `tf.train.SequenceExample`.
      context: key -> what is expected there, as for `tf.io.parse_single_example`.
      lists: key -> what is expected there, as for `tf.io.parse_single_sequence_example`.

    Returns:
      Key -> tensor of the context, and of the lists.

    Raises:
      tf.errors.InvalidArgumentError: it is damaged, or something else than expected.
    """
    _, found = tf.io.parse_single_sequence_example(serialized, sequence_features=lists)
    with tf.control_dependencies(tf.nest.flatten(found, expand_composites=True)):
        serialized = tf.identity(serialized)
    return tf.io.parse_single_example(serialized, context), found


def _join_packets(lists: dict[str, Any]) -> tf.Tensor:
    """All samples [S] float32 of a record, whose waveform must be as the contract has it."""
    waveform = lists[WAVEFORM].values
    # Packets with a time stamp each are in order, and without gaps: `record_check` looks at that.
    packets, stamps = (lists[key].dense_shape[0] for key in (WAVEFORM, WAVEFORM_TIMESTAMP))
    tf.debugging.assert_equal(
        tf.logical_or(packets <= 1, packets == stamps),
        True,
        f"{WAVEFORM} must be one feature with all samples, or packets with a {WAVEFORM_TIMESTAMP} "
        "each",
    )
    # True for all, so that NaN fails too.
    in_range = tf.reduce_all(tf.abs(waveform) <= MOST_OVERSHOOT)
    tf.debugging.assert_equal(in_range, True, f"{WAVEFORM} must be samples in [-1, 1]")
    return waveform


def _frames_covered(waveform: tf.Tensor, manifest: Manifest) -> tf.Tensor:
    """`frames_with_audio` [] int32 of a waveform [S], in a graph."""
    rate = manifest.frame_rate / manifest.sample_rate
    covered = tf.math.ceil((tf.cast(tf.size(waveform), tf.float64) + 0.5) * rate + _ROUNDING)
    return tf.cast(covered, tf.int32) - 1


def only_label(labels: tf.Tensor) -> tf.Tensor:
    """The label [] int64 of a clip that has one; NO_LABEL for none or several."""
    return tf.where(tf.size(labels) == 1, tf.reduce_max(labels), NO_LABEL)


def _find_labels(
    labels: tf.Tensor, context: dict[str, tf.SparseTensor], manifest: Manifest
) -> tf.Tensor:
    """Indices [L] int64 of a record's labels: its own, or else those of its classes' names."""
    if manifest.labels == LABELS_NONE:
        return labels[:0]
    if not manifest.classes:
        return labels
    strings, texts = context[LABEL_STRING].values, context[LABEL_TEXT].values
    names = tf.cond(tf.size(strings) > 0, lambda: strings, lambda: texts)
    known = tf.constant([name.encode("utf-8", "surrogateescape") for name in manifest.classes])
    found = tf.where(tf.equal(names[:, tf.newaxis], known))[:, 1]
    if manifest.labels == LABELS_BY_NAME:
        return found
    return tf.cond(tf.size(labels) > 0, lambda: labels, lambda: found)


def shard_name(split: str, index: int, count: int) -> str:
    """File name of a shard: `train-00000-of-00004.tfrecord`."""
    if not 0 <= index < count:
        raise ValueError(f"shard index must be in [0, {count}), got {index}")
    return f"{split}-{index:05d}-of-{count:05d}.tfrecord"


def num_samples(num_frames: int, frame_rate: float, sample_rate: float) -> int:
    """Samples that span the same time as `num_frames` frames; halves round up."""
    return math.floor(num_frames / frame_rate * sample_rate + 0.5)


def frames_with_audio(num_samples: int, frame_rate: float, sample_rate: float) -> int:
    """The most frames that so many samples span; turns `num_samples` round."""
    return math.ceil((num_samples + 0.5) * (frame_rate / sample_rate) + _ROUNDING) - 1
