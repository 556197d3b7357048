"""Records that cannot be read or decoded: which they are, and training that leaves them out.

A stream of training clips is a stream of slots: slot s is place s % N in the order of epoch s // N,
where N is the number of clips in the split. A bad record leaves its slot empty and moves nothing
else, so the empty slots say where any batch starts, and a restart goes on with the very next clip.
A good clip costs no more than comparing its slot with the one expected; what is wrong with a bad
one is looked up when its slot turns out to be empty.
"""

import json
import pathlib
import re
import sys
import threading
from typing import Callable, NamedTuple, Optional, TypedDict

import numpy as np
import tensorflow as tf

from actcl_tf.console import bars
from actcl_tf.data.input import marked_errors, media_reader
from actcl_tf.data.records import record_check, records, shards
from actcl_tf.storage import files, typed_json

LEDGER = "skipped.jsonl"
MARK = "--on_bad_record=skip: "  # See `marked_errors`.
_SHOWN = 5


Clip = dict[str, tf.Tensor]
MakeClip = Callable[[tf.Tensor, tf.Tensor], Clip]


class _Line(TypedDict):
    """Of the account: a slot left empty, and why."""

    slot: int
    shard: str
    record: int
    why: str


class Stream(NamedTuple):
    """The records of a split in the order of training, epoch after epoch.

    Attributes:
      paths: shards that hold clips.
      clips: of each shard.
      seed: of the run.
      stream: streams of different numbers have unrelated orders; None for the stored order.
      shuffle_buffer: raw records held by the shuffle buffer.
      make_clip: (epoch [] int64, record [] string) -> clip; fails on a bad record.
      is_index: whether the records only name places in videos.
    """

    paths: list[str]
    clips: list[int]
    seed: int
    stream: Optional[int]
    shuffle_buffer: int
    make_clip: MakeClip
    is_index: bool = False

    @property
    def num_clips(self) -> int:
        """Clips of an epoch (N)."""
        return sum(self.clips)

    def places(self, epoch: int) -> np.ndarray:
        """Shard and number in it of each record, in the order of an epoch: [N, 2] int64."""
        epochs = tf.data.Dataset.range(epoch, epoch + 1)
        options = tf.data.Options()
        options.threading.private_threadpool_size = 2  # It may be asked for by others' threads.
        order = epochs.flat_map(lambda each: self._order(each, self._places_in)).batch(4096)
        return np.concatenate(list(order.with_options(options).as_numpy_iterator()))

    def slots(self, start: int, epochs: Optional[int] = None) -> tf.data.Dataset:
        """Slot after slot with its record, and after each epoch a slot that only marks its end.

        Args:
          start: slot to begin at.
          epochs: to end after; None for no end.

        Returns:
          Dataset of ([] int64 slot, [] int64 epoch, [2] int64 shard and number, [] string record,
          [] bool whether this is an epoch's end). The record is empty where reading one after the
          other does not give it.
        """
        first_epoch, used = divmod(start, self.num_clips)

        def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
            first, end = epoch * self.num_clips, (epoch + 1) * self.num_clips
            clips = tf.data.Dataset.zip(
                (tf.data.Dataset.range(first, end), self._order(epoch, self._read_or_empty))
            ).map(lambda slot, record: (slot, epoch, *record, False))
            nothing = (tf.zeros([2], tf.int64), "", True)
            return clips.concatenate(tf.data.Dataset.from_tensors((end, epoch, *nothing)))

        last = tf.int64.max if epochs is None else first_epoch + epochs
        dataset = tf.data.Dataset.range(first_epoch, last).flat_map(one_epoch)
        return dataset.skip(used) if used else dataset

    def read(self, place: np.ndarray) -> bytes:
        """The record of a place that reading one after the other did not give.

        Raises:
          records.DataError: it cannot be read.
        """
        return shards.read_record(self.paths[place[0]], int(place[1]))

    def _order(self, epoch: tf.Tensor, read: shards.Read) -> tf.data.Dataset:
        """What `read` gives of each shard, in the order of an epoch."""
        if self.stream is None:
            return tf.data.Dataset.range(len(self.paths)).flat_map(read)
        return shards.in_order(
            len(self.paths),
            read,
            seed=shards.epoch_seed(self.seed, self.stream, epoch),
            shuffle_buffer=min(self.shuffle_buffer, self.num_clips),
        )

    def _places_in(self, shard: tf.Tensor) -> tf.data.Dataset:
        """The places of a shard's records: [2] int64 each."""
        numbers = tf.data.Dataset.range(tf.gather(tf.constant(self.clips, tf.int64), shard))
        return numbers.map(lambda number: tf.stack([shard, number]))

    def _read_or_empty(self, shard: tf.Tensor) -> tf.data.Dataset:
        """The places of a shard with their records, empty from the first bad one on."""
        places = self._places_in(shard)
        raw = tf.data.TFRecordDataset(tf.gather(tf.constant(self.paths), shard))
        # Beside their places, which end what would be tried for ever where the file is missing.
        placed = tf.data.Dataset.zip((places, raw))
        good = placed.ignore_errors().map(lambda _, record: record)
        filled = good.concatenate(tf.data.Dataset.from_tensors("").repeat())
        return tf.data.Dataset.zip((places, filled))


class Skipping:
    """Leaves bad records out of streams of clips, and keeps account of them."""

    def __init__(self, ledger: Optional[pathlib.Path] = None, *, tell: bool = True):
        """Reads the account of a run that goes on.

        Args:
          ledger: file of the account, a line of JSON for each empty slot; None to keep none.
          tell: whether to name on stderr what is left out: a few records, each once.

        Raises:
          records.DataError: the account is damaged.
        """
        self._ledger, self._tell = ledger, tell
        self._lines: dict[int, dict] = {}
        self._lock = threading.Lock()
        if ledger is not None and ledger.exists():
            self._lines = _read_ledger(ledger)
        self._known = {(line["shard"], line["record"]): line for line in self._lines.values()}

    @property
    def times(self) -> int:
        """How often a clip was left out, over the whole run."""
        return len(self._lines)

    @property
    def num_records(self) -> int:
        """How many different records were."""
        with self._lock:
            return len({(line["shard"], line["record"]) for line in self._lines.values()})

    def start_of(self, num_used: int) -> int:
        """The slot to go on at when so many clips were used; forgets what was found after it."""
        with self._lock:
            slot = num_used
            for empty in sorted(self._lines):
                slot += empty <= slot
            kept = {empty: line for empty, line in self._lines.items() if empty < slot}
            if self._ledger is not None and len(kept) < len(self._lines):
                text = "".join(f"{json.dumps(line)}\n" for line in kept.values())
                files.write_atomically(self._ledger, text)
            self._lines = kept
        return slot

    def clips(
        self,
        stream: Stream,
        num_parallel_calls: int,
        *,
        start: int = 0,
        epochs: Optional[int] = None,
    ) -> tf.data.Dataset:
        """The clips of a stream from a slot on, without the bad ones.

        Args:
          stream: of records.
          num_parallel_calls: clips worked on at a time.
          start: slot to begin at.
          epochs: to end after; None for no end.

        Returns:
          Dataset of what `stream.make_clip` gives. An epoch without any good clip is an
          error marked with `MARK`.
        """
        make_clip = tf.function(stream.make_clip, autograph=False).get_concrete_function(
            tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.string)
        )
        spec = make_clip.structured_outputs

        def no_clip() -> Clip:
            return {
                name: tf.zeros([size or 0 for size in value.shape], value.dtype)
                for name, value in spec.items()
            }

        def read_again(place: tf.Tensor) -> tf.Tensor:
            return tf.ensure_shape(tf.numpy_function(stream.read, [place], tf.string), [])

        @tf.autograph.experimental.do_not_convert
        def make(
            slot: tf.Tensor,
            epoch: tf.Tensor,
            place: tf.Tensor,
            record: tf.Tensor,
            is_end: tf.Tensor,
        ) -> tuple[tf.Tensor, tf.Tensor, Clip]:
            def read() -> Clip:
                missing = tf.equal(record, "")
                found = tf.cond(missing, lambda: read_again(place), lambda: record)
                return make_clip(epoch, found)

            clip = tf.cond(is_end, no_clip, read)
            return slot, is_end, {n: tf.ensure_shape(clip[n], spec[n].shape) for n in spec}

        def look_up(expected: np.int64, slot: np.int64) -> np.bool_:
            self._leave_out(stream, int(expected), int(slot))
            return np.bool_(True)

        @tf.autograph.experimental.do_not_convert
        def compare(
            expected: tf.Tensor, slot: tf.Tensor, is_end: tf.Tensor, clip: Clip
        ) -> tuple[tf.Tensor, tuple[tf.Tensor, Clip]]:
            looked_up = tf.cond(
                expected < slot,
                lambda: tf.numpy_function(look_up, [expected, slot], tf.bool),
                lambda: tf.constant(True),
            )
            with tf.control_dependencies([looked_up]):
                following = tf.where(is_end, slot, slot + 1)
            return following, (is_end, clip)

        dataset = stream.slots(start, epochs).map(make, num_parallel_calls, deterministic=True)
        dataset = dataset.ignore_errors().scan(
            np.int64(start), lambda expected, element: compare(expected, *element)
        )
        dataset = dataset.filter(lambda is_end, _: tf.logical_not(is_end))
        return dataset.map(lambda _, clip: clip)

    def _leave_out(self, stream: Stream, first: int, end: int) -> None:
        """Enters the slots [first, end), all of one epoch, into the account."""
        epoch, begin = divmod(first, stream.num_clips)
        places = stream.places(epoch)[begin : begin + end - first]
        for slot, place in enumerate(places, first):
            shard, number = stream.paths[place[0]], int(place[1])
            line = self._known.get((shard, number))
            if line is None:
                why = _what_is_wrong(stream, place, epoch)
                line = {"shard": shard, "record": number, "why": why}
                self._known[shard, number] = line
                self._say(f"left out: {shard}, record {number}: {why}")
            self._enter(slot, line)
        if end - first == stream.num_clips:
            raise records.DataError(
                f"{MARK}none of the {stream.num_clips} clips could be read, and so nothing is "
                f"left to train on; the last one: {shard}, record {number}: {line['why']}"
            )

    def _enter(self, slot: int, line: dict) -> None:
        with self._lock:
            if slot in self._lines:
                return
            self._lines[slot] = {**line, "slot": slot}
            if self._ledger is not None:
                written = files.naming(self._ledger, "written")
                with written, self._ledger.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(self._lines[slot]) + "\n")

    def _say(self, line: str) -> None:
        if self._tell and len(self._known) <= _SHOWN:
            bars.Bar.write(line, file=sys.stderr)
        elif self._tell and len(self._known) == _SHOWN + 1:
            where = f"; all of them: {self._ledger}" if self._ledger is not None else ""
            bars.Bar.write(f"left out: and more{where}", file=sys.stderr)


def _read_ledger(ledger: pathlib.Path) -> dict[int, dict]:
    """Slot -> its line; the last line of a killed run may be cut off and does not count."""
    try:
        lines = ledger.read_text(encoding="utf-8").splitlines()
        found = [
            typed_json.build(_Line, typed_json.loads(line)) for line in lines if line.endswith("}")
        ]
    except ValueError as error:
        raise records.DataError(
            f"{ledger} is damaged ({error}): name a new --run_dir, or the clips that were left out "
            "would not be known"
        ) from error
    return {line["slot"]: dict(line) for line in found}


def find(stream: Stream, start: int, num_clips: int) -> str:
    """Names the first bad record of a part of a stream.

    Args:
      stream: of records.
      start: slot to begin at.
      num_clips: how many clips to try.

    Returns:
      A line that names the file, the record and what is wrong; "" if all are good.
    """
    stream = stream._replace(make_clip=tf.function(stream.make_clip, autograph=False))
    slots = stream.slots(start).take(num_clips)
    looked_at = bars.Bar(slots, "looking for a bad record", num_clips, unit="clip", delay=2)
    for _, epoch, place, record, is_end in looked_at:
        why = ""
        if not is_end:
            why = _what_is_wrong(stream, place.numpy(), int(epoch), record.numpy(), unknown="")
        if why:
            return f"{stream.paths[place[0]]}, record {int(place[1])}: {why}"
    return ""


def _what_is_wrong(
    stream: Stream,
    place: np.ndarray,
    epoch: int,
    record: bytes = b"",
    unknown: str = "unreadable for a moment",
) -> str:
    """What is wrong with a record, read if it is not given; `unknown` if it is good."""
    try:
        record = record or stream.read(place)
        if not stream.is_index:
            record_check.read_facts(record, every_frame=True)
        stream.make_clip(tf.constant(epoch, tf.int64), tf.constant(record))
    except records.DataError as error:
        return str(error)
    except tf.errors.OpError as error:
        return marked_errors.message_of(error, media_reader.MARK) or _first_line(error)
    return unknown


def _first_line(error: tf.errors.OpError) -> str:
    """What TensorFlow says, without the names of operations."""
    text = str(error.message)
    # In a graph, what went wrong stands after a trace and before the name of the operation.
    text = text.rpartition("[[{{")[0].strip().rpartition("\n")[2] or text
    text = re.sub(r"\{\{.*?\}\}|\[Op:.*", "", text).strip()
    return text.splitlines()[0].strip() if text else "it cannot be decoded"
