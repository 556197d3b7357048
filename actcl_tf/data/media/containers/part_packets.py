"""Which packets of a file are decoded, and where reading begins, to get at a part or a time."""

import math
from collections.abc import Collection, Iterator
from typing import NamedTuple

from av.packet import Packet

from actcl_tf.data.media.containers.parts import Part, is_end


class Skip(NamedTuple):
    """What is not decoded, in seconds on the time axis of all parts.

    Attributes:
      video: what is shown before the last key frame before this time.
      audio: what is heard before this time.
    """

    video: float = -math.inf
    audio: float = -math.inf


NOTHING = Skip()

_DECODED = 5.0  # Seconds that are decoded for nothing rather than skipped.
_READ = 30.0  # Seconds that are read rather than jumped over by seeking.
_RUN_UP = 1.0  # Seconds that decoders get before what is wanted.


class Approach(NamedTuple):
    """How to get to a time of a file: where to seek to (seconds; 0: the front), and what to skip.

    Within the first half minute all audio is decoded: resampling that begins elsewhere gives audio
    that is shifted by less than a sample.
    """

    seek_to: float
    skip: Skip

    @classmethod
    def to(cls, start: float, begin: float = 0.0, can_seek: bool = True) -> "Approach":
        """The usual way.

        Args:
          start: seconds, what is wanted begins here.
          begin: seconds, where its part of the file begins.
          can_seek: whether seeking by time is safe.
        """
        ahead, run_up = start - max(0.0, begin), start - _RUN_UP
        if ahead < _DECODED:
            return cls(0.0, NOTHING)
        if ahead < _READ:
            return cls(0.0, Skip(video=run_up))
        return cls(run_up, NOTHING) if can_seek else cls(0.0, Skip(run_up, run_up))


FRONT = Approach(0.0, NOTHING)


def of_part(packets: Iterator[Packet], part: Part, streams: Collection[int]) -> Iterator[Packet]:
    """Packets of a part; where it meets the next one, packets of both may stand mixed.

    Args:
      packets: as the file has them, from its first on; what reading them raises is raised.
      part: of the file.
      streams: indices of those that the packets are of.
    """
    counts = dict.fromkeys(streams, 0)
    while any(count < part.stops.get(stream, math.inf) for stream, count in counts.items()):
        packet = next(packets, None)
        if packet is None:
            return
        if is_end(packet):
            continue
        stream = packet.stream.index
        if part.holds(stream, counts[stream]):
            yield packet
        counts[stream] += 1


def leave_out(packets: Iterator[Packet], skip: Skip, zero: float) -> Iterator[Packet]:
    """Leaves out what need not be decoded.

    Args:
      packets: in the order of decoding.
      skip: what to leave out.
      zero: seconds to take from stamps for the time axis of `skip`.
    """
    group: list[Packet] = []  # From the last key frame on; its frames may be needed.
    waits = skip.video > -math.inf
    for packet in packets:
        time = None if packet.pts is None else float(packet.pts * packet.time_base) - zero
        if packet.stream.type == "audio":
            if time is None or time >= skip.audio:
                yield packet
        elif not waits:
            yield packet
        elif time is not None and time >= skip.video:
            waits = False
            yield from group
            yield packet
        elif packet.is_keyframe:
            group = [packet]
        else:
            group.append(packet)
    if waits:
        yield from group
