"""Containers -> decoded frames with their presentation time, and what is damaged.

Time is presentation time: start offsets and edit lists come out of FFmpeg in the time stamps. Zero
is where the container says it begins, which is what players and annotations count from.
"""

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Union

import av
import av.logging
from av.stream import Disposition, Stream

from actcl_tf.data.media_errors import REASONS as REASONS
from actcl_tf.data.media_errors import MediaError as MediaError
from actcl_tf.data.media_opening import PathLike, open_container

STREAMS = ("both", "video", "audio")  # Picture and sound, the picture alone, the sound alone.
END_SLACK = 0.5  # Seconds by which a video may be shorter than its container announces.
TICK = 1e-3  # Seconds; shorter than a frame.
# What FFmpeg reports as an error although every picture comes out whole.
HARMLESS = ("mmco: unref short failure", "SEI type")
# Formats without a table of contents: FFmpeg guesses their length from the first bit rate.
_LENGTH_GUESSED = frozenset({"aac", "ac3", "eac3", "mp3"})
_STILL = Disposition.attached_pic | Disposition.timed_thumbnails


class Spoiled(NamedTuple):
    """A span of time, seconds, in which picture or sound is not what was recorded."""

    start: float
    end: float
    reason: str


class Media:
    """An open container whose moving picture and sound, or one of them, are decoded in step.

    Of several streams of a kind the first that the file marks as the default one is taken, else the
    first. Covers and other attached pictures are no moving picture.
    """

    def __init__(self, path: PathLike, streams: str = "both") -> None:
        """Opens a file.

        Args:
          path: of the file, local or remote.
          streams: of STREAMS, what is decoded; the rest may be missing or damaged.

        Raises:
          MediaError: it cannot be opened, or lacks what is to be decoded.
        """
        self.container = open_container(path)
        try:
            moving = [s for s in self.container.streams.video if not s.disposition & _STILL]
            sounds = self.container.streams.audio
            self.picture = None if streams == "audio" else _choose(moving, "no_picture")
            self.sound = None if streams == "video" else _choose(sounds, "no_sound")
        except MediaError:
            self.container.close()
            raise
        self.used: list[Stream] = [s for s in (self.picture, self.sound) if s is not None]
        for stream in self.used:
            # One thread a process: shards keep the cores busy, and errors arrive in order.
            stream.thread_count = 1
        self.origin = (self.container.start_time or 0) / av.time_base

    def announced_end(self, ends: Mapping[Stream, float]) -> float:
        """The end that the container announces if decoding ended well before it, else -inf.

        MPEG-TS, Ogg, MP3, and AVI without its index, announce none: such a file looks whole when
        cut off.

        Args:
          ends: seconds, where decoding ended, of each stream that was decoded.
        """
        if self.container.format.name in _LENGTH_GUESSED:
            return -math.inf
        announced = [
            (float((stream.start_time or 0) + stream.duration) * stream.time_base, end)
            for stream, end in ends.items()
            if stream.duration
        ]
        if self.container.duration and len(self.container.streams) == len(self.used):
            length = self.container.duration / av.time_base + self.origin
            announced.append((length, max(ends.values())))
        missed = [a - self.origin for a, end in announced if a - self.origin > end + END_SLACK]
        return max(missed, default=-math.inf)

    def seek(self, seconds: float) -> None:
        """Goes to a key frame before `seconds`, or stays where it is."""
        with contextlib.suppress(av.FFmpegError):
            self.container.seek(int((seconds + self.origin) * av.time_base), backward=True)

    def decode(self) -> Iterator[Union[av.VideoFrame, av.AudioFrame, Spoiled]]:
        """Frames of the streams in the order of decoding, each with a sound `pts`; damage."""
        with av.logging.Capture() as log:
            position = {stream.index: 0.0 for stream in self.used}
            broken_since = None  # Time from which pictures lack what they refer to.
            packets = self.container.demux(*self.used)
            while True:
                log.clear()
                failed = False
                try:
                    packet = next(packets, None)
                except (av.FFmpegError, OSError):
                    packet, failed = None, True
                if packet is None:
                    break
                index, is_sound = packet.stream.index, packet.stream.type == "audio"
                if packet.pts is not None:
                    position[index] = float(packet.pts * packet.time_base) - self.origin
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    frames, failed = [], True
                if failed or packet.is_corrupt or _has_error(log):
                    failed = True
                    if is_sound:
                        yield Spoiled(position[index], position[index] + 0.1, "damaged")
                    else:
                        broken_since = min(
                            math.inf if broken_since is None else broken_since, position[index]
                        )
                for frame in frames:
                    time = self.time_of(frame)
                    if is_sound:
                        if frame.is_corrupt:
                            yield Spoiled(time, time + 0.1, "damaged")
                    elif frame.is_corrupt:
                        broken_since = min(math.inf if broken_since is None else broken_since, time)
                    elif broken_since is not None and frame.key_frame and time > broken_since:
                        yield Spoiled(broken_since, time, "damaged")
                        broken_since = None
                    elif broken_since is not None and time >= broken_since:
                        yield Spoiled(broken_since, time + TICK, "damaged")
                    yield frame
            if failed or _has_error(log):
                yield Spoiled(min(position.values()), math.inf, "damaged")
            if broken_since is not None:
                yield Spoiled(broken_since, math.inf, "damaged")

    def time_of(self, frame: Union[av.VideoFrame, av.AudioFrame]) -> float:
        """Presentation time of a frame in seconds from the beginning of the video."""
        stamp = frame.pts if frame.pts is not None else frame.dts
        if stamp is None:
            raise MediaError("damaged", "frames carry no time stamps")
        return float(stamp * frame.time_base) - self.origin


def _choose(streams: Sequence[Stream], none_reason: str) -> Stream:
    """The stream of a kind that is decoded."""
    if not streams:
        raise MediaError(none_reason)
    known = [stream for stream in streams if stream.codec_context is not None]
    if not known:
        raise MediaError("damaged", f"no decoder for its {streams[0].type}")
    return next((s for s in known if s.disposition & Disposition.default), known[0])


def _has_error(log: list) -> bool:
    return any(
        level <= av.logging.ERROR and not any(phrase in message for phrase in HARMLESS)
        for level, _, message in log
    )


def first_times(path: PathLike, seek_to: float, streams: str = "both") -> tuple[float, ...]:
    """Time of the first picture and of the first sound, or of one of them, seconds.

    Args:
      path: of the file, local or remote.
      seek_to: seconds, where to look from; 0 for the beginning.
      streams: of STREAMS.

    Raises:
      MediaError: see `Media`; or nothing of a stream can be decoded.
    """
    media, damaged = Media(path, streams), False
    first: dict[Stream, float] = {}
    last = dict.fromkeys(media.used, 0.0)
    with media.container:
        if seek_to > 0:
            media.seek(seek_to)
        for event in media.decode():
            if isinstance(event, Spoiled):
                damaged = True
                continue
            stream = media.picture if isinstance(event, av.VideoFrame) else media.sound
            last[stream] = media.time_of(event)
            first.setdefault(stream, last[stream])
            if len(first) == len(media.used):
                return tuple(first[stream] for stream in media.used)
        damaged |= media.announced_end(last) > -math.inf
    if damaged:
        raise MediaError("damaged")
    raise MediaError("no_sound" if media.picture in (None, *first) else "no_picture")
