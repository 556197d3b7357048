"""Opens media files, local or of any file system that TensorFlow knows, such as `gs://`.

Only the file itself is read: FFmpeg could also follow what a file refers to, other files or
addresses on the net, and would then give pictures and sound that are not in it.
"""

import os
from typing import Any, Union

import av
import av.logging
from av.container import InputContainer

from actcl_tf.data.media_errors import MediaError

PathLike = Union[str, "os.PathLike[str]"]

_LOCAL_SCHEME = "file://"
_REMOTE_BUFFER = 1 << 20  # Bytes asked for at once; small reads are slow over a network.
_REFERRING = frozenset({"concat", "dash", "hls", "imf", "rtsp", "sdp"})  # Lists of other files.
# What FFmpeg takes text and other files for that are no media at all.
_NO_MEDIA = frozenset({"adf", "amrnb", "amrwb", "bin", "idf", "rawvideo", "tty", "xbin"})
_UNREADABLE = (FileNotFoundError, PermissionError, IsADirectoryError)


def open_container(path: PathLike) -> InputContainer:
    """Opens a media file.

    Args:
      path: of the file; with `://` in it, `file://` apart, TensorFlow opens it.

    Raises:
      MediaError: it is missing, empty or no media file.
    """
    text = os.fspath(path)
    text = text.removeprefix(_LOCAL_SCHEME)
    options = {"protocol_whitelist": "file"}
    try:
        # Errors in metadata (a title in an odd encoding) are no damage.
        with av.logging.Capture():
            if "://" in text:
                file = _RemoteFile(text)
                if file.size == 0:
                    raise MediaError("empty")
                container = av.open(
                    file,
                    "r",
                    container_options=options,
                    metadata_errors="ignore",
                    buffer_size=_REMOTE_BUFFER,
                )
            else:
                if os.path.isdir(text):
                    raise MediaError("missing", "it is a folder")
                if os.stat(text).st_size == 0:
                    raise MediaError("empty")
                # The scheme keeps FFmpeg from taking what stands before a colon for one.
                container = av.open(
                    f"file:{text}", "r", container_options=options, metadata_errors="ignore"
                )
    except av.FFmpegError as error:
        reason = "missing" if isinstance(error, _UNREADABLE) else "damaged"
        raise MediaError(reason, str(error)) from error
    except OSError as error:
        raise MediaError("missing", str(error)) from error
    except ValueError as error:  # A name with a null character.
        raise MediaError("missing", str(error)) from error
    name = container.format.name
    if name in _REFERRING | _NO_MEDIA:
        container.close()
        what = "a list of other files" if name in _REFERRING else "no media file"
        raise MediaError("damaged", f"it is {what} (read as {name})")
    return container


def version(path: PathLike) -> Any:
    """What changes when a file does: its size and when it was written; None if it is missing."""
    text = os.fspath(path)
    try:
        if "://" not in text or text.startswith(_LOCAL_SCHEME):
            status = os.stat(text.removeprefix(_LOCAL_SCHEME))
            return status.st_size, status.st_mtime_ns
        remote = _RemoteFile(text)
        return remote.size, remote.written
    except (OSError, ValueError):
        return None


class _RemoteFile:
    """A file that TensorFlow reads, as FFmpeg wants it; what goes wrong is an OSError."""

    def __init__(self, path: str) -> None:
        # TensorFlow takes seconds to import, and whoever decodes local files has no need of it.
        import tensorflow as tf

        self._errors = tf.errors.OpError
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
        except self._errors as error:
            raise OSError(error.message) from error
