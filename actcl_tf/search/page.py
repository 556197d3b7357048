"""What was found, as a page in which it can be played."""

import pathlib
from collections.abc import Sequence

import numpy as np

from actcl_tf.reporting import html_page, playable
from actcl_tf.search import playing, texts
from actcl_tf.search.collection import Hit
from actcl_tf.search.query import Query

_MOST_PLAYED = 50  # Clips in a page: each takes some 130 kB.


def write_page(
    path: pathlib.Path,
    query: Query,
    hits: Sequence[Hit],
    *,
    about: str,
    seconds: float,
    timeout: float = 120.0,
) -> None:
    """Writes a page that needs nothing beside it, whole or not at all.

    Args:
      path: of the HTML file.
      query: what was searched for.
      hits: what was found, the nearest first.
      about: what was searched, in words.
      seconds: length of a segment.
      timeout: seconds that decoding a clip may take.

    Raises:
      DataError: it cannot be written.
    """
    with playing.Reader(seconds, timeout) as reader:
        asked = _query_clip(query, reader)
        played = [
            reader.clip(hit.path, hit.start, f"{rank}. {_caption(hit)}")
            for rank, hit in enumerate(hits[:_MOST_PLAYED], 1)
        ]
    around = (
        f" A segment lasts {seconds:g} seconds and is played with what is around it."
        if seconds < playing.LEAST_SECONDS
        else ""
    )
    sections = [
        html_page.Section("Searched for", clips=[[asked]]),
        html_page.Section("Found", paragraphs=[about + around], clips=[played]),
        html_page.Section("All results", tables=[texts.table(hits)]),
    ]
    html_page.write(path, "Segments found", sections)


def _caption(hit: Hit) -> str:
    name, time = texts.printable(hit.name), texts.time_text(hit.start)
    return f"{name} {time} · {hit.score:.3f} by {hit.modality}"


def _query_clip(query: Query, reader: playing.Reader) -> playable.Clip:
    name = texts.printable(query.path)
    if query.still is not None:
        frames = np.repeat(query.still[None], 2, axis=0)
        return playable.Clip(
            caption=name,
            is_right=None,
            frames=frames,
            frame_rate=1.0,
            waveform=None,
            sample_rate=16000,
        )
    caption = f"{query.modality} of {name} at {texts.time_text(query.start)}"
    return reader.clip(query.path, query.start, caption)
