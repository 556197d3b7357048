"""A whole search: from a request to the segments found."""

import time
from typing import NamedTuple

from actcl_tf.search import collection, encoding, query, store
from actcl_tf.search.request import Request
from actcl_tf.search.segments import AUDIO, VIDEO


class Answer(NamedTuple):
    """What a search gave.

    Attributes:
      query: what was searched for.
      hits: the segments, the nearest first.
      about: what was searched and how long that took, in words.
      seconds: length of a segment.
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
        modality, path = (VIDEO, request.video) if request.video else (AUDIO, request.audio)
        start = None if request.start == -1 else request.start
        asked = query.of_media(path, modality, encoder, start=start, timeout=timeout)
    begun = time.perf_counter()
    hits = held.search(
        asked.vector, find=request.find, top_k=request.top_k, per_file=request.per_file
    )
    took = 1000 * (time.perf_counter() - begun)
    about = f"{held.num_segments} segments of {held.num_files} files, searched in {took:.1f} ms."
    return Answer(asked, hits, about, held.facts.window_seconds)
