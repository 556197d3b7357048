"""Frames of two half pictures, taken one after the other -> whole pictures.

In an interlaced frame the even and the odd lines show different moments: what moves has combs.
"""

import av

_MIN_SIDE = 4  # Pixels; the filter takes no smaller frames.


class Deinterlacer:
    """Passes frames on as they are until one is interlaced; from then on through FFmpeg's bwdif.

    The filter looks at the frame before and after, so that frames come out one later than they went
    in. Each keeps its time, and one that is not interlaced its pixels.
    """

    def __init__(self) -> None:
        self._graph: av.filter.Graph | None = None
        self._kind: tuple | None = None

    def push(self, frame: av.VideoFrame) -> list[av.VideoFrame]:
        """Takes the next frame; returns those that are ready."""
        kind = (frame.width, frame.height, frame.format.name, frame.time_base)
        ready = self.finish() if self._graph is not None and kind != self._kind else []
        if self._graph is None:
            if not frame.interlaced_frame or min(frame.width, frame.height) < _MIN_SIDE:
                return [*ready, frame]
            self._begin(frame)
            self._kind = kind
        if frame.pts is None:
            frame.pts = frame.dts
        self._graph.vpush(frame)
        return ready + self._pull()

    def finish(self) -> list[av.VideoFrame]:
        """Ends the frames; returns the rest of them."""
        if self._graph is None:
            return []
        self._graph.vpush(None)
        rest = self._pull()
        self._graph = None
        return rest

    def _begin(self, frame: av.VideoFrame) -> None:
        self._graph = av.filter.Graph()
        self._graph.link_nodes(
            self._graph.add_buffer(
                width=frame.width,
                height=frame.height,
                format=frame.format,
                time_base=frame.time_base,
            ),
            self._graph.add("bwdif", "mode=send_frame:deint=interlaced"),
            self._graph.add("buffersink"),
        ).configure()

    def _pull(self) -> list[av.VideoFrame]:
        frames = []
        while True:
            try:
                frames.append(self._graph.vpull())
            except (av.BlockingIOError, av.EOFError):
                return frames
