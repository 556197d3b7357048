"""The clips of a split without leaving any out: a bad record is an error."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from actcl_tf.data.input import clip_choice, clip_sources
from actcl_tf.data.input.slots import Slots

Choose = Callable[[tf.data.Dataset], tf.data.Dataset]


class EveryClip(NamedTuple):
    """Makes a clip of each record; takes the place of `skip_ledger.SkipLedger`.

    Attributes:
      choose: of ([] int64 epoch, [] string record), those that clips are made of; None for all.
    """

    choose: Choose | None = None

    def start_of(self, num_used: int) -> int:
        """The slot to go on at when so many clips were used."""
        return num_used

    def clips(
        self,
        slots: Slots,
        num_parallel_calls: int,
        *,
        start: int = 0,
        num_epochs: int | None = None,
        limit: int = -1,
    ) -> tf.data.Dataset:
        """The clips of a split in their order.

        Args:
          slots: of the split.
          num_parallel_calls: clips worked on at a time.
          start: clips to leave out, which are not parsed.
          num_epochs: to end after; None for no end.
          limit: clips to end after, before any are chosen; -1 for no end.

        Returns:
          Dataset of what `slots.make_clip` gives.
        """
        raw = slots.order.records(start, num_epochs).take(limit)
        chosen = raw if self.choose is None else self.choose(raw)
        return chosen.map(slots.make_clip, num_parallel_calls, deterministic=True)


def part_of_batches(
    batch_size: int, num_input_pipelines: int, input_pipeline_id: int
) -> Choose | None:
    """Of a stream of records, those of one part of each global batch; None for all."""

    def is_own(index: tf.Tensor, *_: tf.Tensor) -> tf.Tensor:
        return index % (batch_size * num_input_pipelines) // batch_size == input_pipeline_id

    def choose(raw: tf.data.Dataset) -> tf.data.Dataset:
        return raw.enumerate().filter(is_own).map(lambda _, record: record)

    return choose if num_input_pipelines > 1 else None


def chosen(num_clips: int, clip_ids: np.ndarray | None, source: clip_sources.Source) -> Choose:
    """Of the records of a split, those of some clips; it is an error where one is not there."""

    def choose(raw: tf.data.Dataset) -> tf.data.Dataset:
        num = num_clips
        if clip_ids is not None:
            rows, num = clip_choice.ClipChoice(clip_ids, source), len(clip_ids)
            raw = raw.filter(lambda _, record: rows.row_of(record) >= 0)
        return raw.apply(tf.data.experimental.assert_cardinality(num))

    return choose
