"""A good clip -> a few bits that a copy of it shares, re-encoded or rescaled, and no other clip.

All parts but one are the signs of random projections of what is seen or heard (Charikar,
"Similarity estimation techniques from rounding algorithms", STOC 2002): the share of bits in which
two clips differ is the angle between them over half a turn. The projections are fixed for good, so
that fingerprints are the same on every machine.
"""

import functools
import hashlib
import io
from typing import NamedTuple

import numpy as np
from PIL import Image

from actcl_tf.data.media.clip_cutting import MediaClip

LOOK_BITS, MOTION_BITS, TIMBRE_BITS, RHYTHM_BITS = 64, 512, 64, 256

_MOMENTS = 16  # Frames looked at, spread over the clip.
_SIDE = 16  # Cells to a side that a frame is averaged over.
_LIGHT_STEP = 8  # Grey levels to a bit of light.
_PLAIN = 1.0  # Grey levels (root mean square) below which a picture has one colour.
_QUIET_MOTION = 0.5  # Grey levels (root mean square) below which the video stands still.
_WINDOW = 0.064  # Seconds of audio to a spectrum.
_SEGMENTS, _BANDS = 32, 16  # Of time and of pitch that audio is averaged over.
_ENDS = 2  # Segments at either end, where codecs let even steady audio rise and fall.
_LOWEST, _HIGHEST = 100.0, 4000.0  # Hz; above, lossy codecs save.
_DYNAMIC = 50.0  # dB below the loudest cell that count as silence.
_STEADY = 0.3  # dB (root mean square) below which audio does not change.


class Fingerprint(NamedTuple):
    """What copies of a clip are known by: bits as hexadecimal digits, None where there are none.

    Attributes:
      look: how the video is laid out, at a few moments.
      light: how bright it is, at some moments: a bit for each step of brightness.
      motion: how it changes. None where the audio changes: talking heads before one background are
        told apart by what they say, since small motion does not survive re-encoding.
      timbre: how strong the audio is at each pitch.
      rhythm: how that changes.
    """

    look: str | None
    light: str | None
    motion: str | None
    timbre: str | None
    rhythm: str | None


def fingerprint(clip: MediaClip) -> Fingerprint:
    """The fingerprint of a clip; what it does not have, video or audio, is None."""
    look = light = motion = timbre = rhythm = None
    changes = False
    if clip.waveform is not None:
        timbre, rhythm, changes = _hear(clip.waveform, clip.end - clip.start)
    if clip.frames_jpeg:
        look, light, motion = _see(clip.frames_jpeg)
    return Fingerprint(look, light, None if changes else motion, timbre, rhythm)


def luma(jpeg: bytes, side: int) -> np.ndarray:
    """Brightness of a JPEG image, averaged over side x side cells: [side, side] float32, 0 to 255.

    Large images are decoded at an eighth to a half of their size.
    """
    image = Image.open(io.BytesIO(jpeg))
    image.draft("L", (2 * side, 2 * side))
    cells = image.convert("L").resize((side, side), Image.Resampling.BOX)
    return np.asarray(cells, np.float32)


def spread(frames: list[bytes], num: int) -> list[bytes]:
    """At most `num` frames, spread evenly from the first to the last."""
    places = np.linspace(0, len(frames) - 1, min(num, len(frames)))
    return [frames[place] for place in np.rint(places).astype(int)]


def _see(frames: list[bytes]) -> tuple[str, str, str]:
    """Look, light and motion."""
    places = np.rint(np.linspace(0, len(frames) - 1, _MOMENTS)).astype(int)
    known = {place: luma(frames[place], _SIDE) for place in set(places.tolist())}
    cells = np.stack([known[place] for place in places.tolist()])
    layout = cells[2::3] - cells[2::3].mean(axis=(1, 2), keepdims=True)
    if np.sqrt(np.square(layout).mean()) < _PLAIN:
        layout = np.zeros_like(layout)
    brightness = cells[::2].mean(axis=(1, 2))[:, None]
    light = brightness > np.arange(_LIGHT_STEP // 2, 256, _LIGHT_STEP)
    motion = cells - cells.mean(axis=0)
    motion = np.sign(motion) * np.sqrt(np.maximum(np.abs(motion) - 1.0, 0.0))
    if np.sqrt(np.square(cells - cells.mean(axis=0)).mean()) < _QUIET_MOTION:
        motion = np.zeros_like(motion)
    return (
        _signs(layout, LOOK_BITS, "look"),
        np.packbits(light).tobytes().hex(),
        _signs(motion, MOTION_BITS, "motion"),
    )


def _hear(waveform: np.ndarray, seconds: float) -> tuple[str, str, bool]:
    """Timbre, rhythm, and whether the audio changes at all."""
    level = _levels(waveform, waveform.size / seconds)
    timbre = level.mean(axis=0)
    rhythm = level - timbre
    rhythm -= rhythm.mean(axis=1, keepdims=True)
    changes = bool(np.sqrt(np.square(rhythm[_ENDS:-_ENDS]).mean()) > _STEADY)
    if not changes:
        rhythm = np.zeros_like(rhythm)
    return (
        _signs(timbre - timbre.mean(), TIMBRE_BITS, "timbre"),
        _signs(rhythm, RHYTHM_BITS, "rhythm"),
        changes,
    )


def _levels(waveform: np.ndarray, rate: float) -> np.ndarray:
    """[segments, bands] level, dB."""
    window = max(2, round(_WINDOW * rate))
    waveform = np.pad(waveform, (0, max(0, window - waveform.size)))
    pieces = np.lib.stride_tricks.sliding_window_view(waveform, window)[:: window // 2]
    power = np.square(np.abs(np.fft.rfft(pieces * np.hanning(window), axis=1)))
    edges = np.geomspace(_LOWEST, _HIGHEST, _BANDS + 1) / rate * window
    # Each band has a line of the spectrum at least, if need be its neighbour's.
    lows = np.minimum(np.ceil(edges[:-1]).astype(int), power.shape[1] - 1)
    highs = np.maximum(np.ceil(edges[1:]).astype(int), lows + 1)
    bands = np.stack(
        [power[:, low:high].sum(axis=1) for low, high in zip(lows, highs, strict=True)], axis=1
    )
    starts = np.arange(_SEGMENTS) * len(bands) // _SEGMENTS
    ends = np.maximum(np.arange(1, _SEGMENTS + 1) * len(bands) // _SEGMENTS, starts + 1)
    energy = np.stack(
        [bands[start:end].mean(axis=0) for start, end in zip(starts, ends, strict=True)]
    )
    level = 10 * np.log10(energy + 1e-12)
    return np.maximum(level, level.max() - _DYNAMIC)


def _signs(values: np.ndarray, num_bits: int, name: str) -> str:
    """Signs of `num_bits` projections of values, as hexadecimal digits."""
    projections = _projections(values.size, num_bits, name)
    return np.packbits(projections @ values.ravel().astype(np.float64) > 0).tobytes().hex()


@functools.cache
def _projections(size: int, num_bits: int, name: str) -> np.ndarray:
    """[num_bits, size] float64 of 1 and -1, by a hash that is the same everywhere."""
    digest = hashlib.shake_256(name.encode()).digest(-(-size * num_bits // 8))
    bits = np.unpackbits(np.frombuffer(digest, np.uint8))[: size * num_bits]
    return bits.reshape(num_bits, size) * 2.0 - 1.0
