"""Bad records that training leaves out, with an account of them."""

import functools
import json
import pathlib
import sys
import threading
from typing import TypedDict

import tensorflow as tf

from actcl_tf.console import bars
from actcl_tf.data.input import bad_clip_search
from actcl_tf.data.input.slots import Slots
from actcl_tf.data.records import records
from actcl_tf.storage import files, strict_json

FILE_NAME = "skipped.jsonl"
TAG = "--on_bad_record=skip: "  # See `tagged_errors`.
_SHOWN = 5


class _Line(TypedDict):
    """Of the account: a slot left empty, and why."""

    slot: int
    shard: str
    record: int
    why: str


class SkipLedger:
    """Leaves bad records out of the clips of a split, and keeps account of them."""

    def __init__(self, ledger: pathlib.Path | None = None, *, tell: bool = True):
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
        slots: Slots,
        num_parallel_calls: int,
        *,
        start: int = 0,
        num_epochs: int | None = None,
        limit: int = -1,
    ) -> tf.data.Dataset:
        """See `every_clip.EveryClip.clips`; bad clips are left out, and `start` is a slot.

        An epoch without any good clip is an error marked with `TAG`.
        """
        leave_out = functools.partial(self._leave_out, slots)
        clips = slots.good_clips(num_parallel_calls, leave_out, start=start, num_epochs=num_epochs)
        return clips.take(limit)

    def _leave_out(self, slots: Slots, first: int, end: int) -> None:
        """Enters the slots [first, end), all of one epoch, into the account."""
        epoch, begin = divmod(first, slots.order.num_clips)
        places = slots.places(epoch)[begin : begin + end - first]
        for slot, place in enumerate(places, first):
            shard, number = slots.order.paths[place[0]], int(place[1])
            line = self._known.get((shard, number))
            if line is None:
                why = bad_clip_search.what_is_wrong(slots, place, epoch)
                line = {"shard": shard, "record": number, "why": why}
                self._known[shard, number] = line
                self._say(f"left out: {shard}, record {number}: {why}")
            self._enter(slot, line)
        if end - first == slots.order.num_clips:
            raise records.DataError(
                f"{TAG}none of the {slots.order.num_clips} clips could be read, and so nothing is "
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
            strict_json.build(_Line, strict_json.loads(line))
            for line in lines
            if line.endswith("}")
        ]
    except ValueError as error:
        raise records.DataError(
            f"{ledger} is damaged ({error}): name a new --run_dir, or the clips that were left out "
            "would not be known"
        ) from error
    return {line["slot"]: dict(line) for line in found}
