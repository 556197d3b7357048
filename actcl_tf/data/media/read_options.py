"""What is made of every video: the rates, sizes and lengths of clips."""

from typing import NamedTuple


class ReadOptions(NamedTuple):
    """How videos are read and cut; parts of clips are read with the first four alone.

    Attributes:
      frame_rate: frames a second of the clips.
      sample_rate: samples a second of the clips.
      short_side: of the frames, pixels; smaller videos keep their size.
      jpeg_quality: 1 to 95; None: the frames are only counted, each is no bytes.
      clip_seconds: length of a clip; a longer video gives several.
      min_seconds: shortest clip; a shorter rest is dropped.
      silence_db: a clip whose loudest 0.1 s is quieter (RMS, dBFS) is near-silent; None: none is,
        and only digital silence is left out.
      streams: of media.STREAMS; what is not read may be missing.
      filters: of `clip_filters.FILTERS`, which a `decoder.Decoder` leaves clips out by.
    """

    frame_rate: float
    sample_rate: int
    short_side: int
    jpeg_quality: int | None
    clip_seconds: float = 10.0
    min_seconds: float = 1.0
    silence_db: float | None = None
    streams: str = "both"
    filters: tuple[str, ...] = ()
