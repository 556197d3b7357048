"""Files of any file system that TensorFlow knows, such as `gs://`, read piece by piece."""

import os
from typing import Any

import tensorflow as tf


class RemoteFile:
    """A file that TensorFlow reads, with Python's own methods; what goes wrong is an OSError."""

    def __init__(self, path: str) -> None:
        status = self._try(lambda: tf.io.gfile.stat(path))
        self.size, self.written = status.length, status.mtime_nsec
        self._file = tf.io.gfile.GFile(path, "rb")
        self._position = 0

    def read(self, size: int) -> bytes:
        """Reads at most so many bytes; none at the end, nor beyond it."""
        if self._position >= self.size:
            return b""
        if self._file.tell() != self._position:
            self._try(lambda: self._file.seek(self._position))
        data = self._try(lambda: self._file.read(size))
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Goes to a place, which may lie beyond the end."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """The place that is read next."""
        return self._position

    def _try(self, act: Any) -> Any:
        try:
            return act()
        except tf.errors.OpError as error:
            raise OSError(error.message) from error
