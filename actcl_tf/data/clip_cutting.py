"""One video -> clips of frames and sound that span the same time.

`read_clips` decodes a video once, from front to back, and cuts it into clips as it goes, so that
memory holds one clip and not one film. A frame is shown from its time stamp until the next one's,
whatever the frame rate does: the picture is sampled at a constant rate on that axis, and the sound
is laid on the same axis and cut by the same span.
"""

import dataclasses
import io
import math
import pathlib
from collections.abc import Iterator
from typing import Optional, Union

import av
import av.logging
import numpy as np
from av.video.reformatter import VideoReformatter
from PIL import Image

from actcl_tf.data import media, records

DIGITAL_SILENCE = 1e-4  # Peak amplitude below which sound is digital silence (-80 dBFS).
LOUDNESS_WINDOW = 0.1  # Seconds over which the loudest part of a clip is measured.
TIME_SLACK = 0.001  # Seconds; containers such as WebM round time stamps to milliseconds.
SOUND_SLACK = 0.03  # Seconds by which sound may drift before it is laid anew by its time stamp.
SOUND_GAP = 1.0  # Seconds without sound that spoil a clip.
SEEK_FROM = 5.0  # Seconds into a video from which on seeking is worth its while.


@dataclasses.dataclass(frozen=True)
class MediaClip:
    """A good clip.

    Attributes:
      start: where it starts, seconds from the beginning of the video.
      end: where it ends (exclusive), seconds.
      frames_jpeg: T JPEG images, at the constant frame rate that was asked for.
      waveform: [S] float32, mono, in [-1, 1], of exactly the same span.
      height: of the frames, pixels.
      width: of the frames, pixels.
    """

    start: float
    end: float
    frames_jpeg: list[bytes]
    waveform: np.ndarray
    height: int
    width: int


@dataclasses.dataclass(frozen=True)
class Rejected:
    """A span of the video (seconds) that gives no clip, and why (a key of REASONS)."""

    start: float
    end: float
    reason: str


class _Pictures:
    """The picture at instants `begin + i / rate`, as JPEG, from frames in order of time."""

    def __init__(self, begin: float, end: float, rate: float, short_side: int, quality: int):
        self.begin, self.end, self.rate = begin, end, rate
        self.short_side, self.quality = short_side, quality
        self.frames: list[bytes] = []
        self.count = 0  # Instants passed, those already taken included.
        self.until = -math.inf  # Time until which the picture is known.
        self.size: Optional[tuple[int, int]] = None  # Height and width as stored.
        self.pixel_aspect = 1.0  # Width of a pixel over its height.
        # One for all frames: making a scaler costs five times as much as using it.
        self._scaler = VideoReformatter()
        self._shown: Optional[av.VideoFrame] = None
        self._time = -math.inf
        self._jpeg: Optional[bytes] = None

    def add(self, frame: av.VideoFrame, time: float, duration: float) -> None:
        """Takes the next frame; what came before it was shown until now."""
        if time <= self._time:
            return
        self._show_until(time)
        self._shown, self._time, self._jpeg = frame, time, None
        self.until = time + duration

    def finish(self) -> None:
        """The last frame is shown to its own end."""
        self._show_until(self.until + TIME_SLACK)

    def _show_until(self, time: float) -> None:
        while True:
            instant = self.begin + self.count / self.rate
            if instant + TIME_SLACK >= time or instant >= self.end or self._shown is None:
                return
            if self._jpeg is None:
                self._jpeg = self._encode(self._shown)
            self.frames.append(self._jpeg)
            self.count += 1

    def take(self, num: int) -> list[bytes]:
        """Removes and returns the first `num` frames."""
        taken, self.frames = self.frames[:num], self.frames[num:]
        return taken

    def _encode(self, frame: av.VideoFrame) -> bytes:
        if self.size is None:
            scale = min(1.0, self.short_side / min(self._display_size(frame)))
            self.size = tuple(max(1, round(side * scale)) for side in self._display_size(frame))
        matrix = media.display_matrix(frame)
        height, width = self.size[::-1] if media.swaps_sides(matrix) else self.size
        image = self._scaler.reformat(
            frame, width=width, height=height, format="rgb24", interpolation="AREA"
        )
        buffer = io.BytesIO()
        pixels = np.ascontiguousarray(media.orient(image.to_ndarray(), matrix))
        Image.fromarray(pixels).save(buffer, "JPEG", quality=self.quality)
        return buffer.getvalue()

    def _display_size(self, frame: av.VideoFrame) -> tuple[float, float]:
        height, width = frame.height, frame.width * self.pixel_aspect
        return (
            (width, height) if media.swaps_sides(media.display_matrix(frame)) else (height, width)
        )


class _Sound:
    """Mono sound on an axis of samples: sample n is heard at n / rate seconds.

    Frames that follow each other form a run, which is resampled as a whole and laid where the time
    stamp of its first frame says.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.spoiled: list[media.Spoiled] = []
        self.until = -math.inf  # Time until which sound was decoded.
        self._chunks: list[tuple[int, np.ndarray]] = []
        self._next = 0  # Sample that the next chunk starts at.
        self._resampler: Optional[av.AudioResampler] = None
        self._kind: Optional[tuple] = None

    @property
    def ready(self) -> int:
        """Samples before this one are final."""
        return self._next

    def add(self, frame: av.AudioFrame, time: float) -> None:
        """Takes the next frame, heard from `time` (seconds) on."""
        kind = (frame.format.name, frame.layout.name, frame.rate)
        if self._kind != kind or abs(time - self.until) > SOUND_SLACK:
            self.finish()
            if time - self.until > SOUND_GAP and self._kind is not None:
                self.spoiled.append(media.Spoiled(self.until, time, "no_sound"))
            # For integers FFmpeg scales the mix down so that it cannot overflow; for floats not.
            self._resampler = av.AudioResampler(format="s32p", layout="mono", rate=self.rate)
            self._kind, self._next, self.until = kind, round(time * self.rate), time
        self.until += frame.samples / frame.rate
        self._append(self._resampler.resample(frame))

    def finish(self) -> None:
        """Ends the run: the resampler gives back what it held."""
        if self._resampler is not None:
            self._append(self._resampler.resample(None))
            self._resampler = None

    def _append(self, frames: list[av.AudioFrame]) -> None:
        for frame in frames:
            samples = frame.to_ndarray()[0].astype(np.float32) / 2**31
            self._chunks.append((self._next, samples))
            self._next += samples.size

    def read(self, start: int, num: int) -> np.ndarray:
        """Samples [start, start + num), in [-1, 1]; what lies before is forgotten."""
        self._chunks = [chunk for chunk in self._chunks if chunk[0] + chunk[1].size > start]
        waveform = np.zeros([num], np.float32)
        for first, samples in self._chunks:
            low, high = max(first, start), min(first + samples.size, start + num)
            if low < high:
                waveform[low - start : high - start] = samples[low - first : high - first]
        return waveform


def loudest_db(waveform: np.ndarray, sample_rate: int) -> float:
    """Root mean square of the loudest 0.1 s, in dB below full scale.

    Args:
      waveform: [S] float32, in [-1, 1].
      sample_rate: samples a second.
    """
    window = max(1, min(waveform.size, round(LOUDNESS_WINDOW * sample_rate)))
    power = waveform[: waveform.size // window * window].astype(np.float64) ** 2
    return float(10 * np.log10(power.reshape(-1, window).mean(axis=1).max() + 1e-12))


def _fault(
    waveform: np.ndarray, rate: int, span: tuple, spoiled: list, silence_db: float
) -> Optional[str]:
    """Why a clip is not usable; None if it is."""
    for bad in spoiled:
        if bad.start < span[1] and bad.end > span[0]:
            return bad.reason
    if np.max(np.abs(waveform)) < DIGITAL_SILENCE:
        return "silent"
    return "near_silent" if loudest_db(waveform, rate) < silence_db else None


def read_clips(
    path: Union[str, pathlib.Path],
    *,
    frame_rate: float,
    sample_rate: int,
    short_side: int,
    clip_seconds: float,
    min_seconds: float,
    jpeg_quality: int,
    silence_db: float,
    start: float = 0.0,
    end: Optional[float] = None,
) -> Iterator[Union[MediaClip, Rejected]]:
    """Decodes a video, or a span of it, and cuts it into clips.

    Args:
      path: of the video.
      frame_rate: frames a second of the clips.
      sample_rate: samples a second of the clips.
      short_side: of the frames, pixels; smaller videos keep their size.
      clip_seconds: length of a clip; a longer video gives several.
      min_seconds: shortest clip; a shorter rest is dropped.
      jpeg_quality: 1 to 95.
      silence_db: a clip whose loudest 0.1 s is quieter (RMS, dBFS) is near-silent.
      start: of the span, seconds from the beginning of the video.
      end: of the span, seconds; None: to the end of the video.

    Yields:
      The clips, in order of time, and the spans that give none.

    Raises:
      media.MediaError: the video gives no clip and no span.
    """
    path, end = pathlib.Path(path), math.inf if end is None else end
    level = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        seek_to = max(0.0, start - 1.0) if start >= SEEK_FROM else 0.0
        firsts = media.first_times(path, seek_to)
        if seek_to and max(firsts) > start:  # The index led too far; read from the front.
            seek_to, firsts = 0.0, media.first_times(path, 0.0)
        begin = max(*firsts, start)
        num_frames = max(1, round(clip_seconds * frame_rate))
        source = media.Media(path)
        with source.container:
            if seek_to:
                source.seek(seek_to)
            yield from _cut(
                source,
                _Pictures(begin, end, frame_rate, short_side, jpeg_quality),
                _Sound(sample_rate),
                num_frames,
                min(num_frames, max(1, math.ceil(min_seconds * frame_rate - 1e-6))),
                silence_db,
            )
    except (av.FFmpegError, ValueError, OverflowError) as error:
        # Streams that announce what no resampler or scaler accepts.
        raise media.MediaError("damaged", str(error)) from error
    finally:
        av.logging.set_level(level)


def _cut(
    source: media.Media,
    pictures: _Pictures,
    sound: _Sound,
    num_frames: int,
    min_frames: int,
    silence_db: float,
) -> Iterator[Union[MediaClip, Rejected]]:
    """Cuts clips of `num_frames` frames, the last one of at least `min_frames`."""
    rate, begin, end = pictures.rate, pictures.begin, pictures.end
    pictures.pixel_aspect = float(source.picture.codec_context.sample_aspect_ratio or 1)
    usual_duration = 1.0 / float(source.picture.average_rate or rate)
    spoiled: list[media.Spoiled] = []
    done = 0  # Frames given out.

    def next_clip(num: int) -> Union[MediaClip, Rejected]:
        nonlocal done
        span = (begin + done / rate, begin + (done + num) / rate)
        waveform = sound.read(
            round(span[0] * sound.rate), records.num_samples(num, rate, sound.rate)
        )
        frames = pictures.take(num)
        done += num
        reason = _fault(waveform, sound.rate, span, spoiled + sound.spoiled, silence_db)
        if reason is not None:
            return Rejected(*span, reason)
        return MediaClip(*span, frames, waveform, *pictures.size)

    for event in source.decode():
        if isinstance(event, media.Spoiled):
            if spoiled and spoiled[-1].start == event.start:
                spoiled.pop()  # Damage that lasts is reported again, longer.
            spoiled.append(event)
            continue
        time = source.time_of(event)
        if isinstance(event, av.VideoFrame):
            duration = float((event.duration or 0) * event.time_base) or usual_duration
            pictures.add(event, time, duration)
        else:
            sound.add(event, time)
        while True:
            stop = begin + (done + num_frames) / rate
            if len(pictures.frames) < num_frames or sound.ready < math.ceil(stop * sound.rate):
                break
            yield next_clip(num_frames)
        if min(pictures.until, sound.until) > end + 1.0:
            break
    pictures.finish()
    sound.finish()
    last = min(pictures.until, sound.until)
    announced = source.announced_end(pictures.until, sound.until)
    is_cut_off = last < min(end, announced)
    if is_cut_off:  # The last frames may lack bytes.
        spoiled.append(media.Spoiled(last - TIME_SLACK, math.inf, "damaged"))
    span = min(last, end) - begin
    # Sound may lack a few samples of the last frame (rounding in the container).
    total = min(pictures.count, math.floor(span * rate + 0.02))
    before = done
    while total - done >= min_frames:
        yield next_clip(min(num_frames, total - done))
    if is_cut_off and done == before > 0:
        yield Rejected(last, min(end, announced), "damaged")
    if done == 0:
        raise media.MediaError("damaged" if spoiled else "too_short")
