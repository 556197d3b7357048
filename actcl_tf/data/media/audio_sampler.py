"""The audio of a video on an axis of samples, mixed to mono."""

import math
from collections import deque

import av
import numpy as np

from actcl_tf.data.media.containers.media import DamagedInterval

DIGITAL_SILENCE = 1e-4  # Peak amplitude below which audio is digital silence (-80 dBFS).
LOUDNESS_WINDOW = 0.1  # Seconds over which the loudest part of a clip is measured.
AUDIO_SLACK = 0.03  # Seconds by which audio may drift before it is laid anew by its time stamp.
AUDIO_GAP = 1.0  # Seconds without audio that spoil a clip.
# What is heard is in pieces where it is laid anew three times within so many frames or seconds.
_UNEVEN_TIMES, _UNEVEN_FRAMES, _UNEVEN_SECONDS = 3, 16, 0.5
CANCELLED = 0.05  # Share of the channels' power below which their mix has cancelled out.
# What a channel counts in the mix (ITU-R BS.775 and its use in FFmpeg), before all are divided by
# the sum, so that the mix cannot clip; surround and unknown channels count _OTHER.
_WEIGHTS = {"FC": 1.0, "FL": 0.7071, "FR": 0.7071, "LFE": 0.0, "LFE2": 0.0}
_OTHER = 0.5


def num_samples(length: float, rate: float, sample_rate: float) -> int:
    """Samples that span the same time as `length` frames at `rate`; halves round up."""
    return math.floor(length / rate * sample_rate + 0.5)


class AudioSampler:
    """Mono audio on an axis of samples: sample n is heard at n / rate seconds.

    Frames that follow each other form a run, which is resampled as a whole and laid where the time
    stamp of its first frame says.
    """

    def __init__(self, rate: int) -> None:
        """Takes the samples a second."""
        self.rate = rate
        self.damage: list[DamagedInterval] = []
        self.until = -math.inf  # Time until which audio was decoded.
        self._chunks: list[tuple[int, np.ndarray, tuple[str, ...]]] = []
        self._next = 0  # Sample that the next chunk starts at.
        self._resampler: av.AudioResampler | None = None
        self._kind: tuple | None = None
        self._channels: tuple[str, ...] = ()
        self._num_frames, self._time = 0, -math.inf  # Of the last frame.
        # Frames that were laid anew though nothing changed: number, and time of the one before.
        self._laid_anew: deque[tuple[int, float]] = deque(maxlen=_UNEVEN_TIMES)

    @property
    def ready(self) -> int:
        """Samples before this one are final."""
        return self._next

    def add(self, frame: av.AudioFrame, time: float) -> None:
        """Takes the next frame, heard from `time` (seconds) on."""
        kind, is_off = (frame.format.name, frame.layout.name, frame.rate), False
        if self._kind != kind or abs(time - self.until) > AUDIO_SLACK:
            is_off = self._kind == kind
            self.finish()
            if time - self.until > AUDIO_GAP and self._kind is not None:
                self.damage.append(DamagedInterval(self.until, time, "no_audio"))
            # The channels stay apart: whether their mix cancels out is seen on a whole clip only.
            self._resampler = av.AudioResampler(format="fltp", layout=frame.layout, rate=self.rate)
            self._channels = tuple(channel.name for channel in frame.layout.channels)
            self._kind, self._next, self.until = kind, round(time * self.rate), time
        self.until += frame.samples / frame.rate
        if is_off:
            self._note_uneven(time)
        self._num_frames, self._time = self._num_frames + 1, time
        self._append(self._resampler.resample(frame))

    def _note_uneven(self, time: float) -> None:
        """Tells of time stamps that do not fit the samples, as AVI has them of some codecs."""
        self._laid_anew.append((self._num_frames, min(self._time, time)))
        number, start = self._laid_anew[0]
        is_near = self._num_frames - number < _UNEVEN_FRAMES or time - start < _UNEVEN_SECONDS
        if len(self._laid_anew) < _UNEVEN_TIMES or not is_near:
            return
        last = self.damage[-1] if self.damage else None
        if last and last.reason == "uneven_audio" and start <= last.end:
            start = min(start, self.damage.pop().start)
        self.damage.append(DamagedInterval(start, max(time, self.until), "uneven_audio"))

    def finish(self) -> None:
        """Ends the run: the resampler gives back what it held."""
        if self._resampler is not None:
            self._append(self._resampler.resample(None))
            self._resampler = None

    def _append(self, frames: list[av.AudioFrame | None]) -> None:
        for frame in filter(None, frames):
            samples = frame.to_ndarray()
            self._chunks.append((self._next, samples, self._channels))
            self._next += samples.shape[1]

    def read(self, start: int, num: int) -> np.ndarray:
        """Samples [start, start + num), in [-1, 1]; what lies before is forgotten."""
        self._chunks = [chunk for chunk in self._chunks if chunk[0] + chunk[1].shape[1] > start]
        audios: dict[tuple[str, ...], np.ndarray] = {}
        for first, samples, channels in self._chunks:
            low, high = max(first, start), min(first + samples.shape[1], start + num)
            if low < high:
                audio = audios.setdefault(channels, np.zeros([len(channels), num], np.float32))
                audio[:, low - start : high - start] = samples[:, low - first : high - first]
        waveform = sum(
            (mix(audio, channels) for channels, audio in audios.items()),
            np.zeros([num], np.float32),
        )
        return np.clip(waveform, -1.0, 1.0)


def mix(audio: np.ndarray, channels: tuple[str, ...]) -> np.ndarray:
    """Mixes channels to mono.

    Where they cancel each other out (one is the other's negative, as after a wrongly soldered
    plug), the loudest of them is taken.

    Args:
      audio: [channels, S] float32.
      channels: FFmpeg's names of them, such as "FL".

    Returns:
      [S] float32, within the range of the channels.
    """
    weights = np.array([_WEIGHTS.get(name, _OTHER) for name in channels], np.float32)
    if not weights.any():
        weights[:] = 1.0
    weights /= weights.sum()
    mixed = weights @ audio
    if len(channels) == 1:
        return mixed
    powers = np.square(audio, dtype=np.float64).mean(axis=1)
    expected = np.square(weights) @ powers  # Of channels that have nothing to do with each other.
    if np.square(mixed, dtype=np.float64).mean() < CANCELLED * expected:
        return audio[np.argmax(powers * (weights > 0))]
    return mixed


def loudest_db(waveform: np.ndarray, sample_rate: int) -> float:
    """Root mean square of the loudest 0.1 s, in dB below full scale.

    Args:
      waveform: [S] float32, in [-1, 1].
      sample_rate: samples a second.
    """
    window = max(1, min(waveform.size, round(LOUDNESS_WINDOW * sample_rate)))
    power = waveform[: waveform.size // window * window].astype(np.float64) ** 2
    return float(10 * np.log10(power.reshape(-1, window).mean(axis=1).max() + 1e-12))


def fault(waveform: np.ndarray, sample_rate: int, silence_db: float | None) -> str | None:
    """Why audio is not usable, "damaged", "silent" or "near_silent"; None if it is.

    Args:
      waveform: [S] float32, in [-1, 1].
      sample_rate: samples a second.
      silence_db: audio whose loudest 0.1 s is quieter (RMS, dBFS) is near-silent; None: none is.
    """
    if not np.isfinite(waveform).all():  # Floating-point audio can hold anything.
        return "damaged"
    if np.max(np.abs(waveform)) < DIGITAL_SILENCE:
        return "silent"
    if silence_db is not None and loudest_db(waveform, sample_rate) < silence_db:
        return "near_silent"
    return None
