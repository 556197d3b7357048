"""Runs of packets whose time stamps go on, and which runs of video and audio belong together.

A stream that jumps begins a new run. When the other one jumps to nearly the same time, a moment
before or after, both runs are of the same part of the file, and partners. A short jump ahead of one
stream alone is no jump: its frames are shown for long, or it is silent.
"""

import math
from collections.abc import Sequence

from av.packet import Packet

HOLE = 0.5  # Seconds ahead from which on both streams together have jumped.
LONG_JUMP = 10.0  # Seconds ahead that a stream alone cannot go.
_BACK = 0.1  # Seconds back that are a jump; within a run packets are in order of decoding.
_REORDERED = 1.0  # The same where only the times of showing are known.
_NEAR = 5.0  # Seconds between the first stamps of partners.
_LAG = 1.5  # Seconds that one stream may go on in its new run before the other one follows.
_RAGGED = 1.5  # Seconds by which the jumps of partners may differ.
_MOST_UNPAIRED = 8  # Latest runs that may still find their partners.
_LONGEST_PACKET = 0.5  # Seconds; a longer duration may have been stretched over a jump.


class Run:
    """A run of one stream; times are the stamps themselves, in seconds.

    Attributes:
      first: number of its first packet in the stream.
      start: time of its first packet.
      end: time at which its last packet ends.
      key: number of its first packet that can be decoded without what was before; None: there is
        none.
      key_time: time of that packet.
      partner: run of the other stream that belongs to the same part of the file.
      is_jump: whether it counts as a new run even without a partner.
      stop: number of the first packet after it; None for the last run.
    """

    def __init__(self, first: int, start: float, decoding: float, is_jump: bool) -> None:
        self.first, self.start, self.is_jump = first, start, is_jump
        self.end, self.last = -math.inf, decoding
        self.begin = decoding  # Time of decoding of the first packet, and `last` of the last one.
        self.key: int | None = None
        self.key_time = math.inf
        self.jump = math.nan  # Seconds ahead of what was due; NaN where nothing was.
        self.partner: Run | None = None
        self.stop: int | None = None

    def join(self, later: "Run") -> None:
        """Takes in the run that follows."""
        self.end, self.last = max(self.end, later.end), later.last
        if self.key is None:
            self.key, self.key_time = later.key, later.key_time


class _Stream:
    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.count = 0
        self.next = math.nan  # When the next packet is due.
        self.declared = math.nan  # The same, if the last packet's duration is believed.
        self.unpaired: list[Run] = []
        self.back = _BACK
        self.usual = _LONGEST_PACKET  # Shortest duration of a packet.
        self.delay = 0.0  # From decoding to showing.
        self.is_late = False  # Whether its first packet came long after those of its time.
        self.splits_at = math.inf  # Time from which on a new run begins, though it does not jump.


class Runs:
    """Takes the packets of a file's video and audio, or of one of them, in the file's order."""

    def __init__(self, streams: Sequence[int]) -> None:
        """Takes the indices of the streams in their container."""
        self._streams = {index: _Stream() for index in streams}
        self.position = -math.inf

    def add(self, packet: Packet) -> None:
        """Takes the next packet."""
        stream = self._streams[packet.stream.index]
        number, stream.count = stream.count, stream.count + 1
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is None:
            return
        back = _BACK if packet.dts is not None else _REORDERED
        stream.back, tolerance = back, max(back, stream.back)
        base = float(packet.time_base)
        time, duration = stamp * base, (packet.duration or 0) * base
        shown = time if packet.pts is None else packet.pts * base
        if stream.runs and abs(shown - time - stream.delay) > HOLE:
            shown = time + stream.delay  # The last picture before a jump may get a time from after.
        others = [each for each in self._streams.values() if each is not stream]
        if not stream.runs:
            self._begin_run(stream, others, Run(number, shown, time, is_jump=True))
            stream.unpaired.clear()
            stream.is_late = any(s.runs and time < s.runs[-1].last - _LAG for s in others)
        elif (
            time < stream.runs[-1].last - tolerance
            or time > stream.next + HOLE
            or time >= stream.splits_at
        ):
            is_jump = time < stream.runs[-1].last - tolerance or self._goes_astray(stream, time)
            self._begin_run(stream, others, Run(number, shown, time, is_jump))
        run = stream.runs[-1]
        stream.delay = shown - time
        if 0 < duration <= _LONGEST_PACKET:
            stream.usual = min(stream.usual, duration)
        run.last = time if packet.dts is not None else max(run.last, time)
        self.position = max(self.position, time)
        run.end = max(run.end, shown + (duration if duration <= _LONGEST_PACKET else stream.usual))
        stream.next, stream.declared = time + min(duration, _LONGEST_PACKET), time + duration
        if run.key is None and packet.is_keyframe:
            run.key, run.key_time = number, shown

    def _goes_astray(self, stream: _Stream, time: float) -> bool:
        """Whether a stream has jumped ahead, whatever the other does."""
        if time < stream.next + LONG_JUMP:
            return False
        heard = [s.runs[-1].last for s in self._streams.values() if s is not stream and s.runs]
        if not heard:  # One frame may be meant to be shown for long.
            return time > stream.declared + LONG_JUMP
        return abs(time - heard[0]) > LONG_JUMP

    def _begin_run(self, stream: _Stream, others: Sequence[_Stream], run: Run) -> None:
        due = stream.next
        if run.begin < stream.splits_at:
            run.jump = run.begin - due
        stream.splits_at = math.inf
        was_astray = stream.runs[1:] and stream.runs[-1].is_jump and not stream.runs[-1].partner
        stream.runs.append(run)
        for other in others:
            if not other.runs:
                continue
            near = [
                each
                for each in other.unpaired
                if abs(each.begin - run.begin) <= _NEAR
                and each.last - each.begin <= _LAG
                and not abs(each.jump - run.jump) > _RAGGED
            ]
            sure = [each for each in near if each.is_jump]
            near = sure if sure or not stream.runs[1:] else near
            if len(near) == 1:
                run.partner, near[0].partner = near[0], run
            if near:  # Of several nobody can tell which it is.
                other.unpaired.clear()
                stream.unpaired.clear()
                return
            heard = other.runs[-1].last
            is_return = run.is_jump or was_astray
            if is_return and abs(run.begin - heard) <= _NEAR < abs(due - heard):
                other.splits_at = run.begin
        stream.unpaired = [*stream.unpaired[-_MOST_UNPAIRED:], run]

    @property
    def has_jumps(self) -> bool:
        """Whether any stream jumps."""
        return any(len(self._joined(stream)) > 1 for stream in self._streams.values())

    @property
    def _is_late(self) -> bool:
        return any(stream.is_late for stream in self._streams.values())

    @property
    def streams(self) -> set[int]:
        """Those that have packets."""
        return {index for index, stream in self._streams.items() if stream.runs}

    def parts(self) -> list[dict[int, Run]]:
        """For each run of the leading stream, the first of those that have packets: its members.

        Returns:
          Index of the stream to its run, the leading stream's first; a run that jumped alone has
          no partner with it.
        """
        runs = {i: self._joined(stream) for i, stream in self._streams.items() if stream.runs}
        parts = []
        for number, run in enumerate(next(iter(runs.values()), [])):
            leading, *others = runs
            members = {leading: run}
            for other in others:
                partner, first = run.partner, runs[other][0]
                if not number and first.partner is None and not self._is_late:
                    partner = first
                if partner is not None:
                    members[other] = partner
            parts.append(members)
        return parts

    def _joined(self, stream: _Stream) -> list[Run]:
        """The runs of a stream; those that turned out to be none are joined to the one before."""
        runs: list[Run] = []
        for run in stream.runs:
            if runs and run.partner is None and not run.is_jump:
                runs[-1].join(run)
                continue
            if runs:
                runs[-1].stop = run.first
            runs.append(run)
        stream.runs = runs
        return runs
