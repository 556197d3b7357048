"""Packets of one part of a file -> frames with their times, and what is damaged."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional, Union

import av
import av.logging
from av.packet import Packet
from av.stream import Stream

from actcl_tf.data.media.containers.parts import Part

TICK = 1e-3  # Seconds; shorter than a frame.
# What FFmpeg reports as an error although every picture comes out whole.
HARMLESS = ("mmco: unref short failure", "SEI type")
_SPOILED_SOUND = 0.1  # Seconds of sound that a damaged packet spoils.

Frame = Union[av.VideoFrame, av.AudioFrame]


class Spoiled(NamedTuple):
    """A span of time, seconds, in which picture or sound is not what was recorded."""

    start: float
    end: float
    reason: str


Event = Union[av.VideoFrame, av.AudioFrame, Spoiled]


class PartDecoder:
    """Decodes the packets of one part of a file."""

    def __init__(self, streams: Sequence[Stream], part: Part, origin: float, log: list) -> None:
        """Takes what the packets are of.

        Args:
          streams: that are decoded; their decoders have seen nothing of other parts.
          part: of the file; its shift is added to the stamps of frames.
          origin: seconds, the stamp at which the time axis of all parts begins.
          log: of FFmpeg's messages, which is emptied.
        """
        self._streams, self._zero, self._log = streams, origin - part.shift, log
        self._shifts = {s.index: round(part.shift / s.time_base) for s in streams}
        self._due = dict.fromkeys(self._shifts, 0)  # Stamp of the next frame, in ticks.
        self._position = dict.fromkeys(self._shifts, max(0.0, part.begin))
        self._broken_since = math.inf  # Time from which pictures lack what they refer to.

    def decode(self, packets: Iterator[Packet]) -> Iterator[Event]:
        """Frames in the order of decoding, each with a sound `pts`; damage."""
        while True:
            self._log.clear()
            failed = False
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError):
                packet, failed = None, True
            if packet is None:
                break
            yield from self._decode(packet.stream, packet)
        failed |= _has_error(self._log)
        for stream in self._streams:
            self._log.clear()
            yield from self._decode(stream, None)
        if failed:
            yield Spoiled(min(self._position.values()), math.inf, "damaged")
        if self._broken_since < math.inf:
            yield Spoiled(self._broken_since, math.inf, "damaged")

    def _decode(self, stream: Stream, packet: Optional[Packet]) -> Iterator[Event]:
        """What a packet gives, or, at the end, what the decoder has left."""
        index = stream.index
        failed = packet is not None and packet.is_corrupt
        if packet is not None and packet.pts is not None:
            self._position[index] = float(packet.pts * packet.time_base) - self._zero
        try:
            frames = stream.decode(packet)
        except av.FFmpegError:
            frames, failed = [], True
        if failed or _has_error(self._log):
            yield from self._note_damage(stream, self._position[index])
        for frame in frames:
            time = self._stamp(stream, frame)
            if frame.is_corrupt:
                yield from self._note_damage(stream, time)
            elif stream.type == "video" and self._broken_since < math.inf:
                if frame.key_frame and time > self._broken_since:
                    yield Spoiled(self._broken_since, time, "damaged")
                    self._broken_since = math.inf
                elif time >= self._broken_since:
                    yield Spoiled(self._broken_since, time + TICK, "damaged")
            yield frame

    def _note_damage(self, stream: Stream, time: float) -> Iterator[Spoiled]:
        """Damaged sound is over soon, a damaged picture at the next key frame."""
        if stream.type == "audio":
            yield Spoiled(time, time + _SPOILED_SOUND, "damaged")
        else:
            self._broken_since = min(self._broken_since, time)

    def _stamp(self, stream: Stream, frame: Frame) -> float:
        """Gives a frame its stamp on the time axis of all parts; returns its time, seconds."""
        stamp = frame.pts if frame.pts is not None else frame.dts
        if stamp is None:  # It follows the one before, as the last one of Windows Media does.
            stamp = self._due[stream.index]
        if stream.type == "audio":
            duration = frame.samples / frame.rate / stream.time_base
        else:
            duration = frame.duration or 1 / (stream.average_rate or 25) / stream.time_base
        self._due[stream.index] = stamp + round(duration)
        frame.pts, frame.time_base = stamp + self._shifts[stream.index], stream.time_base
        return float(stamp * stream.time_base) - self._zero


def _has_error(log: list) -> bool:
    return any(
        level <= av.logging.ERROR and not any(phrase in message for phrase in HARMLESS)
        for level, _, message in log
    )
