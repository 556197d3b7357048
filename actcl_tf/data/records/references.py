"""Records of clips that stay in their videos: they say where a clip is, and hold nothing of it."""

from collections.abc import Sequence

import tensorflow as tf

from actcl_tf.data.records import example_building, records

PATH = "clip/data_path"
START_SECONDS = "clip/start/seconds"
NUM_FRAMES = "clip/num_frames"
HAS_JUMPS = "clip/media/has_jumps"


def build(
    *,
    example_id: str,
    filename: str,
    path: str,
    start: float,
    end: float,
    num_frames: int,
    has_jumps: bool = False,
    labels: Sequence[int] = (),
    label_texts: Sequence[str] = (),
    label_strings: Sequence[str] = (),
) -> tf.train.SequenceExample:
    """Builds the record of a clip that stays in its video.

    Args:
      example_id: as of `example_building.build_example`, like the others not named here.
      filename: name of the video, relative to the data set's source.
      path: of the video, as it can be opened.
      start: of the clip in the video, seconds.
      end: of the clip (exclusive), seconds.
      num_frames: frames that the clip has at the data set's frame rate.
      has_jumps: whether time stamps jump somewhere in the video.
      labels: indices.
      label_texts: names.
      label_strings: machine names.
    """
    context = example_building.identity_context(
        example_id=example_id,
        filename=filename,
        start_us=round(start * 1e6),
        end_us=round(end * 1e6),
        labels=labels,
        label_texts=label_texts,
        label_strings=label_strings,
    )
    context[PATH] = example_building.text_feature(path)
    context[START_SECONDS] = example_building.text_feature(repr(float(start)))  # To the last digit.
    context[NUM_FRAMES] = example_building.int_feature(num_frames)
    if has_jumps:
        context[HAS_JUMPS] = example_building.int_feature(1)
    return tf.train.SequenceExample(context=tf.train.Features(feature=context))


def parse(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    """Parses a record of `build`.

    Args:
      serialized: [] string.

    Returns:
      `path` [] string, `start` [] float64, seconds, `num_frames` [] int32, `has_jumps` [] int64,
      and `clip_id`, `label`, `labels`, `filename` and `example_id` as of `records.parse_example`.

    Raises:
      tf.errors.InvalidArgumentError: the record is damaged, or no reference.
    """
    parsed, _ = records.parse_parts(
        serialized,
        {
            records.LABEL_INDEX: tf.io.VarLenFeature(tf.int64),
            NUM_FRAMES: tf.io.FixedLenFeature([], tf.int64),
            HAS_JUMPS: tf.io.FixedLenFeature([], tf.int64, 0),
            **{
                key: tf.io.FixedLenFeature([], tf.string)
                for key in (records.EXAMPLE_ID, records.FILENAME, PATH, START_SECONDS)
            },
        },
        {records.IMAGE: tf.io.VarLenFeature(tf.string)},  # There are none.
    )
    labels = parsed[records.LABEL_INDEX].values
    return {
        "path": parsed[PATH],
        "start": tf.strings.to_number(parsed[START_SECONDS], tf.float64),
        "num_frames": tf.cast(parsed[NUM_FRAMES], tf.int32),
        "has_jumps": parsed[HAS_JUMPS],
        "clip_id": records.clip_id_of(parsed[records.EXAMPLE_ID]),
        "label": records.only_label(labels),
        "labels": labels,
        "filename": parsed[records.FILENAME],
        "example_id": parsed[records.EXAMPLE_ID],
    }
