"""Containers -> decoded frames with their presentation time, and what is damaged.

Time is presentation time: start offsets and edit lists come out of FFmpeg in the time stamps. Zero
is where the container says it begins, which is what players and annotations count from.
"""

import contextlib
import math
import pathlib
from collections.abc import Iterator
from typing import NamedTuple, Optional, Union

import av
import av.logging
import numpy as np
from av.stream import Disposition

REASONS = {
    "missing": "the file is not there or cannot be read",
    "empty": "the file has no bytes",
    "damaged": "it cannot be decoded, or decodes with errors",
    "no_picture": "it has no moving picture",
    "no_sound": "it has no sound, or the sound stops for a while",
    "silent": "the sound is digital silence",
    "near_silent": "no part of the sound is as loud as --silence_db",
    "too_short": "picture and sound together last less than --min_seconds",
}

END_SLACK = 0.5  # Seconds by which a video may be shorter than its container announces.
TICK = 1e-3  # Seconds; shorter than a frame.
# What FFmpeg reports as an error although every picture comes out whole.
HARMLESS = ("mmco: unref short failure", "SEI type")


class MediaError(Exception):
    """A video that gives no clip at all; `reason` is a key of REASONS."""

    def __init__(self, reason: str, message: str = "") -> None:
        super().__init__(message or REASONS[reason])
        self.reason = reason


class Spoiled(NamedTuple):
    """A span of time, seconds, in which picture or sound is not what was recorded."""

    start: float
    end: float
    reason: str


class Media:
    """An open container whose first moving picture and first sound are decoded in step."""

    def __init__(self, path: pathlib.Path) -> None:
        try:
            if path.stat().st_size == 0:
                raise MediaError("empty")
            # Errors in metadata (a title in an odd encoding) are no damage.
            with av.logging.Capture():
                self.container = av.open(str(path), metadata_errors="ignore")
        except av.FFmpegError as error:
            missing = isinstance(error, (FileNotFoundError, PermissionError))
            raise MediaError("missing" if missing else "damaged", str(error)) from error
        except OSError as error:
            raise MediaError("missing", str(error)) from error
        still = Disposition.attached_pic | Disposition.timed_thumbnails
        pictures = [s for s in self.container.streams.video if not s.disposition & still]
        if not pictures or not self.container.streams.audio:
            self.container.close()
            raise MediaError("no_picture" if not pictures else "no_sound")
        self.picture, self.sound = pictures[0], self.container.streams.audio[0]
        for stream in (self.picture, self.sound):
            # One thread a process: shards keep the cores busy, and errors arrive in order.
            stream.thread_count = 1
        self.origin = (self.container.start_time or 0) / av.time_base

    def announced_end(self, picture_end: float, sound_end: float) -> float:
        """The end that the container announces if decoding ended well before it, else -inf.

        MPEG-TS, and AVI without its index, announce none: such a file looks whole when cut off.

        Args:
          picture_end: seconds, where decoding ended.
          sound_end: seconds, likewise.
        """
        ends = {self.picture: picture_end, self.sound: sound_end}
        announced = [
            (float((stream.start_time or 0) + stream.duration) * stream.time_base, end)
            for stream, end in ends.items()
            if stream.duration
        ]
        if self.container.duration and len(self.container.streams) == 2:
            length = self.container.duration / av.time_base + self.origin
            announced.append((length, max(picture_end, sound_end)))
        missed = [a - self.origin for a, end in announced if a - self.origin > end + END_SLACK]
        return max(missed, default=-math.inf)

    def seek(self, seconds: float) -> None:
        """Goes to a key frame before `seconds`, or stays where it is."""
        with contextlib.suppress(av.FFmpegError):
            self.container.seek(int((seconds + self.origin) * av.time_base), backward=True)

    def decode(self) -> Iterator[Union[av.VideoFrame, av.AudioFrame, Spoiled]]:
        """Frames of both streams in the order of decoding, each with a sound `pts`; damage."""
        with av.logging.Capture() as log:
            position = {self.picture.index: 0.0, self.sound.index: 0.0}
            broken_since = None  # Time from which pictures lack what they refer to.
            packets = self.container.demux(self.picture, self.sound)
            while True:
                log.clear()
                failed = False
                try:
                    packet = next(packets, None)
                except (av.FFmpegError, OSError):
                    packet, failed = None, True
                if packet is None:
                    break
                index = packet.stream.index
                if packet.pts is not None:
                    position[index] = float(packet.pts * packet.time_base) - self.origin
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    frames, failed = [], True
                if failed or packet.is_corrupt or _has_error(log):
                    failed = True
                    if index == self.sound.index:
                        yield Spoiled(position[index], position[index] + 0.1, "damaged")
                    else:
                        broken_since = min(
                            math.inf if broken_since is None else broken_since, position[index]
                        )
                for frame in frames:
                    time = self.time_of(frame)
                    if index == self.sound.index:
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


def _has_error(log: list) -> bool:
    return any(
        level <= av.logging.ERROR and not any(phrase in message for phrase in HARMLESS)
        for level, _, message in log
    )


def display_matrix(frame: av.VideoFrame) -> Optional[np.ndarray]:
    """The frame's 2x2 display matrix (rows: images of the x axis, of the y axis), if it has one."""
    data = frame.side_data.get("DISPLAYMATRIX")
    return None if data is None else np.frombuffer(bytes(data), np.int32).reshape(3, 3)[:2, :2]


def swaps_sides(matrix: Optional[np.ndarray]) -> bool:
    """Whether a display matrix makes rows of columns."""
    return matrix is not None and abs(int(matrix[0, 1])) > abs(int(matrix[0, 0]))


def orient(image: np.ndarray, matrix: Optional[np.ndarray]) -> np.ndarray:
    """Turns and mirrors an image [H, W, 3] the way its display matrix says.

    The matrix maps a point (x, y) to (a x + c y, b x + d y), y pointing down; only multiples of a
    right angle are honoured.
    """
    if matrix is None:
        return image
    (a, b), (c, d) = matrix
    if swaps_sides(matrix):
        image = image.transpose(1, 0, 2)
        a, d = c, b
    return image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


def first_times(path: pathlib.Path, seek_to: float) -> tuple[float, float]:
    """Time of the first picture and of the first sound, seconds."""
    media, first, damaged = Media(path), {}, False
    with media.container:
        if seek_to > 0:
            media.seek(seek_to)
        for event in media.decode():
            damaged |= isinstance(event, Spoiled)
            if not isinstance(event, Spoiled):
                first.setdefault(isinstance(event, av.VideoFrame), media.time_of(event))
                if len(first) == 2:
                    return first[True], first[False]
    if damaged:
        raise MediaError("damaged")
    raise MediaError("no_sound" if True in first else "no_picture")
