"""The frames of a video at a constant frame rate, from frames shown at any times."""

import io
import math

import av
from PIL import Image

from actcl_tf.data.media.containers.media import DamagedInterval, Media
from actcl_tf.data.media.deinterlacing import Deinterlacer
from actcl_tf.data.media.frame_rendering import Renderer
from actcl_tf.data.media.read_options import ReadOptions

# Times the shortest frame before it that a frame lasts which nobody meant to be shown so long.
_FROZEN = 8
TIME_SLACK = 0.001  # Seconds; containers such as WebM round time stamps to milliseconds.


class FrameSampler:
    """The frames at instants `begin + i / rate`, as JPEG, from frames in order of time."""

    def __init__(
        self,
        source: Media,
        options: ReadOptions,
        begin: float,
        end: float = math.inf,
        *,
        first: int = 0,
        stride: int = 1,
    ):
        """Takes the video that the frames are decoded from, and what is wanted of it.

        Args:
          source: the video.
          options: rate of the instants, size and quality of the frames.
          begin: seconds, the first instant.
          end: seconds; instants from here on are not wanted.
          first: instants at the beginning that are left out.
          stride: step between the instants that are wanted.
        """
        self.begin, self.end, self.rate = begin, end, options.frame_rate
        self.frames: list[bytes] = []
        self.count = first  # Instants passed, those already taken included.
        self.until = -math.inf  # Time until which the frames are known.
        self.damage: list[DamagedInterval] = []
        # With audio that goes on, a picture may be meant to be shown for long: a slide.
        self._is_steady = source.audio is None or source.is_broadcast
        self._longest, self._shortest = options.clip_seconds, math.inf
        self._source, self._quality, self._stride = source, options.jpeg_quality, stride
        self._usual_duration = 1.0 / float(source.video.average_rate or self.rate)
        self._deinterlacer = Deinterlacer()
        self._renderer = Renderer(source.video, options.short_side)
        self._shown: av.VideoFrame | None = None
        self._time = -math.inf
        self._jpeg: bytes | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the frames; zeros while there are none."""
        return self._renderer.size or (0, 0)

    def add(self, frame: av.VideoFrame) -> None:
        """Takes the next frame; what came before it was shown until now."""
        for whole in self._deinterlacer.push(frame):
            self._add(whole)

    def _add(self, frame: av.VideoFrame) -> None:
        time = self._source.time_of(frame)
        lasted = time - self._time
        if lasted <= 0:
            return
        if self._is_steady and max(_FROZEN * self._shortest, self._longest) < lasted < math.inf:
            # Time has jumped, by less than is seen without decoding.
            until = self._time + self._shortest
            self.damage.append(DamagedInterval(until, time, "discontinuity"))
        self._shortest = min(self._shortest, lasted)
        self._show_until(time)
        self._shown, self._time, self._jpeg = frame, time, None
        duration = float((frame.duration or 0) * frame.time_base) or self._usual_duration
        self.until = time + duration

    def finish(self) -> None:
        """The last frame is shown to its own end."""
        for whole in self._deinterlacer.finish():
            self._add(whole)
        self._show_until(self.until + TIME_SLACK)

    def _show_until(self, time: float) -> None:
        while True:
            instant = self.begin + self.count / self.rate
            if instant + TIME_SLACK >= time or instant >= self.end or self._shown is None:
                return
            if self._jpeg is None:
                self._jpeg = self._encode(self._shown)
            self.frames.append(self._jpeg)
            self.count += self._stride

    def take(self, num: int) -> list[bytes]:
        """Removes and returns the first `num` frames."""
        taken, self.frames = self.frames[:num], self.frames[num:]
        return taken

    def _encode(self, frame: av.VideoFrame) -> bytes:
        if self._quality is None:
            self._renderer.measure(frame)
            return b""
        buffer = io.BytesIO()
        image = Image.fromarray(self._renderer.render(frame))
        image.save(buffer, "JPEG", quality=self._quality)
        return buffer.getvalue()
