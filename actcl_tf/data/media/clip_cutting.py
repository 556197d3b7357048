"""One video -> clips of frames and audio that span the same time.

`read_clips` decodes a video once, from front to back, and cuts it into clips as it goes, so that
memory holds one clip and not one film. A frame is shown from its time stamp until the next one's,
whatever the frame rate does: the video is sampled at a constant rate on that axis, and the audio
is laid on the same axis and cut by the same span. Where time stamps jump, what is before and after
is cut each for itself.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import av
import av.logging
import numpy as np
from av.stream import Stream

from actcl_tf.data.media import audio_sampler
from actcl_tf.data.media.audio_sampler import AudioSampler
from actcl_tf.data.media.audio_sampler import loudest_db as loudest_db
from actcl_tf.data.media.containers import media
from actcl_tf.data.media.containers import parts as media_parts
from actcl_tf.data.media.containers.opening import PathLike
from actcl_tf.data.media.containers.part_packets import FRONT, Approach
from actcl_tf.data.media.frame_sampler import TIME_SLACK, FrameSampler
from actcl_tf.data.media.read_options import ReadOptions

ROUNDING = 0.02  # Of a frame, by which the audio may end before the video does.


@dataclasses.dataclass(frozen=True)
class MediaClip:
    """A good clip.

    Attributes:
      start: where it starts, seconds from the beginning of the video.
      end: where it ends (exclusive), seconds.
      frames_jpeg: T JPEG images, at the constant frame rate that was asked for; none where only
        audio is read.
      waveform: [S] float32, mono, in [-1, 1], of exactly the same span; None where only the video
        is read.
      height: of the frames, pixels; 0 without frames.
      width: of the frames, pixels; 0 without frames.
      has_jumps: whether time stamps jump somewhere in the video.
    """

    start: float
    end: float
    frames_jpeg: list[bytes]
    waveform: np.ndarray | None
    height: int
    width: int
    has_jumps: bool = False


@dataclasses.dataclass(frozen=True)
class Rejected:
    """A span of the video (seconds) that gives no clip, and why (a key of REASONS)."""

    start: float
    end: float
    reason: str


def read_clips(
    path: PathLike,
    options: ReadOptions,
    *,
    start: float = 0.0,
    end: float | None = None,
    tell: Callable[[], None] = lambda: None,
) -> Iterator[MediaClip | Rejected]:
    """Decodes a video or an audio file, or a span of it, and cuts it into clips.

    A clip is a whole number of frames long. Where only audio is read, clips are cut at the same
    times, but the last one is as long as the audio.

    Args:
      path: of the video, local or, with `://`, of any file system that TensorFlow knows.
      options: how it is read and cut.
      start: of the span, seconds from the beginning of the video.
      end: of the span, seconds; None: to the end of the video.
      tell: called now and then before the first clip, for which a long file takes its time.

    Yields:
      The clips, in order of time, and the spans that give none.

    Raises:
      media.MediaError: the video gives no clip and no span.
    """
    if options.streams not in media.STREAMS:
        raise ValueError(
            f"streams must be one of {', '.join(media.STREAMS)}, got {options.streams!r}"
        )
    end = math.inf if end is None else end
    level = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with media.Media(path, options.streams).container:
            pass  # It can be opened, and has the streams.
        yield from _read_parts(path, options, start, end, tell)
    except (av.FFmpegError, ValueError, OverflowError) as error:
        # Streams that announce what no resampler or scaler accepts.
        raise media.MediaError("damaged", str(error)) from error
    finally:
        av.logging.set_level(level)


class _Lengths(NamedTuple):
    """Frames a second, and frames of a whole clip and of the shortest."""

    rate: float
    whole: int
    shortest: float

    @classmethod
    def of(cls, options: ReadOptions) -> "_Lengths":
        """The lengths that are asked for."""
        rate = options.frame_rate
        whole = max(1, round(options.clip_seconds * rate))
        return cls(rate, whole, min(whole, options.min_seconds * rate))


def _read_parts(
    path: PathLike, options: ReadOptions, start: float, end: float, tell: Callable[[], None]
) -> Iterator[MediaClip | Rejected]:
    """Cuts each part of a file for itself, and says where time stamps jumped between them."""
    lengths = _Lengths.of(options)
    way = Approach.to(start)
    timeline = media_parts.find_parts(path, way.seek_to, end, tell)
    parts = [part for part in timeline.parts if part.end > start and part.begin < end]
    if not parts:
        raise media.MediaError("too_short" if start >= timeline.end else "discontinuity")
    if not timeline.can_seek:
        way = Approach.to(start, parts[0].begin, can_seek=False)
    firsts = media.first_times(path, way.seek_to, options.streams)
    if way.seek_to and max(firsts) > start and not timeline.has_jumps:
        # The index led too far; read from the front.
        way, firsts = FRONT, media.first_times(path, 0.0, options.streams)
    # Time from which on a jump left no clip.
    lost = max(start, 0.0) if parts[0] == timeline.parts[0] and parts[0].starts else None
    found = is_damaged = False
    for part in parts:
        length = part.end - max(part.starts.values(), default=-math.inf)
        if length < (lengths.shortest - 1) / lengths.rate:  # There may be thousands of them.
            lost = part.begin if lost is None else lost
            continue
        # Opened anew: what a decoder gives depends on all that it has seen.
        source = media.Media(path, options.streams)
        with source.container:
            if way.seek_to:
                source.seek(way.seek_to)
            begin = max([*(part.starts_of(source.used) or firsts), start])
            if lost is not None:
                yield Rejected(min(lost, begin), begin, "discontinuity")
            elif not part.starts:
                missing = source.used[firsts.index(max(firsts))]
                yield from _alone(missing, max(start, min(firsts)), begin, lengths)
            cutter = _Cutter(source, (begin, min(end, part.end)), options, timeline.has_jumps)
            is_jumping = part.end < math.inf or part.jumps(source.used)
            knows_end = not is_jumping and not timeline.is_shifted
            events = source.decode(part, way.skip)
            for piece in _cut(source, events, cutter, lengths, knows_end, is_last=not is_jumping):
                found = True
                yield piece
            ends = cutter.ends(source)
            if len(ends) > 1 and not is_jumping and not cutter.is_damaged:
                until = min(end, max(ends.values()))
                yield from _alone(min(ends, key=ends.get), cutter.cut_until, until, lengths)
        is_damaged |= cutter.is_damaged
        is_over = is_jumping and min(ends.values()) < end
        lost = cutter.cut_until if is_over else None
    if timeline.has_rest and end > timeline.end:
        lost = cutter.cut_until if lost is None else lost
    if lost is not None:
        yield Rejected(lost, max(lost, min(end, timeline.end)), "discontinuity")
    elif not found:
        raise media.MediaError("damaged" if is_damaged else "too_short")


def _alone(missing: Stream, start: float, end: float, lengths: _Lengths) -> Iterator[Rejected]:
    """Tells of a span in which one stream lasts and the other one is missing, if clips fit in."""
    if (end - start) * lengths.rate >= lengths.whole:
        yield Rejected(start, end, f"no_{missing.type}")


class _Cutter:
    """Takes decoded frames and gives clips, one after the other; lengths are in frames."""

    def __init__(
        self,
        source: media.Media,
        span: tuple[float, float],
        options: ReadOptions,
        has_jumps: bool,
    ):
        (self._begin, self.end), self._rate = span, options.frame_rate
        self._silence_db, self._has_jumps = options.silence_db, has_jumps
        self._frames: FrameSampler | None = None
        self._audio: AudioSampler | None = None
        if source.video is not None:
            self._frames = FrameSampler(source, options, self._begin, self.end)
        if source.audio is not None:
            self._audio = AudioSampler(options.sample_rate)
        self._damage: list[media.DamagedInterval] = []
        self.done = 0.0  # Length given out; a whole number but for the end of audio alone.

    def add(self, event: media.Event, time: float) -> None:
        """Takes what was decoded, with its time (seconds)."""
        if isinstance(event, media.DamagedInterval):
            if self._damage and self._damage[-1].start == event.start:
                self._damage.pop()  # Damage that lasts is reported again, longer.
            self._damage.append(event)
        elif isinstance(event, av.VideoFrame):
            self._frames.add(event)
        else:
            self._audio.add(event, time)

    def finish(self) -> None:
        """Nothing more was decoded."""
        for track in filter(None, (self._frames, self._audio)):
            track.finish()

    @property
    def is_damaged(self) -> bool:
        """Whether there was damage."""
        return bool(self._damage)

    @property
    def breaks_off(self) -> bool:
        """Whether it is damaged from some time on to its end."""
        return any(damage.end == math.inf for damage in self._damage)

    @property
    def cut_until(self) -> float:
        """Where the last clip ends, seconds."""
        return self._begin + self.done / self._rate

    def ends(self, source: media.Media) -> dict:
        """Time until which each stream was decoded, seconds."""
        tracks = {source.video: self._frames, source.audio: self._audio}
        return {stream: track.until for stream, track in tracks.items() if track is not None}

    def has(self, length: int) -> bool:
        """Whether a clip of this length is complete."""
        stop = self._begin + (self.done + length) / self._rate
        if stop > self.end + ROUNDING / self._rate:
            return False
        return (self._frames is None or len(self._frames.frames) >= length) and (
            self._audio is None or self._audio.ready >= math.ceil(stop * self._audio.rate)
        )

    def total(self, until: float) -> float:
        """Length of all clips if the video ends at this time (seconds)."""
        length = (min(until, self.end) - self._begin) * self._rate
        if self._frames is None:
            return length
        # Audio may lack a few samples of the last frame (rounding in the container).
        return min(self._frames.count, math.floor(length + ROUNDING))

    def next_clip(self, length: float) -> MediaClip | Rejected:
        """The next clip of this length."""
        start = self._begin + self.done / self._rate
        end = self._begin + (self.done + length) / self._rate
        self.done += length
        damage, waveform, frames, height, width = self._damage, None, [], 0, 0
        if self._frames is not None:
            damage = damage + self._frames.damage
            frames = self._frames.take(int(length))
            height, width = self._frames.size
        reason = None
        if self._audio is not None:
            rate = self._audio.rate
            num = audio_sampler.num_samples(length, self._rate, rate)
            waveform = self._audio.read(round(start * rate), num)
            damage = damage + self._audio.damage
            reason = audio_sampler.fault(waveform, rate, self._silence_db)
        for bad in reversed(damage):  # The first one counts.
            if bad.start < end and bad.end > start:
                reason = bad.reason
        if reason is not None:
            return Rejected(start, end, reason)
        return MediaClip(
            start=start,
            end=end,
            frames_jpeg=frames,
            waveform=waveform,
            height=height,
            width=width,
            has_jumps=self._has_jumps,
        )


def _cut(
    source: media.Media,
    events: Iterator[media.Event],
    cutter: _Cutter,
    lengths: _Lengths,
    knows_end: bool,
    is_last: bool,
) -> Iterator[MediaClip | Rejected]:
    """Cuts whole clips; the last one may be shorter.

    Args:
      source: the open file.
      events: what is decoded of it, or of a part.
      cutter: new.
      lengths: of clips.
      knows_end: whether it ends where the file is said to end.
      is_last: whether nothing follows; what is lost at its end is told with what follows.
    """
    num_frames = lengths.whole
    for event in events:
        is_damage = isinstance(event, media.DamagedInterval)
        cutter.add(event, event.start if is_damage else source.time_of(event))
        while not is_damage and cutter.has(num_frames):
            yield cutter.next_clip(num_frames)
        if min(cutter.ends(source).values()) > cutter.end + 1.0:
            break
    cutter.finish()
    ends = cutter.ends(source)
    last = min(ends.values())
    if last == -math.inf:  # A stream gives nothing, such as one whose codec has changed.
        yield Rejected(cutter.cut_until, max(cutter.cut_until, *ends.values()), "damaged")
        return
    announced = source.announced_end(ends) if knows_end else -math.inf
    breaks_off, is_cut_off = cutter.breaks_off, last < min(cutter.end, announced)
    if is_cut_off:  # The last frames may lack bytes.
        cutter.add(media.DamagedInterval(last - TIME_SLACK, math.inf, "damaged"), last)
    total = cutter.total(last)
    shortest = min(num_frames, max(1e-6, lengths.shortest - 1e-6))
    is_told = False
    while total - cutter.done >= shortest:
        piece = cutter.next_clip(min(num_frames, total - cutter.done))
        is_told = isinstance(piece, Rejected) and piece.reason == "damaged"
        yield piece
    # The last clip may end before the cut, and be whole; a stream alone may end before the others.
    ends_early = is_cut_off and max(ends.values()) + media.END_SLACK < announced
    if is_told or not cutter.done:
        return
    if ends_early:
        yield Rejected(cutter.cut_until, min(cutter.end, announced), "damaged")
    elif breaks_off and is_last:
        yield Rejected(cutter.cut_until, max(ends.values()), "damaged")
