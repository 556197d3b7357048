"""Which streams of a container are its video and its audio."""

from collections.abc import Sequence

import av
from av.container import InputContainer
from av.stream import Disposition, Stream

# Seconds. The first audio of an encoder is not heard yet, but what its filters are filled with.
# Where a container cannot say so, its writer moves everything later by as much, so that nothing
# begins before zero: 2,048 samples of WMA, 1,024 of AAC, 481 of MP2.
_MOST_PRIMING = 0.07
_STILL = Disposition.attached_pic | Disposition.timed_thumbnails


def video_streams(container: InputContainer) -> list[Stream]:
    """Its video streams but for covers and other attached pictures."""
    return [stream for stream in container.streams.video if not stream.disposition & _STILL]


def choose(streams: Sequence[Stream]) -> Stream | None:
    """Of streams of a kind the first default one that can be decoded, else the first that can.

    Those that a broadcast announces and of which nothing came, so far, come last.
    """
    known = [stream for stream in streams if stream.codec_context is not None]
    default = [stream for stream in known if stream.disposition & Disposition.default]
    return next(iter(sorted(default + known, key=_is_empty)), None)


def _is_empty(stream: Stream) -> bool:
    """Whether not even its size, or its rate, is known."""
    codec = stream.codec_context
    return not (codec.width if stream.type == "video" else codec.sample_rate)


def chosen(container: InputContainer) -> list[Stream]:
    """Its video and its audio, as far as it has them."""
    kinds = (video_streams(container), container.streams.audio)
    return [stream for stream in map(choose, kinds) if stream is not None]


def zero_of(container: InputContainer) -> float:
    """The stamp, in seconds, that times of a file are counted from.

    It is where the container says that it begins, or where its video does if only the priming of
    its audio comes before: the recording began with the video then.
    """
    start = (container.start_time or 0) / av.time_base
    video = choose(video_streams(container))
    if video is not None and video.start_time is not None:
        seen = float(video.start_time * video.time_base)
        if start < seen <= start + _MOST_PRIMING:
            return seen
    return start
