"""Packets of one part of a file -> frames with their times, and what is damaged."""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import av
import av.logging
from av.packet import Packet
from av.stream import Stream

from actcl_tf.data.media.containers.parts import Part

TICK = 1e-3  # Seconds; shorter than a frame.
# Containers that have times of decoding alone, and codecs for which FFmpeg cannot make times of
# showing out of them: its guess goes back and forth.
_DECODING_TIMES = frozenset({"avi"})
_REORDERING = frozenset({"h264", "hevc", "vvc"})
# What FFmpeg reports as an error although every picture comes out whole.
HARMLESS = ("mmco: unref short failure", "SEI type")
_DAMAGED_AUDIO = 0.1  # Seconds of audio that a damaged packet spoils.

Frame = av.VideoFrame | av.AudioFrame


class DamagedInterval(NamedTuple):
    """A span of time, seconds, in which video or audio is not what was recorded."""

    start: float
    end: float
    reason: str


Event = av.VideoFrame | av.AudioFrame | DamagedInterval


@dataclasses.dataclass
class _StreamState:
    """Where a stream is. Its video is intact, or broken since damage until a key frame.

    Attributes:
      shift: added to the stamps of its frames, in ticks.
      position: time of the last packet, seconds.
      guesses_times: whether stamps of decoding are to be taken instead of those of showing.
      next_stamp: of the next frame if it has none, in ticks.
      last_given: the stamp that the last frame came with, in ticks.
      broken_since: time from which pictures lack what they refer to; infinite while intact.
    """

    shift: int
    position: float
    guesses_times: bool
    next_stamp: int = 0
    last_given: int | None = None
    broken_since: float = math.inf

    @property
    def is_broken(self) -> bool:
        """Whether pictures lack what they refer to."""
        return self.broken_since < math.inf


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
        self._states = {
            s.index: _StreamState(
                round(part.shift / s.time_base), max(0.0, part.begin), _guesses_times(s)
            )
            for s in streams
        }

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
            if packet.size:  # Decoders take one without bytes for the end.
                yield from self._decode(packet.stream, packet)
        failed |= _has_error(self._log)
        for stream in self._streams:
            self._log.clear()
            yield from self._decode(stream, None)
        states = self._states.values()
        if failed:
            last = min(state.position for state in states)
            yield DamagedInterval(last, math.inf, "damaged")
        for state in states:
            if state.is_broken:
                yield DamagedInterval(state.broken_since, math.inf, "damaged")

    def _decode(self, stream: Stream, packet: Packet | None) -> Iterator[Event]:
        """What a packet gives, or, at the end, what the decoder has left."""
        state = self._states[stream.index]
        failed = packet is not None and packet.is_corrupt
        if packet is not None and packet.pts is not None:
            state.position = float(packet.pts * packet.time_base) - self._zero
        try:
            frames = stream.decode(packet)
        except av.FFmpegError:
            frames, failed = [], True
        if failed or _has_error(self._log):
            yield from self._note_damage(stream, state.position)
        for frame in frames:
            time = self._stamp(stream, frame)
            if frame.is_corrupt:
                yield from self._note_damage(stream, time)
            elif state.is_broken:
                if frame.key_frame and time > state.broken_since:
                    yield DamagedInterval(state.broken_since, time, "damaged")
                    state.broken_since = math.inf
                elif time >= state.broken_since:
                    yield DamagedInterval(state.broken_since, time + TICK, "damaged")
            yield frame

    def _note_damage(self, stream: Stream, time: float) -> Iterator[DamagedInterval]:
        """Damaged audio is over soon, a damaged video at the next key frame."""
        if stream.type == "audio":
            yield DamagedInterval(time, time + _DAMAGED_AUDIO, "damaged")
        else:
            state = self._states[stream.index]
            state.broken_since = min(state.broken_since, time)

    def _stamp(self, stream: Stream, frame: Frame) -> float:
        """Gives a frame its stamp on the time axis of all parts; returns its time, seconds."""
        state = self._states[stream.index]
        stamp = frame.dts if frame.pts is None or state.guesses_times else frame.pts
        given, is_audio = stamp, stream.type == "audio"
        # It follows the one before, as the last one of Windows Media does, and audio that a
        # container has one stamp for again and again.
        if stamp is None or (is_audio and stamp == state.last_given):
            stamp = state.next_stamp
        state.last_given = given
        if is_audio:
            duration = frame.samples / frame.rate / stream.time_base
        else:
            duration = frame.duration or 1 / (stream.average_rate or 25) / stream.time_base
        state.next_stamp = stamp + round(duration)
        frame.pts, frame.time_base = stamp + state.shift, stream.time_base
        return float(stamp * stream.time_base) - self._zero


def _guesses_times(stream: Stream) -> bool:
    """Whether the times at which frames are shown are guesses; those of decoding are in order."""
    return (
        stream.container.format.name in _DECODING_TIMES and stream.codec_context.name in _REORDERING
    )


def _has_error(log: list) -> bool:
    return any(
        level <= av.logging.ERROR and not any(phrase in message for phrase in HARMLESS)
        for level, _, message in log
    )
