"""Clips of YouTube videos: how downloaded files are called, which differs from tool to tool."""

from typing import Optional

Span = Optional[tuple[float, Optional[float]]]


def file_keys(
    video_id: str, start: float, end: float, whole_videos: bool
) -> tuple[tuple[str, ...], tuple[Span, ...]]:
    """Names that the file of a clip may have, without ending, and where each is to be cut.

    A name with times in it is that of a file already cut: seconds, with six digits or as they come,
    or milliseconds; of the start, or of start and end. A file called by the video's id alone is
    taken as cut too, unless it is said to be the whole video.

    Args:
      video_id: of YouTube, 11 characters.
      start: of the clip, seconds.
      end: of the clip, seconds.
      whole_videos: whether a file called by the id alone holds the whole video.

    Returns:
      The names, the likeliest first, and as many spans (None: the file is cut already).
    """
    times = []
    for form in ("{:06d}", "{:d}"):
        first, last = form.format(int(start)), form.format(int(end))
        times += [f"{first}_{last}", first]
    times += [f"{start:.3f}_{end:.3f}", f"{start:.3f}"]
    times += [f"{start * 1000:.0f}_{end * 1000:.0f}", f"{start * 1000:.0f}"]
    names = list(dict.fromkeys(f"{video_id}_{time}" for time in times))
    names += [f"Y{name}" for name in names]  # Some tools put a Y before ids that begin with a dash.
    whole: Span = (start, end) if whole_videos else None
    return (
        (*names, video_id, f"Y{video_id}"),
        (*[None] * len(names), whole, whole),
    )
