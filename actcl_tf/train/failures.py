"""What stopped training, in words: TensorFlow's errors name operations, and no files."""

import contextlib
import pathlib
import re
from collections.abc import Callable, Iterator

import tensorflow as tf

from actcl_tf import config
from actcl_tf.data.input import data_service, media_reader, skip_ledger, tagged_errors
from actcl_tf.data.records import records, shards
from actcl_tf.train.runs import checkpoints

# What the system says, and before it in TensorFlow's words the file.
_NO_ROOM = re.compile(
    r"(?:(?P<path>/\S+)(?:;| cannot be written \() ?)?"
    r"(?P<why>No space left on device|Disk quota exceeded|File too large)"
)
# Messages of the input that say all there is to say.
_TAGS = (data_service.TAG, skip_ledger.TAG, media_reader.TAG)
# What reading and decoding a record may fail with.
_OF_DATA = (tf.errors.DataLossError, tf.errors.NotFoundError, tf.errors.InvalidArgumentError)


class NonFiniteError(config.UserError, ArithmeticError):
    """NaN or infinity turned up; the message names the first bad quantity and the step."""


class NoRoomError(OSError):
    """The disk is full; the message says what could not be written and how to go on."""


@contextlib.contextmanager
def explaining(
    explain: Callable[[Exception], Exception | None],
    kinds: tuple[type[Exception], ...] = (tf.errors.OpError,),
) -> Iterator[None]:
    """Turns errors into those that say more.

    Args:
      explain: gives the error to raise instead; None for nothing better.
      kinds: of errors that it is asked about.
    """
    try:
        yield
    except kinds as error:
        told = explain(error)
        if told is None:
            raise
        raise told from error


def naming_full_disks(run_dir: str) -> contextlib.AbstractContextManager:
    """Turns what the system or TensorFlow raises on a full disk into a NoRoomError.

    Args:
      run_dir: folder of the run.
    """
    kinds = (tf.errors.OpError, records.DataError, OSError)
    return explaining(lambda error: explain_no_room(error, run_dir), kinds)


def explain_no_room(error: BaseException, run_dir: str) -> NoRoomError | None:
    """The error to raise instead of the system's or TensorFlow's where a disk is full.

    Args:
      error: what stopped training.
      run_dir: folder of the run.

    Returns:
      An error whose message says what could not be written; None for another error.
    """
    found = _NO_ROOM.search(str(error))
    if found is None:
        return None
    path = getattr(error, "filename", None) or found["path"] or run_dir
    last = checkpoints.latest(pathlib.Path(run_dir) / "checkpoints")
    state = "there is no checkpoint yet" if last is None else f"the last checkpoint, {last}, stays"
    return NoRoomError(
        f"{path}: cannot be written ({found['why']}); {state}. Make room, and start the same "
        "command again to go on"
    )


def explain(
    error: tf.errors.OpError,
    data: config.DataConfig,
    split: str,
    step: int,
    find_bad_clip: Callable[[], str] = str,
) -> Exception | None:
    """The error to raise instead of TensorFlow's.

    Args:
      error: what stopped training.
      data: data section of the run's configuration.
      split: that was trained on.
      step: steps done before.
      find_bad_clip: looks for a bad record and says what to do about it; "" if all are good.

    Returns:
      A records.DataError or a NonFiniteError whose message says what is wrong and what to do; None
      where nothing better is known than what TensorFlow says.
    """
    for tag in _TAGS:
        told = tagged_errors.message_of(error, tag)
        if told:
            return records.DataError(told)
    quantity = _non_finite_quantity(error)
    if quantity is None:
        return _bad_record(error, data, split, find_bad_clip)
    return NonFiniteError(
        f"{quantity}: NaN or infinity at step {step + 1}; the run was stopped and its last good "
        f"checkpoint kept. A lower --learning_rate, --clip_norm=1 or --precision=float32 may help"
    )


def _bad_record(
    error: tf.errors.OpError, data: config.DataConfig, split: str, find_bad_clip: Callable[[], str]
) -> records.DataError | None:
    """What is wrong with the data, if that is what stopped training."""
    if not isinstance(error, _OF_DATA):
        return None
    found = find_bad_clip()
    if not found and isinstance(error, tf.errors.DataLossError):
        return shards.damage_error(error, data.data_dir, split)
    return records.DataError(found) if found else None


def _non_finite_quantity(error: tf.errors.OpError) -> str | None:
    """What a failed numerics check names, or None for another error."""
    for line in str(error.message).splitlines():
        if "Tensor had" in line:
            return line.split(" : Tensor had")[0].strip()
    return None
