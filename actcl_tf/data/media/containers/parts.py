"""Where the time stamps of a file start anew or jump: the parts that it was put together from.

Recordings put end to end, cut by a recorder or by a network that dropped out have stamps that jump,
in video and audio alike but not at the same packet, nor by quite the same amount. Packets are
looked at without decoding them. Each part gets one shift for both, so that they stay in step; where
one of them jumps alone, nobody can tell what belongs together, and what follows is in no part.
"""

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import av
import av.logging
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from actcl_tf.data.media.containers.errors import MediaError
from actcl_tf.data.media.containers.opening import PathLike, open_container, version
from actcl_tf.data.media.containers.stamp_runs import LONG_JUMP, Run, Runs
from actcl_tf.data.media.containers.streams import chosen, zero_of

# Formats whose stamps cannot start anew: FFmpeg counts them, or has a table of all packets. Seeking
# by time is safe in them.
_STEADY = frozenset({"aac", "ac3", "aiff", "avi", "eac3", "flac", "mp3", "mxf", "wav"})
_STEADY_FAMILIES = ("mov,",)
# Formats of broadcasts and discs, where players, too, count on through a long jump ahead. In others
# stamps are times of the whole file, and a jump ahead is a time when nothing was recorded.
RUNNING_ON = frozenset({"mpeg", "mpegts", "ogg"})
# Those of them that say where each packet lies in the file.
_PLACED = frozenset({"mpeg", "mpegts"})
_TELL_EVERY = 5000  # Packets.
# Of the bytes of a file, and bytes, from which on what comes after its streams is no padding.
_REST, _PADDING = 0.1, 16_384
_MOST_FOUND = 256  # Files remembered.


class Part(NamedTuple):
    """Packets whose time stamps go on; streams go by their index in the container.

    Attributes:
      shift: seconds to add to the stamps, so that the parts follow each other.
      begin: seconds on the time axis of all parts.
      end: seconds on that axis; infinite for the last part.
      firsts: number of each stream's first packet.
      stops: number of the first packet that belongs to it no more, of streams that jump there.
      starts: seconds on that axis at which each stream can be decoded from; empty for the first
        part, where decoding tells.
    """

    shift: float
    begin: float
    end: float
    firsts: Mapping[int, int]
    stops: Mapping[int, int]
    starts: Mapping[int, float]

    def holds(self, stream: int, number: int) -> bool:
        """Whether a packet of a stream belongs to it."""
        return self.firsts.get(stream, 0) <= number < self.stops.get(stream, math.inf)

    def starts_of(self, streams: Sequence[Stream]) -> list[float]:
        """When each of some streams can be decoded from; empty for the first part."""
        return [self.starts[stream.index] for stream in streams if self.starts]

    def jumps(self, streams: Sequence[Stream]) -> bool:
        """Whether one of some streams jumps at its end."""
        return any(stream.index in self.stops for stream in streams)


WHOLE = Part(shift=0.0, begin=-math.inf, end=math.inf, firsts={}, stops={}, starts={})


class Timeline(NamedTuple):
    """What was found of a file.

    Attributes:
      parts: in order.
      end: seconds, where the last of its packets ends.
      can_seek: whether seeking by time leads where it should.
      has_rest: whether much of the file comes after the last of its packets: other streams.
    """

    parts: tuple[Part, ...]
    end: float
    can_seek: bool
    has_rest: bool = False

    @property
    def has_jumps(self) -> bool:
        """Whether stamps jump anywhere."""
        return self.parts != (WHOLE,)

    @property
    def is_shifted(self) -> bool:
        """Whether times are others than the stamps say."""
        return any(part.shift for part in self.parts)

    def part_at(self, time: float) -> Part:
        """The part that a time, in seconds, lies in.

        Raises:
          MediaError: there is none.
        """
        found = [part for part in self.parts if part.begin <= time]
        if not found:
            raise MediaError("damaged", f"nothing can be read at {time:.2f} seconds")
        return found[-1]


CONTINUOUS = Timeline((WHOLE,), math.inf, can_seek=True)
_found: dict[tuple, Timeline] = {}


def find_parts(
    path: PathLike,
    seek_to: float = 0.0,
    until: float = math.inf,
    tell: Callable[[], None] = lambda: None,
) -> Timeline:
    """Looks through the packets of a file; what it found is remembered while the file stays as is.

    Args:
      path: of the file, local or remote.
      seek_to: seconds; what lies before does not count where seeking by time is safe.
      until: seconds; nor does what comes well after.
      tell: called now and then, as it may take its time.

    Raises:
      MediaError: it cannot be opened.
    """
    key = (os.fspath(path), version(path), seek_to, until)
    if key not in _found:
        timeline = _look_through(path, seek_to, until, tell)
        while len(_found) >= _MOST_FOUND:
            del _found[next(iter(_found))]
        _found[key] = timeline
    return _found[key]


def _look_through(
    path: PathLike, seek_to: float, until: float, tell: Callable[[], None]
) -> Timeline:
    container = open_container(path)
    with container, av.logging.Capture():
        streams = chosen(container)
        origin = zero_of(container)
        name = container.format.name
        is_steady = name in _STEADY or name.startswith(_STEADY_FAMILIES)
        if is_steady and seek_to > 0:
            seek(container, seek_to + origin)
        runs, read = Runs([stream.index for stream in streams]), 0
        for number, packet in enumerate(packets_of(container, streams)):
            runs.add(packet)
            read = max(read, (packet.pos or 0) + packet.size)
            if number % _TELL_EVERY == _TELL_EVERY - 1:
                tell()
            if is_steady and runs.position > until + origin + 2 * LONG_JUMP:
                break
        # Where recordings are put end to end, the streams of the next one may be others.
        rest = container.size - read if name in _PLACED else 0
        has_rest = rest > max(_REST * container.size, _PADDING)
    if runs.has_jumps:
        timeline = _lay(runs, name in RUNNING_ON, is_steady, origin)
        return timeline._replace(has_rest=has_rest)
    if has_rest:
        return CONTINUOUS._replace(end=runs.position - origin, has_rest=True)
    return CONTINUOUS


def seek(container: InputContainer, stamp: float) -> None:
    """Goes to a key frame before a stamp (seconds), or stays where it is."""
    try:
        container.seek(int(stamp * av.time_base), backward=True)
    except av.FFmpegError:
        return


def packets_of(container: InputContainer, streams: Sequence[Stream]) -> Iterator[Packet]:
    """Packets of some streams as far as they can be read."""
    packets = container.demux(*streams)
    while streams:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError):
            return
        if packet is None:
            return
        if not is_end(packet):
            yield packet


def is_end(packet: Packet) -> bool:
    """Whether a packet only says that a stream is over."""
    return packet.size == 0 and packet.pts is None and packet.dts is None


def _lay(runs: Runs, is_running_on: bool, is_steady: bool, origin: float) -> Timeline:
    """Lays parts one after the other, by the stream that leads: the video, if there is one."""
    all_members = runs.parts()
    streams, shift, before, parts = runs.streams, 0.0, None, []
    for members in all_members:
        run = next(iter(members.values()))
        if before is not None:
            ahead = run.start - before.end
            if ahead < 0 or (ahead >= LONG_JUMP and is_running_on):
                shift -= ahead
        is_decodable = before is None or all(m.key is not None for m in members.values())
        if set(members) == streams and is_decodable:  # What jumped alone is in no part.
            parts.append(_part(members, before is None, shift, shift - origin))
        before = run
    begins = [*(part.begin for part in parts[1:]), math.inf]
    parts = [  # There may be none.
        part._replace(end=min(part.end, begin)) for part, begin in zip(parts, begins, strict=False)
    ]
    return Timeline(tuple(parts), before.end + shift - origin, is_steady)


def _part(members: Mapping[int, Run], is_first: bool, shift: float, zero: float) -> Part:
    leading = next(iter(members.values()))
    later = {} if is_first else members
    return Part(
        shift=shift,
        begin=-math.inf if is_first else leading.start + zero,
        end=math.inf if leading.stop is None else leading.end + zero,
        firsts={index: run.key for index, run in later.items()},
        stops={index: run.stop for index, run in members.items() if run.stop is not None},
        starts={index: run.key_time + zero for index, run in later.items()},
    )
