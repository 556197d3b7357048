"""What one record holds, and whether it is what the record contract says.

A record is read here as a message, key by key, so that what is wrong with it can be told in words;
training reads it with `records.parse_example`.
"""

import hashlib
import math
from typing import Any, NamedTuple

import tensorflow as tf
from google.protobuf import message

from actcl_tf.data.media import audio_sampler
from actcl_tf.data.records import frame_times, jpeg_header, records, waveforms
from actcl_tf.data.records.waveforms import KINDS
from actcl_tf.storage.errors import DataError

_SHOWN_KEYS = 6
_COMMON_RATE = 16000.0  # What loudness is measured at where the rate is not known.
_DATA_PATH = "clip/data_path"  # MediaSequence's name of the video.


class RecordFacts(NamedTuple):
    """What is in one record.

    Attributes:
      frames: how many; 0 without video.
      samples: of audio; 0 without.
      height: of its frames, pixels; 0 without video.
      width: likewise.
      frame_rate: frames a second; 0 if the record does not say.
      sample_rate: samples a second; 0 if the record does not say.
      start: in its video, seconds; 0 if the record does not say.
      seconds: from its start to its end; 0 if the record does not say.
      labels: indices of its classes.
      names: their machine names, or else their names as people read them; may be missing.
      loudest_db: root mean square of the loudest 0.1 s, dB below full scale; None without audio.
      clip: its name, or a fingerprint of its contents: what it is told from others by.
      video: that it was cut from; "" if the record does not say.
      num_bytes: of the record.
    """

    frames: int
    samples: int
    height: int
    width: int
    frame_rate: float
    sample_rate: float
    start: float
    seconds: float
    labels: tuple[int, ...]
    names: tuple[str, ...]
    loudest_db: float | None
    clip: str
    video: str
    num_bytes: int


def read_facts(record: bytes, *, every_frame: bool = False) -> RecordFacts:
    """Reads what is in a record.

    Args:
      record: a serialized `tf.train.SequenceExample`.
      every_frame: whether to look at all frames, and at their ends; otherwise at the head of the
        first.

    Raises:
      DataError: the record is damaged or breaks the contract; one line that says how.
    """
    try:
        example = tf.train.SequenceExample.FromString(record)
    except message.DecodeError as error:
        raise DataError("is no tf.train.SequenceExample") from error
    context = example.context.feature
    sample_rate = _rate(context, records.SAMPLE_RATE)
    waveform = waveforms.read(example, sample_rate)
    sizes = _frame_sizes(example, every_frame)
    if not sizes and not waveform.size:
        raise DataError(_nothing_found(example))
    frame_rate = _rate(context, records.FRAME_RATE)
    frame_times.check(example, frame_rate)
    names = [_decode(each) for each in _values(context, records.LABEL_STRING, "bytes_list")] or [
        _decode(each) for each in _values(context, records.LABEL_TEXT, "bytes_list")
    ]
    height, width = sizes[0] if sizes else (0, 0)
    start, seconds = _span(context)
    example_id = _one(context, records.EXAMPLE_ID, "bytes_list")
    video = _one(context, records.FILENAME, "bytes_list") or _one(context, _DATA_PATH, "bytes_list")
    return RecordFacts(
        frames=len(example.feature_lists.feature_list[records.IMAGE].feature),
        samples=waveform.size,
        height=height,
        width=width,
        frame_rate=frame_rate,
        sample_rate=sample_rate,
        start=start,
        seconds=seconds,
        labels=_labels(context, names),
        names=tuple(names),
        loudest_db=audio_sampler.loudest_db(waveform, round(sample_rate or _COMMON_RATE))
        if waveform.size
        else None,
        clip=_decode(example_id) if example_id else hashlib.sha256(record).hexdigest(),
        video=_decode(video or b""),
        num_bytes=len(record),
    )


def _decode(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _values(features: Any, key: str, kind: str) -> list:
    """The values of a key, none if it is not there."""
    if key not in features:
        return []
    found = features[key].WhichOneof("kind")
    if found not in (None, kind):
        raise DataError(f"holds {KINDS[found]} in {key}, expected {KINDS[kind]}")
    return list(getattr(features[key], kind).value)


def _one(features: Any, key: str, kind: str) -> Any:
    """The only value of a key, None if it is not there."""
    values = _values(features, key, kind)
    if len(values) > 1:
        raise DataError(f"holds {len(values)} values in {key}, expected one")
    return values[0] if values else None


def _rate(context: Any, key: str) -> float:
    rate = _one(context, key, "float_list") or 0.0
    if not 0 <= rate < math.inf:
        raise DataError(f"holds {rate} in {key}, expected a rate above 0")
    return rate


def _span(context: Any) -> tuple[float, float]:
    """Start and length, in seconds."""
    start, end = (_one(context, key, "int64_list") for key in (records.START, records.END))
    if start is None or end is None:
        return 0.0, 0.0
    if end <= start:
        raise DataError(f"holds {end} in {records.END}, expected more than its start, {start}")
    return start / 1e6, (end - start) / 1e6


def _labels(context: Any, names: list[str]) -> tuple[int, ...]:
    labels = _values(context, records.LABEL_INDEX, "int64_list")
    if labels == [records.NO_LABEL]:
        return ()
    if any(label < 0 for label in labels):
        raise DataError(f"holds {labels} in {records.LABEL_INDEX}, expected indices from 0 on")
    if labels and names and len(labels) != len(names):
        raise DataError(f"holds {len(labels)} label indices but {len(names)} names")
    return tuple(labels)


def _frame_sizes(example: tf.train.SequenceExample, every_frame: bool) -> list[tuple[int, int]]:
    """Height and width, of every frame or of the first."""
    features = example.feature_lists.feature_list[records.IMAGE].feature
    sizes = []
    for index, feature in enumerate(features if every_frame else features[:1]):
        kind = feature.WhichOneof("kind")
        if kind != "bytes_list" or len(feature.bytes_list.value) != 1:
            raise DataError(
                f"holds {KINDS.get(kind, 'nothing')} in feature {index} of {records.IMAGE}, "
                "expected the bytes of one JPEG"
            )
        try:
            sizes.append(jpeg_header.read_size(feature.bytes_list.value[0], whole=every_frame))
        except DataError as error:
            raise DataError(f"holds a frame, number {index}, that {error}") from error
        if sizes[-1] != sizes[0]:
            raise DataError(
                f"holds frames of different sizes: {sizes[0][1]} x {sizes[0][0]} and, number "
                f"{index}, {sizes[-1][1]} x {sizes[-1][0]}"
            )
    return sizes


def _nothing_found(example: tf.train.SequenceExample) -> str:
    """Why there is neither video nor audio."""
    misplaced = {records.IMAGE, records.WAVEFORM} & set(example.context.feature)
    if misplaced:
        return (
            f"holds {misplaced.pop()} in its context, expected a feature list; a tf.train.Example "
            "must be written as a tf.train.SequenceExample"
        )
    keys = sorted(
        {*example.context.feature, *example.feature_lists.feature_list}
        - {records.IMAGE, records.WAVEFORM}
    )
    shown = ", ".join(keys[:_SHOWN_KEYS]) + ", ..." * (len(keys) > _SHOWN_KEYS)
    return f"holds neither {records.IMAGE} nor {records.WAVEFORM}, but {shown or 'nothing'}"
