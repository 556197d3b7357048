"""The audio of a record: one feature with all samples, or packets with time stamps, joined."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from actcl_tf.data.records import records
from actcl_tf.storage.errors import DataError

KINDS = {"bytes_list": "bytes", "float_list": "floats", "int64_list": "integers"}
# Between two packets; clocks of containers are no finer, and nobody sees or hears that.
_LARGEST_GAP = 0.02
# Of samples that make no sense as floats, from which on they are taken for integers.
_NO_FLOATS = 0.5
_FAINTEST = 1e-6  # -120 dB; samples of audio are rarely below, and hardly ever denormal.


def read(example: tf.train.SequenceExample, sample_rate: float) -> np.ndarray:
    """Reads the audio of a record.

    Args:
      example: the record.
      sample_rate: samples a second; 0 if it is not known.

    Returns:
      [S] float32; S is 0 without audio.

    Raises:
      DataError: it is not mono in [-1, 1], or its packets do not follow each other.
    """
    features = features_of(example, records.WAVEFORM, "float_list")
    stamps = features_of(example, records.WAVEFORM_TIMESTAMP, "int64_list")
    context = example.context.feature
    channels = list(context[records.NUM_CHANNELS].int64_list.value) if features else []
    if channels not in ([], [1]):
        raise DataError(
            f"holds {channels[0]} in {records.NUM_CHANNELS}, expected 1: mix the channels to one"
        )
    packets = [np.array(feature.float_list.value, np.float32) for feature in features]
    if len(packets) > 1:
        times = [list(stamp.int64_list.value) for stamp in stamps]
        _check_packets([packet.size for packet in packets], times, sample_rate)
    waveform = np.concatenate(packets) if packets else np.zeros([0], np.float32)
    peak = float(np.max(np.abs(waveform), initial=0.0))
    # Written so that NaN fails too.
    if not peak <= records.MOST_OVERSHOOT:
        if _are_integers(waveform):
            raise DataError(
                f"holds 32-bit integers under the name of floats in {records.WAVEFORM}: programs "
                "after DMVR's own example let ffmpeg write s32le and read it as float32; let it "
                "write f32le, and make the records again"
            )
        raise DataError(
            f"holds samples up to {peak:g} in {records.WAVEFORM}, expected floats in [-1, 1]; "
            "integers must be scaled"
        )
    return waveform


def _are_integers(waveform: np.ndarray) -> bool:
    """Whether the bytes are those of integers: as floats, they are mostly NaN, huge or nothing.

    Small integers are denormal floats, negative ones NaN, and few lie between 1e-6 and 4.
    """
    size, is_nan = np.abs(waveform), np.isnan(waveform)
    is_tiny = (size > 0.0) & (size < _FAINTEST)
    no_audio = is_nan | is_tiny | (size > records.MOST_OVERSHOOT)
    return bool(is_nan.any() and is_tiny.any() and no_audio.mean() > _NO_FLOATS)


def features_of(
    example: tf.train.SequenceExample, key: str, kind: str
) -> Sequence[tf.train.Feature]:
    """The features of a list, none if it is not there.

    Raises:
      DataError: they are of another kind, such as "float_list" where "int64_list" is expected.
    """
    lists = example.feature_lists.feature_list
    features = lists[key].feature if key in lists else ()  # Looking would make it.
    others = {feature.WhichOneof("kind") for feature in features} - {None, kind}
    if others:
        raise DataError(f"holds {KINDS[others.pop()]} in {key}, expected {KINDS[kind]}")
    return features


def _check_packets(sizes: list[int], stamped: list[list[int]], sample_rate: float) -> None:
    """Refuses packets that cannot simply be joined."""
    key = records.WAVEFORM_TIMESTAMP
    if len(stamped) != len(sizes) or any(len(stamp) != 1 for stamp in stamped):
        raise DataError(
            f"holds {len(sizes)} features in {records.WAVEFORM} and {len(stamped)} in {key}, "
            "expected one with all samples, or packets with a time stamp each"
        )
    stamps = [stamp for (stamp,) in stamped]
    times = (np.array(stamps, np.float64) - stamps[0]) / 1e6
    starts = np.cumsum([0, *sizes[:-1]])
    if not times[-1] > 0.0:
        raise DataError(
            f"holds {stamps[-1]} last in {key}, expected more than {stamps[0]}, the first"
        )
    rate = sample_rate or starts[-1] / times[-1]
    apart = np.abs(np.diff(times) - np.array(sizes[:-1]) / max(rate, 1.0))
    drift = np.abs(times - starts / max(rate, 1.0))
    worst = int(apart.argmax())
    if max(apart[worst], drift.max()) > _LARGEST_GAP:
        raise DataError(
            f"holds packets in {records.WAVEFORM} that overlap or leave gaps: number {worst + 1} "
            f"begins {times[worst + 1] - times[worst]:.3f} s after the one before, which has "
            f"{sizes[worst]} samples at {rate:g} a second"
        )
