"""What is searched for: a window of a video's frames or audio, or an image, and its vector."""

import io
import math
from typing import NamedTuple

import numpy as np
import PIL.Image
import PIL.ImageOps
import tensorflow as tf

from actcl_tf.data.media import decoder
from actcl_tf.data.media.clip_cutting import Rejected
from actcl_tf.data.media.containers import media
from actcl_tf.search import reading
from actcl_tf.search.encoding import Encoder
from actcl_tf.search.segments import AUDIO, VIDEO, Window
from actcl_tf.storage import files
from actcl_tf.storage.errors import DataError

_FLAGS = {VIDEO: "video", AUDIO: "audio"}
_FIRST_SECONDS = 60.0  # Of a file, in the middle of which the query is unless a start is named.


class Query(NamedTuple):
    """What is searched for.

    Attributes:
      path: of the file it is from.
      modality: VIDEO or AUDIO, what of it was encoded.
      start: seconds from the beginning of the file; None for an image.
      vector: [D] float32, unit vector.
      still: [H, W, 3] uint8, the image; None for a window of a file.
    """

    path: str
    modality: str
    start: float | None
    vector: np.ndarray
    still: np.ndarray | None = None


def of_media(
    path: str,
    modality: str,
    encoder: Encoder,
    *,
    start: float | None = None,
    timeout: float = 120.0,
) -> Query:
    """Encodes a window of a video's frames, or of the audio of a video or audio file.

    Args:
      path: of the file.
      modality: VIDEO or AUDIO.
      encoder: what encodes it.
      start: of the window, seconds; None: the usable window nearest to the middle of the file, or
        of its first minute.
      timeout: seconds that a window may take.

    Raises:
      DataError: there is no such window.
    """
    where = f"--{_FLAGS[modality]}={path}"
    try:
        window = _choose(path, modality, encoder, start, timeout)
    except media.MediaError as error:
        told = str(error) if error.reason == "missing" else f"{error} ({error.reason})"
        if error.reason == "too_short":
            told = f"there is no {modality} from --start={start or 0:g} seconds on ({error.reason})"
        raise DataError(f"{where}: {told}") from error
    if isinstance(window, Rejected):
        if window.reason == "too_short":
            why = f"there is less {modality} than the {encoder.shape.seconds:g} seconds of a query"
        elif window.reason == "near_silent":
            why = "the audio is too faint to tell anything"
        else:
            why = f"{media.REASONS[window.reason]} ({window.reason})"
        raise DataError(f"{where}: at {window.start:.1f} seconds, {why}; name another --start")
    encode = encoder.videos if modality == VIDEO else encoder.audio
    return Query(path, modality, window.start, encode([window.content])[0])


def of_image(path: str, encoder: Encoder) -> Query:
    """Encodes an image, as a video in which nothing moves.

    Args:
      path: of an image that Pillow reads.
      encoder: what encodes it.

    Raises:
      DataError: it cannot be read.
    """
    try:
        with files.naming(f"--image={path}", "read"), tf.io.gfile.GFile(path, "rb") as file:
            data = file.read()
        with PIL.Image.open(io.BytesIO(data)) as image:
            image.draft("RGB", [encoder.shape.short_side] * 2)  # No more of a JPEG than is used.
            upright = _to_rgb(PIL.ImageOps.exif_transpose(image), f"--image={path}")
    except DataError:
        raise
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise DataError(f"--image={path}: is no image that can be read ({error})") from error
    scale = encoder.shape.short_side / min(upright.size)
    if scale < 1:
        size = [math.ceil(side * scale) for side in upright.size]
        upright = upright.resize(size, PIL.Image.Resampling.BICUBIC)
    still = np.asarray(upright, np.uint8)
    return Query(path, VIDEO, None, encoder.still(still), still)


def _to_rgb(image: PIL.Image.Image, where: str) -> PIL.Image.Image:
    """An image of any mode as RGB; Pillow itself cuts off what is above 255."""
    if image.mode in ("I", "F"):
        raise DataError(f"{where}: has pixels of 32 bits, of no known range; save it with 8 bits")
    if image.mode.startswith("I;16"):
        image = PIL.Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image.convert("RGB")


def _choose(
    path: str, modality: str, encoder: Encoder, start: float | None, timeout: float
) -> Window | Rejected:
    """The window to search for, or what is there instead."""
    shape = encoder.shape
    # Beyond the window itself, video or audio may begin a little late.
    first = max(_FIRST_SECONDS, shape.seconds)
    span = (0.0, first) if start is None else (start, start + 2 * shape.seconds)
    with decoder.Decoder(shape.cut_options(modality), timeout=timeout) as cutter:
        found = reading.read_file(path, modality, cutter, shape, *span)
        if start is not None:
            return next(found)  # Closing the decoder ends the rest.
        pieces = list(found)
    middle = (pieces[0].start + _end(pieces[-1], shape.seconds) - shape.seconds) / 2
    good = [piece for piece in pieces if isinstance(piece, Window)]
    return min(good or pieces, key=lambda piece: abs(piece.start - middle))


def _end(piece: Window | Rejected, seconds: float) -> float:
    return piece.end if isinstance(piece, Rejected) else piece.start + seconds
