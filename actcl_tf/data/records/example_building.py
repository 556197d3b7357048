"""One clip -> its record, a `tf.train.SequenceExample` as `records` has the contract."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from actcl_tf.data.records import records


def _bytes(*values: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def text_feature(value: str) -> tf.train.Feature:
    """Text as UTF-8; bytes of a file name that are no UTF-8 come through as they are."""
    return _bytes(value.encode("utf-8", "surrogateescape"))


def _texts(values: Sequence[str]) -> tf.train.Feature:
    return _bytes(*(value.encode("utf-8", "surrogateescape") for value in values))


def int_feature(*values: int) -> tf.train.Feature:
    """Whole numbers."""
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def _floats(values: Any) -> tf.train.Feature:
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def _list(*features: tf.train.Feature) -> tf.train.FeatureList:
    return tf.train.FeatureList(feature=features)


def build_example(
    *,
    example_id: str,
    filename: str,
    frames_jpeg: Sequence[bytes],
    waveform: np.ndarray | None,
    height: int,
    width: int,
    frame_rate: float,
    sample_rate: float,
    start_us: int,
    end_us: int,
    labels: Sequence[int] = (),
    label_texts: Sequence[str] = (),
    label_strings: Sequence[str] = (),
    caption: str | None = None,
    folds: Sequence[str] = (),
) -> tf.train.SequenceExample:
    """Builds the record of one clip.

    Args:
      example_id: name of the clip, unique in the data set.
      filename: name of the video it was cut from, relative to the data set's source.
      frames_jpeg: T JPEG images, one a frame; none for a clip of audio alone.
      waveform: [S] float32, mono, in [-1, 1]; spans the same time as the frames. None for a clip of
        the video alone.
      height: of the frames, in pixels.
      width: of the frames, in pixels.
      frame_rate: frames a second.
      sample_rate: samples a second.
      start_us: where the clip starts in the video, microseconds.
      end_us: where it ends (exclusive), microseconds.
      labels: indices in the sorted list of all classes; none for unlabelled data.
      label_texts: names of these classes, as people read them.
      label_strings: their machine names; `label_texts` if empty.
      caption: a sentence about the clip.
      folds: the clip's part (train, test or none) in each official split of its data set.

    Raises:
      DataError: there is neither video nor audio, the waveform is not finite mono in [-1, 1], or
        labels and names do not go together.
    """
    context = identity_context(
        example_id=example_id,
        filename=filename,
        start_us=start_us,
        end_us=end_us,
        labels=labels,
        label_texts=label_texts,
        label_strings=label_strings,
    )
    lists = {}
    if frames_jpeg:
        context.update(_frames_context(height, width, frame_rate))
        lists.update(_frames_lists(frames_jpeg, frame_rate, start_us))
    if waveform is not None:
        context[records.SAMPLE_RATE] = _floats([sample_rate])
        context[records.NUM_CHANNELS] = int_feature(1)
        lists[records.WAVEFORM] = _list(_floats(_check_waveform(example_id, waveform)))
        lists[records.WAVEFORM_TIMESTAMP] = _list(int_feature(start_us))
    if not lists:
        raise records.DataError(
            f"clip {example_id}: expected frames, a waveform or both, got neither"
        )
    if caption is not None:
        context[records.CAPTION] = text_feature(caption)
    if folds:
        context[records.FOLDS] = _texts(folds)
    return tf.train.SequenceExample(
        context=tf.train.Features(feature=context),
        feature_lists=tf.train.FeatureLists(feature_list=lists),
    )


def _frames_context(height: int, width: int, frame_rate: float) -> dict[str, tf.train.Feature]:
    return {
        records.IMAGE_FORMAT: _bytes(b"JPEG"),
        records.IMAGE_HEIGHT: int_feature(height),
        records.IMAGE_WIDTH: int_feature(width),
        records.IMAGE_CHANNELS: int_feature(3),
        records.FRAME_RATE: _floats([frame_rate]),
    }


def _frames_lists(
    frames_jpeg: Sequence[bytes], frame_rate: float, start_us: int
) -> dict[str, tf.train.FeatureList]:
    shown = (start_us + round(i * 1e6 / frame_rate) for i in range(len(frames_jpeg)))
    return {
        records.IMAGE: _list(*map(_bytes, frames_jpeg)),
        records.IMAGE_TIMESTAMP: _list(*map(int_feature, shown)),
    }


def identity_context(
    *,
    example_id: str,
    filename: str,
    start_us: int,
    end_us: int,
    labels: Sequence[int],
    label_texts: Sequence[str],
    label_strings: Sequence[str],
) -> dict[str, tf.train.Feature]:
    """What a clip is called, where it comes from and what it is labelled."""
    context = {
        records.EXAMPLE_ID: text_feature(example_id),
        records.FILENAME: text_feature(filename),
        records.START: int_feature(start_us),
        records.END: int_feature(end_us),
    }
    if labels:
        strings = label_strings or label_texts
        if not len(labels) == len(label_texts) == len(strings):
            raise records.DataError(
                f"clip {example_id}: labels={list(labels)} need as many names, got "
                f"{list(label_texts)} and {list(strings)}"
            )
        context[records.LABEL_INDEX] = int_feature(*labels)
        context[records.LABEL_TEXT] = _texts(label_texts)
        context[records.LABEL_STRING] = _texts(strings)
    return context


def _check_waveform(example_id: str, waveform: np.ndarray) -> np.ndarray:
    waveform = np.asarray(waveform)
    if not np.issubdtype(waveform.dtype, np.floating):
        raise records.DataError(
            f"clip {example_id}: waveform must be float32 in [-1, 1], got {waveform.dtype}; divide "
            "16-bit samples by 32768.0"
        )
    waveform = waveform.astype(np.float32, copy=False)
    if waveform.ndim != 1 or not waveform.size:
        raise records.DataError(
            f"clip {example_id}: waveform must have shape [S] with S > 0, got {waveform.shape}"
        )
    # Written so that NaN fails too.
    if not float(np.max(np.abs(waveform))) <= 1.0:
        raise records.DataError(f"clip {example_id}: waveform must be finite and within [-1, 1]")
    return waveform
