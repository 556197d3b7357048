"""Which streams of a container are its picture and its sound."""

from collections.abc import Sequence
from typing import Optional

from av.container import InputContainer
from av.stream import Disposition, Stream

_STILL = Disposition.attached_pic | Disposition.timed_thumbnails


def moving_pictures(container: InputContainer) -> list[Stream]:
    """Its video streams but for covers and other attached pictures."""
    return [stream for stream in container.streams.video if not stream.disposition & _STILL]


def choose(streams: Sequence[Stream]) -> Optional[Stream]:
    """Of streams of a kind the first default one that can be decoded, else the first that can."""
    known = [stream for stream in streams if stream.codec_context is not None]
    default = [stream for stream in known if stream.disposition & Disposition.default]
    return next(iter(default + known), None)


def chosen(container: InputContainer) -> list[Stream]:
    """Its picture and its sound, as far as it has them."""
    kinds = (moving_pictures(container), container.streams.audio)
    return [stream for stream in map(choose, kinds) if stream is not None]
