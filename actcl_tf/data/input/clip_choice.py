"""Some clips of a split, told by their ids in a stream of records."""

import numpy as np
import tensorflow as tf

from actcl_tf.data.input import clip_sources


class ClipChoice:
    """Knows the row of each chosen clip."""

    def __init__(self, clip_ids: np.ndarray, source: clip_sources.Source):
        """Takes the clips.

        Args:
          clip_ids: [n] int64, all different.
          source: parses the records.

        Raises:
          ValueError: an id comes twice.
        """
        ids = np.asarray(clip_ids, np.int64)
        if len(np.unique(ids)) < len(ids):
            raise ValueError(f"clip_ids must all be different, got {len(ids)} with repetitions")
        rows = tf.lookup.KeyValueTensorInitializer(
            tf.constant(ids), tf.range(len(ids), dtype=tf.int64)
        )
        self._rows = tf.lookup.StaticHashTable(rows, -1)
        self._source = source

    def row_of(self, record: tf.Tensor) -> tf.Tensor:
        """Row [] int64 of the clip of a record [] string; -1 if it was not chosen."""
        return self._rows.lookup(self._source.parse(record)["clip_id"])
