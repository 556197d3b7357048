"""A first-in-first-out table of keys in `tf.Variable`s: the dictionaries and the pools."""

import tensorflow as tf

EMPTY = -1  # The clip id of a slot that holds nothing.


def contains(ids: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Tells which ids occur among others, by binary search.

    Args:
      ids: [N] int64.
      others: [K] int64, in any order; K may be 0.

    Returns:
      [N] bool.
    """
    ordered = tf.concat([tf.sort(others), [ids.dtype.max]], axis=0)
    found = tf.gather(ordered, tf.searchsorted(ordered[:-1], ids))
    return tf.logical_and(found == ids, ids != ids.dtype.max)


def _variable(initial: tf.Tensor, name: str) -> tf.Variable:
    # Replicas write identical rows, so each reads its own copy and any copy may be saved.
    return tf.Variable(
        initial,
        trainable=False,
        name=name,
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )


def _in_kind_of(column: tf.Variable, name: str, values: tf.Tensor) -> tf.Tensor:
    """Values [m, ...] in the type of a column, if they are of its kind and shape."""
    values = tf.convert_to_tensor(values)
    kind, row = column.dtype, column.shape[1:]
    alike = kind == values.dtype or (
        (kind.is_floating and values.dtype.is_floating)
        or (kind.is_integer and values.dtype.is_integer and values.dtype != tf.uint64)
    )
    if not alike or not values.shape[1:].is_compatible_with(row) or values.shape.rank == 0:
        raise ValueError(
            f"{name} must have type {kind.name} and shape {tf.TensorShape([None, *row])}, got "
            f"{values.dtype.name} and {values.shape}"
        )
    return tf.cast(values, kind)


class MemoryQueue(tf.Module):
    """The last `size` rows that were enqueued, each with the id of the clip it came from.

    An id stands at most once: a row that is enqueued again replaces the older one, which becomes
    an empty slot until its turn to be overwritten comes.

    Attributes:
      size: rows it can hold.
      ids: [size] int64 variable, clip ids; -1 for empty slots.
      columns: name -> [size, ...] variable.
      pointer: int64 variable, the slot that the next row goes to.

    Example:
      >>> queue = actcl_tf.MemoryQueue(4, {"keys": tf.TensorSpec([2])})
      >>> queue.enqueue(tf.constant([7, 8, 9], tf.int64), {"keys": tf.ones([3, 2])})
      >>> queue.enqueue(tf.constant([8, 5], tf.int64), {"keys": tf.zeros([2, 2])})
      >>> queue.ids.numpy()  # 5 has taken the place of 7, and 8 has moved.
      array([ 5, -1,  9,  8])
      >>> queue.columns["keys"][3].numpy(), int(queue.filled())
      (array([0., 0.], dtype=float32), 3)
    """

    def __init__(self, size: int, columns: dict[str, tf.TensorSpec], name: str = "memory_queue"):
        """Makes an empty queue.

        Args:
          size: rows it can hold, at least 1.
          columns: column name -> shape and type of one row.
          name: name of the module.
        """
        super().__init__(name=name)
        if size < 1:
            raise ValueError(f"a memory queue must hold at least 1 row, got size={size}")
        self.size = size
        with self.name_scope:
            self.ids = _variable(tf.fill([size], tf.constant(EMPTY, tf.int64)), "ids")
            self.pointer = _variable(tf.zeros([], tf.int64), "pointer")
            self.columns = {
                column: _variable(tf.zeros([size, *row.shape], row.dtype), column)
                for column, row in columns.items()
            }

    def filled(self) -> tf.Tensor:
        """Rows that hold a key, int32 scalar."""
        return tf.math.count_nonzero(self.ids.read_value() >= 0, dtype=tf.int32)

    def enqueue(
        self,
        ids: tf.Tensor,
        rows: dict[str, tf.Tensor],
        count: tf.Tensor | None = None,
    ) -> None:
        """Writes rows over the oldest ones.

        Args:
          ids: [m] int64, clip ids; of a clip that stands twice the last row counts; m <= size.
          rows: column name -> [m, ...].
          count: int32 scalar, how many of the rows (the first ones) to write; default: all.

        Raises:
          ValueError: more rows than the queue holds, other columns than its own, numbers of another
            kind or shape, or (when eager) a negative id.
        """
        ids, rows = self._checked(ids, rows, count)
        if ids.shape[0] is not None and ids.shape[0] > self.size:
            raise ValueError(f"cannot enqueue {ids.shape[0]} rows into a queue of {self.size}")
        m = tf.shape(ids, tf.int64)[0]
        count = m if count is None else tf.cast(count, tf.int64)
        order = tf.range(m)
        slots = (self.pointer.read_value() + order) % self.size
        written = order < count
        # Static shapes: rows beyond `count` write back what their slot holds.
        new_ids = tf.where(written, ids, tf.constant(EMPTY, tf.int64))
        again = tf.logical_and(new_ids[:, tf.newaxis] == new_ids, order[:, tf.newaxis] < order)
        new_ids = tf.where(tf.reduce_any(again, axis=1), tf.constant(EMPTY, tf.int64), new_ids)
        old_ids = self.ids.read_value()
        old_ids = tf.where(contains(old_ids, new_ids), tf.constant(EMPTY, tf.int64), old_ids)
        kept = tf.where(written, new_ids, tf.gather(old_ids, slots))
        self.ids.assign(tf.tensor_scatter_nd_update(old_ids, slots[:, tf.newaxis], kept))
        for column, variable in self.columns.items():
            # `handle` is this replica's own copy; the raw operations write in place.
            old = tf.raw_ops.ResourceGather(
                resource=variable.handle, indices=slots, dtype=variable.dtype
            )
            along = tf.reshape(written, [-1] + [1] * (variable.shape.rank - 1))
            tf.raw_ops.ResourceScatterUpdate(
                resource=variable.handle,
                indices=slots,
                updates=tf.where(along, rows[column], old),
            )
        self.pointer.assign((self.pointer.read_value() + count) % self.size)

    def _checked(
        self, ids: tf.Tensor, rows: dict[str, tf.Tensor], count: tf.Tensor | None
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The same in the types of the columns; floats are never made whole, nor the reverse."""
        if set(rows) != set(self.columns):
            raise ValueError(f"expected columns {sorted(self.columns)}, got {sorted(rows)}")
        ids = _in_kind_of(self.ids, "ids", ids)
        if tf.executing_eagerly():
            written = ids if count is None else ids[: int(count)]
            if bool(tf.reduce_any(written < 0)):
                raise ValueError(f"ids must not be negative, got {int(tf.reduce_min(written))}")
        return ids, {name: _in_kind_of(self.columns[name], name, rows[name]) for name in rows}

    def forget(self, ids: tf.Tensor) -> None:
        """Empties the slots of some clips.

        Args:
          ids: [m] int64, clip ids; those that the queue does not hold are passed over.
        """
        held = self.ids.read_value()
        self.ids.assign(tf.where(contains(held, ids), tf.constant(EMPTY, tf.int64), held))

    def clear(self) -> None:
        """Empties every slot."""
        self.ids.assign(tf.fill([self.size], tf.constant(EMPTY, tf.int64)))
        self.pointer.assign(tf.zeros([], tf.int64))
