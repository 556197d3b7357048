"""When the frames of a record are shown: at an even rate, from where its audio begins."""

import numpy as np
import tensorflow as tf

from actcl_tf.data.records import records, waveforms
from actcl_tf.storage.errors import DataError

# Off from an even grid, as clocks of containers are; frames are further apart.
_LARGEST_ERROR = 0.02
_RATE_TOLERANCE = 0.01  # 30 and 29.97 are one rate here.
_LARGEST_OFFSET = 0.1  # Between video and audio; most people notice more.


def check(example: tf.train.SequenceExample, frame_rate: float) -> None:
    """Refuses frames with time stamps that are uneven, or begin at another time than the audio.

    Args:
      example: the record; nothing is said of one without time stamps.
      frame_rate: frames a second that the record names; 0 for none.

    Raises:
      DataError: so it is; one line that says where.
    """
    key = records.IMAGE_TIMESTAMP
    stamps = _stamps(example, key)
    if not stamps:
        return
    num_frames = len(example.feature_lists.feature_list[records.IMAGE].feature)
    if len(stamps) != num_frames:
        raise DataError(
            f"holds {num_frames} frames and {len(stamps)} time stamps in {key}, expected one each"
        )
    if num_frames > 1:
        _check_steps(np.array(stamps) / 1e6, frame_rate)
    audio = _stamps(example, records.WAVEFORM_TIMESTAMP)
    if audio and abs(audio[0] - stamps[0]) / 1e6 > _LARGEST_OFFSET:
        raise DataError(
            f"holds video from {stamps[0] / 1e6:.3f} s on by {key}, and audio from "
            f"{audio[0] / 1e6:.3f} s on by {records.WAVEFORM_TIMESTAMP}: cut both to the same span"
        )


def _stamps(example: tf.train.SequenceExample, key: str) -> list[int]:
    """All values of a list, microseconds; none if it is not there."""
    features = waveforms.features_of(example, key, "int64_list")
    return [value for feature in features for value in feature.int64_list.value]


def _check_steps(times: np.ndarray, frame_rate: float) -> None:
    """Refuses what is no even grid at the named rate; times in seconds."""
    key, steps = records.IMAGE_TIMESTAMP, np.diff(times)
    if not steps.min() > 0.0:
        first = int(np.argmax(steps <= 0.0))
        raise DataError(
            f"holds {times[first + 1]:.6f} s after {times[first]:.6f} s in {key}, expected time "
            "stamps that rise"
        )
    step = (times[-1] - times[0]) / steps.size
    worst = int(np.abs(steps - step).argmax())
    even = times[0] + step * np.arange(times.size)
    if np.abs(times - even).max() > _LARGEST_ERROR:
        raise DataError(
            f"holds frames at uneven times in {key}: number {worst + 1} comes {steps[worst]:.3f} s "
            f"after the one before, most {np.median(steps):.3f} s; sample the video at one rate"
        )
    if frame_rate and abs(step * frame_rate - 1) > _RATE_TOLERANCE:
        raise DataError(
            f"holds frames {step:.3f} s apart by {key}, but {frame_rate:g} a second by "
            f"{records.FRAME_RATE}"
        )
