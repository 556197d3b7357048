"""Opens media files, local or of any file system that TensorFlow knows, such as `gs://`.

Only the file itself is read: FFmpeg could also follow what a file refers to, other files or
addresses on the net, and would then give video and audio that are not in it.
"""

import os
from typing import Any

import av
import av.logging
from av.container import InputContainer

from actcl_tf.data.media.containers.errors import MediaError

PathLike = str | os.PathLike[str]

_LOCAL_SCHEME = "file://"
_REMOTE_BUFFER = 1 << 20  # Bytes asked for at once; small reads are slow over a network.
_REFERRING = frozenset({"concat", "dash", "hls", "imf", "rtsp", "sdp"})  # Lists of other files.
# What FFmpeg takes text and other files for that are no media at all.
_NO_MEDIA = frozenset({"adf", "amrnb", "amrwb", "bin", "idf", "rawvideo", "tty", "xbin"})
# Errors in metadata (a title in an odd encoding) are no damage; from PyAV 19 on, they never are.
_METADATA = {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "ignore"}
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
        with av.logging.Capture():
            if "://" in text:
                file = _remote_file(text)
                if file.size == 0:
                    raise MediaError("empty")
                container = av.open(
                    file,
                    "r",
                    container_options=options,
                    buffer_size=_REMOTE_BUFFER,
                    **_METADATA,
                )
            else:
                if os.path.isdir(text):
                    raise MediaError("missing", "it is a folder")
                if os.stat(text).st_size == 0:
                    raise MediaError("empty")
                # The scheme keeps FFmpeg from taking what stands before a colon for one.
                container = av.open(f"file:{text}", "r", container_options=options, **_METADATA)
    except av.FFmpegError as error:
        reason = "missing" if isinstance(error, _UNREADABLE) else "damaged"
        told = (error.strerror if reason == "missing" else "") or str(error)
        raise MediaError(reason, told) from error
    except OSError as error:
        raise MediaError("missing", error.strerror or str(error)) from error
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
        remote = _remote_file(text)
        return remote.size, remote.written
    except (OSError, ValueError):
        return None


def _remote_file(path: str) -> Any:
    # It needs TensorFlow, which takes seconds to import; local files have no need of it.
    from actcl_tf.storage.remote_files import RemoteFile

    return RemoteFile(path)
