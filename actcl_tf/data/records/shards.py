"""The shards of a split: opened, checked and read record by record."""

import concurrent.futures
import os
import struct
import tempfile
from collections.abc import Iterator

import tensorflow as tf

from actcl_tf.data.records import records
from actcl_tf.storage import files

_LENGTH = struct.Struct("<Q")
# A TFRecord is: length (8 bytes), its checksum (4), the data, their checksum (4).
_HEADER_BYTES, _FOOTER_BYTES = 12, 4
_BUFFER_BYTES = 8 << 20
_GZIP = b"\x1f\x8b"


def record_offsets(path: records.PathLike) -> tuple[list[int], int]:
    """Where the records of a TFRecord file start, found by jumping from header to header.

    Returns:
      The offsets in bytes of all whole records, and the offset after the last of them, which is the
      file's size unless the file is cut off.

    Raises:
      records.DataError: the file cannot be read.
    """
    offsets, position = [], 0
    with files.naming(path, "read"), tf.io.gfile.GFile(os.fspath(path), "rb") as file:
        size = file.size()
        while position + _HEADER_BYTES <= size:
            file.seek(position)
            end = position + _HEADER_BYTES + _LENGTH.unpack_from(file.read(_HEADER_BYTES))[0]
            if end + _FOOTER_BYTES > size:
                break
            offsets.append(position)
            position = end + _FOOTER_BYTES
    return offsets, position


def count_records(path: records.PathLike) -> int:
    """Counts the records of a TFRecord file.

    Raises:
      records.DataError: the file ends in the middle of a record.
    """
    offsets, end = record_offsets(path)
    if end != files.size(path):
        raise records.DataError(
            f"{path} is cut off after {len(offsets)} whole records: prepare it again"
        )
    return len(offsets)


def read_record(path: records.PathLike, number: int) -> bytes:
    """Reads one record of a shard by its place, whatever the records before it are like.

    Args:
      path: the shard.
      number: of the record, from 0.

    Raises:
      records.DataError: it is not there, or its checksum is wrong; the message does not repeat
        the path.
    """
    if files.size(path) is None:
        raise records.DataError("the file is missing")
    offsets, end = record_offsets(path)
    if number >= len(offsets):
        raise records.DataError(f"the file is cut off after {len(offsets)} whole records")
    stop = [*offsets, end][number + 1]
    with tempfile.NamedTemporaryFile(suffix=".tfrecord") as alone:
        with files.naming(path, "read"), tf.io.gfile.GFile(os.fspath(path), "rb") as file:
            file.seek(offsets[number])
            alone.write(file.read(stop - offsets[number]))
        alone.flush()
        try:
            return next(iter(tf.data.TFRecordDataset(alone.name))).numpy()
        except tf.errors.DataLossError as error:
            raise records.DataError("its checksum is wrong") from error


def whole_records(path: records.PathLike) -> Iterator[bytes]:
    """The records of a shard, one after the other, until one that is damaged.

    Raises:
      records.DataError: the file cannot be read, or it is damaged: then all records before were
        given out.
    """
    # A record that claims to go on beyond its file is not read: TensorFlow would set aside memory
    # for all of it.
    offsets, end = record_offsets(path)
    dataset = tf.data.TFRecordDataset(os.fspath(path), buffer_size=_BUFFER_BYTES)
    good, why = 0, "" if end == files.size(path) else "it is cut off"
    try:
        for record in dataset.take(len(offsets)).as_numpy_iterator():
            yield record
            good += 1
    except tf.errors.OpError as error:
        why = error.message
    if why:
        why = "it is compressed with gzip: unpack it" if _is_gzip(path) else why
        raise records.DataError(f"{path} is damaged after {good} whole records ({why})")


def _is_gzip(path: records.PathLike) -> bool:
    with files.naming(path, "read"), tf.io.gfile.GFile(os.fspath(path), "rb") as file:
        return file.read(len(_GZIP)) == _GZIP


def open_split(
    data_dir: records.PathLike, split: str, *, allow_index: bool = False, check_shards: bool = True
) -> tuple[records.Manifest, list[str]]:
    """Reads a split's manifest and checks its shards against it.

    A shard whose size the manifest gives is checked by its size, any other by counting its records.

    Args:
      data_dir: folder of the data set.
      split: its subfolder.
      allow_index: whether records that only say where clips are in their videos will do.
      check_shards: whether shards are looked at; otherwise only the manifest is.

    Returns:
      The manifest, and the paths of the shards that hold clips, in order.

    Raises:
      records.DataError: folder, manifest or shard is missing, damaged or empty, or only an index.
    """
    folder = files.join(data_dir, split)
    manifest = records.read_manifest(folder, check_shards=check_shards)
    if manifest.is_index and not allow_index:
        raise records.DataError(
            f"{folder} only says where clips are in their videos: prepare the videos with "
            "tools/prepare_data.py"
        )
    shards = [shard for shard in manifest.shards if shard["clips"]]
    listed = sum(shard["clips"] for shard in shards)
    if listed != manifest.num_clips or not listed:
        raise records.DataError(
            f"{files.join(folder, records.MANIFEST)}: expected at least 1 clip and as many as its "
            f"shards hold ({listed}), got num_clips={manifest.num_clips}: prepare the data again"
        )

    def check(shard: dict) -> str:
        path = files.join(folder, shard["name"])
        if check_shards and "bytes" not in shard:
            count = count_records(path)
            if count != shard["clips"]:
                raise records.DataError(
                    f"{path} holds {count} clips, {records.MANIFEST} says {shard['clips']}: "
                    "prepare the data again"
                )
        return path

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return manifest, list(pool.map(check, shards))


def find_damage(data_dir: records.PathLike, split: str) -> str:
    """Reads every record of a split and says which shard is damaged.

    TensorFlow's own error on a damaged record (`tf.errors.DataLossError`) names no file: call this
    when it comes. It reads the whole split.

    Returns:
      One line that names the first damaged shard, or "" if every checksum is right.
    """
    folder = files.join(data_dir, split)
    for shard in records.read_manifest(folder).shards:
        try:
            for _ in whole_records(files.join(folder, shard["name"])):
                pass
        except records.DataError as error:
            return f"{error}: prepare it again"
    return ""


def damage_error(
    error: tf.errors.DataLossError, data_dir: records.PathLike, *splits: str
) -> records.DataError:
    """What to raise instead of TensorFlow's error on a damaged record; see `find_damage`."""
    for split in splits:
        damage = find_damage(data_dir, split)
        if damage:
            return records.DataError(damage)
    return records.DataError(f"{data_dir}: a record cannot be read: {error.message}")
