"""Files and folders, local or of any file system that TensorFlow knows, such as `gs://`.

A file is written under another name first and renamed when it is whole: a failed write leaves the
old file as it was. What goes wrong is a `DataError` that names the file.
"""

import contextlib
import os
import uuid
from collections.abc import Iterator

import tensorflow as tf

from actcl_tf.storage.errors import DataError

PathLike = str | os.PathLike[str]

_LOCAL_SCHEME = "file://"


def is_remote(path: PathLike) -> bool:
    """Whether a path is of a file system that the operating system does not know."""
    return "://" in os.fspath(path) and not os.fspath(path).startswith(_LOCAL_SCHEME)


def local(path: PathLike) -> str:
    """The path as the operating system knows it: without `file://`."""
    text = os.fspath(path)
    return text[len(_LOCAL_SCHEME) :] if text.startswith(_LOCAL_SCHEME) else text


def join(folder: PathLike, *names: str) -> str:
    """The path of something in a folder."""
    return os.path.join(os.fspath(folder), *names)


@contextlib.contextmanager
def naming(path: PathLike, verb: str) -> Iterator[None]:
    """Turns what a file system refuses into a DataError: "PATH cannot be VERB (why)".

    Args:
      path: that is worked on.
      verb: what is done to it, such as "written".
    """
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        why = getattr(error, "strerror", None) or getattr(error, "message", None) or str(error)
        raise DataError(f"{os.fspath(path)} cannot be {verb} ({why})") from error
    except TypeError as error:
        # What pybind says of a name that is no UTF-8, which TensorFlow does not take.
        if os.fspath(path).isascii() or "incompatible function arguments" not in str(error):
            raise
        raise DataError(f"{os.fspath(path)!r} cannot be {verb} (its name is no UTF-8)") from error


def exists(path: PathLike) -> bool:
    """Whether there is a file or a folder."""
    with naming(path, "looked up"):
        return tf.io.gfile.exists(os.fspath(path))


def is_folder(path: PathLike) -> bool:
    """Whether there is a folder."""
    with naming(path, "looked up"):
        return tf.io.gfile.isdir(os.fspath(path))


def names_in(folder: PathLike) -> list[str]:
    """Names of what is in a folder, sorted; none if there is no such folder."""
    with naming(folder, "listed"):
        if not tf.io.gfile.isdir(os.fspath(folder)):
            return []
        # Some file systems end the names of folders with a slash.
        return sorted(name.rstrip("/") for name in tf.io.gfile.listdir(os.fspath(folder)))


def size(path: PathLike) -> int | None:
    """Bytes of a file; None if there is no such file."""
    try:
        with naming(path, "looked up"):
            found = tf.io.gfile.stat(os.fspath(path))
    except DataError as error:
        if isinstance(error.__cause__, tf.errors.NotFoundError):
            return None
        raise
    return None if found.is_directory else found.length


def make_folder(path: PathLike) -> None:
    """Makes a folder, and those above it, if it is not there."""
    with naming(path, "made"):
        tf.io.gfile.makedirs(os.fspath(path))


def read_text(path: PathLike) -> str:
    """Reads a text file; bytes that are no UTF-8 come through as surrogates."""
    with naming(path, "read"), tf.io.gfile.GFile(os.fspath(path), "rb") as file:
        return file.read().decode("utf-8", "surrogateescape")


def temporary_name(path: PathLike) -> str:
    """A name beside `path` that no other process or machine writes to."""
    folder, name = os.path.split(os.fspath(path))
    return join(folder, f".{name}.{uuid.uuid4().hex[:12]}.tmp")


def write_atomically(path: PathLike, text: str) -> None:
    """Writes a text file so that it is seen whole or not at all."""
    temporary = temporary_name(path)
    try:
        with naming(path, "written"):
            with tf.io.gfile.GFile(temporary, "wb") as file:
                file.write(text.encode("utf-8", "surrogateescape"))
            tf.io.gfile.rename(temporary, os.fspath(path), overwrite=True)
    except DataError:
        remove(temporary)
        raise


def move(source: PathLike, target: PathLike) -> None:
    """Gives a file another name, in the place of what was there."""
    with naming(target, "written"):
        tf.io.gfile.rename(os.fspath(source), os.fspath(target), overwrite=True)


def remove(path: PathLike) -> None:
    """Removes a file, or a folder with all that is in it, if it is there and can be removed."""
    with contextlib.suppress(OSError, tf.errors.OpError):
        if tf.io.gfile.isdir(os.fspath(path)):
            tf.io.gfile.rmtree(os.fspath(path))
        else:
            tf.io.gfile.remove(os.fspath(path))
