"""The clips of a split as slots, of which a bad record leaves its own empty and moves no other.

Slot s is place s % N in the order of epoch s // N, where N is the number of clips in the split. So
the empty slots say where any batch starts, and a restart goes on with the very next clip. A good
clip costs no more than comparing its slot with the one expected; what is wrong with a bad one is
looked up when its slot turns out to be empty.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from actcl_tf.data.records import clip_order, shards

Clip = dict[str, tf.Tensor]
MakeClip = Callable[[tf.Tensor, tf.Tensor], Clip]
OnEmpty = Callable[[int, int], None]


class Slots(NamedTuple):
    """The slots of a split, and what makes their clips.

    Attributes:
      order: of the clips.
      make_clip: (epoch [] int64, record [] string) -> clip; fails on a bad record.
      is_index: whether the records only name places in videos.
    """

    order: clip_order.ClipOrder
    make_clip: MakeClip
    is_index: bool = False

    def good_clips(
        self,
        num_parallel_calls: int,
        on_empty: OnEmpty,
        *,
        start: int = 0,
        num_epochs: int | None = None,
    ) -> tf.data.Dataset:
        """The clips from a slot on, without the bad ones.

        Args:
          num_parallel_calls: clips worked on at a time.
          on_empty: called with each run of empty slots, [first, end), all of one epoch.
          start: slot to begin at.
          num_epochs: to end after; None for no end.

        Returns:
          Dataset of what `make_clip` gives.
        """
        make_clip = tf.function(self.make_clip, autograph=False).get_concrete_function(
            tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.string)
        )
        spec = make_clip.structured_outputs

        def no_clip() -> Clip:
            return {
                name: tf.zeros([size or 0 for size in value.shape], value.dtype)
                for name, value in spec.items()
            }

        def read_again(place: tf.Tensor) -> tf.Tensor:
            return tf.ensure_shape(tf.numpy_function(self.read, [place], tf.string), [])

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

        dataset = self.elements(start, num_epochs).map(make, num_parallel_calls, deterministic=True)
        dataset = dataset.ignore_errors().scan(
            np.int64(start), lambda expected, element: _compare(on_empty, expected, *element)
        )
        dataset = dataset.filter(lambda is_end, _: tf.logical_not(is_end))
        return dataset.map(lambda _, clip: clip)

    def places(self, epoch: int) -> np.ndarray:
        """Shard and number in it of each record, in the order of an epoch: [N, 2] int64."""
        epochs = tf.data.Dataset.range(epoch, epoch + 1)
        options = tf.data.Options()
        options.threading.private_threadpool_size = 2  # It may be asked for by others' threads.
        order = epochs.flat_map(lambda each: self.order.in_epoch(each, self._places_in))
        return np.concatenate(list(order.batch(4096).with_options(options).as_numpy_iterator()))

    def elements(self, start: int, num_epochs: int | None = None) -> tf.data.Dataset:
        """Slot after slot from `start` on, and after each epoch a slot that only marks its end.

        Returns:
          Dataset of ([] int64 slot, [] int64 epoch, [2] int64 shard and number, [] string record,
          [] bool whether this is an epoch's end). The record is empty where reading one after the
          other does not give it.
        """
        num_clips = self.order.num_clips

        def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
            first, end = epoch * num_clips, (epoch + 1) * num_clips
            read = self.order.in_epoch(epoch, self._read_or_empty)
            clips = tf.data.Dataset.zip((tf.data.Dataset.range(first, end), read)).map(
                lambda slot, record: (slot, epoch, *record, False)
            )
            nothing = (tf.zeros([2], tf.int64), "", True)
            return clips.concatenate(tf.data.Dataset.from_tensors((end, epoch, *nothing)))

        return self.order.epochs(one_epoch, start, num_epochs)

    def read(self, place: np.ndarray) -> bytes:
        """The record of a place that reading one after the other did not give.

        Raises:
          records.DataError: it cannot be read.
        """
        return shards.read_record(self.order.paths[place[0]], int(place[1]))

    def _places_in(self, shard: tf.Tensor) -> tf.data.Dataset:
        """The places of a shard's records: [2] int64 each."""
        numbers = tf.data.Dataset.range(tf.gather(tf.constant(self.order.clips, tf.int64), shard))
        return numbers.map(lambda number: tf.stack([shard, number]))

    def _read_or_empty(self, shard: tf.Tensor) -> tf.data.Dataset:
        """The places of a shard with their records, empty from the first bad one on."""
        places = self._places_in(shard)
        raw = tf.data.TFRecordDataset(tf.gather(tf.constant(self.order.paths), shard))
        # Beside their places, which end what would be tried for ever where the file is missing.
        placed = tf.data.Dataset.zip((places, raw))
        good = placed.ignore_errors().map(lambda _, record: record)
        filled = good.concatenate(tf.data.Dataset.from_tensors("").repeat())
        return tf.data.Dataset.zip((places, filled))


@tf.autograph.experimental.do_not_convert
def _compare(
    on_empty: OnEmpty, expected: tf.Tensor, slot: tf.Tensor, is_end: tf.Tensor, clip: Clip
) -> tuple[tf.Tensor, tuple[tf.Tensor, Clip]]:
    """The slot expected after this one; has those looked up that did not come before it."""

    def look_up(expected: np.int64, slot: np.int64) -> np.bool_:
        on_empty(int(expected), int(slot))
        return np.bool_(True)

    looked_up = tf.cond(
        expected < slot,
        lambda: tf.numpy_function(look_up, [expected, slot], tf.bool),
        lambda: tf.constant(True),
    )
    with tf.control_dependencies([looked_up]):
        following = tf.where(is_end, slot, slot + 1)
    return following, (is_end, clip)
