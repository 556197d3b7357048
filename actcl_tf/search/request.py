"""A whole search: what to search for, in which index, and the answer as a page."""

import dataclasses
import pathlib
import time
from typing import NamedTuple

from actcl_tf import config
from actcl_tf.search import collection, encoding, page, query, store
from actcl_tf.search.moments import PICTURE, SOUND


@dataclasses.dataclass(frozen=True)
class Request:
    """A search; each field is one flag of `tools/search.py query`."""

    video: str = config.field("", "Video whose picture to search for.")
    audio: str = config.field("", "Video or sound file whose sound to search for.")
    image: str = config.field("", "Picture to search for, as a video in which nothing moves.")
    start: float = config.field(
        -1.0,
        "Second of --video or --audio that the query begins at; -1: it is in the middle of the "
        "file, or of its first minute.",
    )
    find: str = config.field(
        "any",
        "What of a moment is compared: its picture, its sound, or any, whichever is nearer.",
        allowed=collection.FIND,
    )
    top_k: int = config.field(10, "Moments to find.")
    per_file: int = config.field(0, "Moments of one file at most; 0: any number.")
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


class Answer(NamedTuple):
    """What a search gave.

    Attributes:
      query: what was searched for.
      hits: the moments, the nearest first.
      about: what was searched and how long that took, in words.
      seconds: length of a moment.
    """

    query: query.Query
    hits: list[collection.Hit]
    about: str
    seconds: float


def search(request: Request, index: str, model: str = "", *, timeout: float = 120.0) -> Answer:
    """Searches an index.

    Args:
      request: what to search for.
      index: folder of the index.
      model: folder of the exported model; empty: where it was when the index was made.
      timeout: seconds that decoding a clip may take.

    Raises:
      DataError: the index, the model or the query cannot be used.
    """
    held = collection.Collection(index)
    encoder = encoding.Encoder(model or held.facts.model)
    store.check_model(index, held.facts, encoder.digest, encoder.folder)
    if request.image:
        asked = query.of_image(request.image, encoder)
    else:
        modality, path = (PICTURE, request.video) if request.video else (SOUND, request.audio)
        start = None if request.start == -1 else request.start
        asked = query.of_media(path, modality, encoder, start=start, timeout=timeout)
    begun = time.perf_counter()
    hits = held.search(
        asked.vector, find=request.find, top_k=request.top_k, per_file=request.per_file
    )
    took = 1000 * (time.perf_counter() - begun)
    about = f"{held.num_moments} moments of {held.num_files} files, searched in {took:.1f} ms."
    return Answer(asked, hits, about, held.facts.window_seconds)


def show(answer: Answer, request: Request, index: str, *, timeout: float = 120.0) -> pathlib.Path:
    """Writes the page of what was found; returns its path.

    Args:
      answer: what was found.
      request: that it answers.
      index: folder of the index.
      timeout: seconds that decoding a clip may take.

    Raises:
      DataError: it cannot be written.
    """
    path = pathlib.Path(request.output or f"{index.rstrip('/')}.html")
    page.write_page(
        path,
        answer.query,
        answer.hits,
        about=answer.about,
        seconds=answer.seconds,
        timeout=timeout,
    )
    return path
