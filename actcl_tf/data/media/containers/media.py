"""Containers -> decoded frames with their presentation time, and what is damaged.

Time is presentation time: start offsets and edit lists come out of FFmpeg in the time stamps. Zero
is where the container says it begins, which is what players and annotations count from, without the
priming of its audio.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

import av
import av.logging
from av.stream import Stream

from actcl_tf.data.media.containers import parts
from actcl_tf.data.media.containers import streams as media_streams
from actcl_tf.data.media.containers.errors import REASONS as REASONS
from actcl_tf.data.media.containers.errors import MediaError as MediaError
from actcl_tf.data.media.containers.opening import PathLike, open_container
from actcl_tf.data.media.containers.part_decoding import DamagedInterval as DamagedInterval
from actcl_tf.data.media.containers.part_decoding import Event as Event
from actcl_tf.data.media.containers.part_decoding import PartDecoder
from actcl_tf.data.media.containers.part_packets import NOTHING, Skip, leave_out, of_part
from actcl_tf.data.media.containers.parts import WHOLE, Part

STREAMS = ("both", "video", "audio")  # Video and audio, the video alone, the audio alone.
END_SLACK = 0.5  # Seconds by which a video may be shorter than its container announces.
# Formats without a table of contents: FFmpeg guesses their length from the first bit rate, or takes
# it from the last stamps that it finds.
_LENGTH_GUESSED = frozenset({"aac", "ac3", "eac3", "mp3", "mpeg", "mpegts"})
_STREAMED = frozenset({"flv", "live_flv"})
# Formats whose writers may put down when the last packet ends, instead of the length.
_LENGTH_IS_END = frozenset({"asf", "matroska,webm", "nut", "ogg"})


class Media:
    """An open container whose video and audio, or one of them, are decoded in step.

    Of several streams of a kind the first that the file marks as the default one is taken, else the
    first. Covers and other attached pictures are no video.
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
            moving = media_streams.video_streams(self.container)
            audios = self.container.streams.audio
            self.video = None if streams == "audio" else _choose(moving, "no_video")
            self.audio = None if streams == "video" else _choose(audios, "no_audio")
        except MediaError:
            self.container.close()
            raise
        self.used: list[Stream] = [s for s in (self.video, self.audio) if s is not None]
        for stream in self.used:
            # One thread a process: shards keep the cores busy, and errors arrive in order.
            stream.thread_count = 1
        self.origin = media_streams.zero_of(self.container)

    @property
    def is_broadcast(self) -> bool:
        """Whether its format is one of streams, in which each frame lasts about as long."""
        return self.container.format.name in parts.RUNNING_ON | _STREAMED

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
            (
                self._end_of(
                    float(stream.duration * stream.time_base),
                    float((stream.start_time or 0) * stream.time_base),
                ),
                end,
            )
            for stream, end in ends.items()
            if stream.duration
        ]
        if self.container.duration and len(self.container.streams) == len(self.used):
            length = self.container.duration / av.time_base
            start = (self.container.start_time or 0) / av.time_base
            announced.append((self._end_of(length, start), max(ends.values())))
        missed = [a - self.origin for a, end in announced if a - self.origin > end + END_SLACK]
        return max(missed, default=-math.inf)

    def _end_of(self, length: float, start: float) -> float:
        """The stamp at which something ends that is said to be so long, seconds."""
        is_end = self.container.format.name in _LENGTH_IS_END and length >= start
        return length if is_end else start + length

    def seek(self, seconds: float) -> None:
        """Goes to a key frame before `seconds`, or stays where it is."""
        if all(stream.start_time is not None for stream in self.used):
            parts.seek(self.container, seconds + self.origin)

    def decode(self, part: Part = WHOLE, skip: Skip = NOTHING) -> Iterator[Event]:
        """Frames of the streams in the order of decoding, each with a sound `pts`; damage.

        To be asked for once: decoders remember what they have decoded.

        Args:
          part: of `parts.find_parts`.
          skip: what need not be decoded.
        """
        indices = [stream.index for stream in self.used]
        packets = of_part(self.container.demux(*self.used), part, indices)
        wanted = leave_out(packets, skip, self.origin - part.shift)
        with av.logging.Capture() as log:
            yield from PartDecoder(self.used, part, self.origin, log).decode(wanted)

    def time_of(self, frame: av.VideoFrame | av.AudioFrame) -> float:
        """Presentation time of a frame in seconds from the beginning of the video."""
        return float(frame.pts * frame.time_base) - self.origin


def _choose(streams: Sequence[Stream], none_reason: str) -> Stream:
    """The stream of a kind that is decoded."""
    if not streams:
        raise MediaError(none_reason)
    chosen = media_streams.choose(streams)
    if chosen is None:
        raise MediaError("damaged", f"no decoder for its {streams[0].type}")
    return chosen


def first_times(path: PathLike, seek_to: float, streams: str = "both") -> tuple[float, ...]:
    """Time of the first frame and of the first sample, or of one of them, seconds.

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
            if isinstance(event, DamagedInterval):
                damaged = True
                continue
            stream = media.video if isinstance(event, av.VideoFrame) else media.audio
            last[stream] = media.time_of(event)
            first.setdefault(stream, last[stream])
            if len(first) == len(media.used):
                return tuple(first[stream] for stream in media.used)
        damaged |= media.announced_end(last) > -math.inf
    if damaged:
        raise MediaError("damaged")
    raise MediaError("no_audio" if media.video in (None, *first) else "no_video")
