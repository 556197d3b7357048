"""What is searched for: one frozen dataclass, checked before any work starts."""

import dataclasses

from actcl_tf import config
from actcl_tf.search.segments import MODALITIES

FIND = (*MODALITIES, "any")


@dataclasses.dataclass(frozen=True)
class Request:
    """A search; each field is one flag of `tools/search.py query`."""

    video: str = config.field("", "Video to search for, by its frames.")
    audio: str = config.field("", "Video or audio file whose audio to search for.")
    image: str = config.field("", "Image to search for, as a video in which nothing moves.")
    start: float = config.field(
        -1.0,
        "Second of --video or --audio that the query begins at; -1: it is in the middle of the "
        "file, or of its first minute.",
    )
    find: str = config.field(
        "any",
        "What of a segment is compared: its video, its audio, or any, whichever is nearer.",
        allowed=FIND,
    )
    top_k: int = config.field(10, "Segments to find.")
    per_file: int = config.field(0, "Segments of one file at most; 0: any number.")
    output: str = config.field(
        "", "HTML page to write; empty: beside the index, by its name and .html."
    )

    def __post_init__(self) -> None:
        named = [f"--{name}" for name in ("video", "audio", "image") if getattr(self, name)]
        if len(named) != 1:
            raise config.ConfigError(
                "query: must have one of --video, --audio and --image, got "
                f"{' and '.join(named) or 'none'}"
            )
        if not (self.start == -1 or 0 <= self.start < 1e6):
            raise config.ConfigError(f"--start={self.start:g}: must be a second of the file, or -1")
        if self.start != -1 and self.image:
            raise config.ConfigError(f"--start={self.start:g}: a still --image has no time")
        if not 1 <= self.top_k <= 1000:
            raise config.ConfigError(f"--top_k={self.top_k}: must be in [1, 1000]")
        if self.per_file < 0:
            raise config.ConfigError(f"--per_file={self.per_file}: must be at least 0")
