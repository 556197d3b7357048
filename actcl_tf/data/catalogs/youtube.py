"""Clips of YouTube videos: how downloaded files are called, which differs from tool to tool."""

import dataclasses
import math
from collections.abc import Iterator

from actcl_tf.data.catalogs.finding import Span

_MOST_SECONDS = 1e9


def seconds(text: str) -> float:
    """A time of a list; a ValueError unless it is one of a video."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < _MOST_SECONDS:
        raise ValueError(f"must be seconds from 0 on, got {text!r:.40}")
    return value


def span(first: str, last: str) -> tuple[float, float]:
    """Start and end of a clip; a ValueError unless the end is the later."""
    start, end = seconds(first), seconds(last)
    if end <= start:
        raise ValueError(f"must be a start and a later end, got {start:g} and {end:g}")
    return start, end


@dataclasses.dataclass(frozen=True)
class ClipFiles:
    """Names that the file of a clip may have, without ending, and where each is to be cut.

    A name with times in it is that of a file already cut: seconds, with six digits or as they come,
    or milliseconds; of the start, or of start and end. A file called by the video's id alone is
    taken as cut too, unless it is said to be the whole video.

    The names are made as they are asked for: those of two million clips would fill the memory.

    Attributes:
      video_id: of YouTube, 11 characters.
      start: of the clip, seconds.
      end: of the clip, seconds.
      whole_videos: whether a file called by the id alone holds the whole video.
    """

    video_id: str
    start: float
    end: float
    whole_videos: bool

    @property
    def name(self) -> str:
        """What the clip is called, for people: the likeliest of the names."""
        return f"{self.video_id}_{int(self.start):06d}_{int(self.end):06d}"

    def __iter__(self) -> Iterator[tuple[str, Span]]:
        """The names, the likeliest first, each with its span; None: the file is cut already."""
        times = []
        for form in ("{:06d}", "{:d}"):
            first, last = form.format(int(self.start)), form.format(int(self.end))
            times += [f"{first}_{last}", first]
        times += [f"{self.start:.3f}_{self.end:.3f}", f"{self.start:.3f}"]
        times += [f"{self.start * 1000:.0f}_{self.end * 1000:.0f}", f"{self.start * 1000:.0f}"]
        whole = (self.start, self.end) if self.whole_videos else None
        for letter in ("", "Y"):  # Some tools put a Y before ids that begin with a dash.
            for time in dict.fromkeys(times):
                yield f"{letter}{self.video_id}_{time}", None
        yield self.video_id, whole
        yield f"Y{self.video_id}", whole
