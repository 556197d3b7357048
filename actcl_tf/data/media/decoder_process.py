"""The child process of `decoder.Decoder`, run by `python -m` with a file descriptor.

It reads requests from a connection. A `CutRequest` is answered with the clips of the video as they
are cut, and None at the end; a `SegmentRequest` with a `Segment`; either with a `Failure` if the
video gives nothing more, and before with ALIVE while a long file is looked through. It ends when
the other side is gone, and never imports TensorFlow unless a path is remote: it starts in a moment.
"""

import signal
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection

from actcl_tf.data.media import clip_cutting, clip_filters, segment_reading
from actcl_tf.data.media.containers import media
from actcl_tf.data.media.decoder_messages import (
    ALIVE,
    CutClip,
    CutRequest,
    Failure,
    SegmentRequest,
)
from actcl_tf.data.media.read_options import ReadOptions


def _answer(
    connection: Connection, request: CutRequest | SegmentRequest, options: ReadOptions
) -> None:
    def tell() -> None:
        connection.send(ALIVE)

    try:
        if isinstance(request, SegmentRequest):
            connection.send(segment_reading.read_segment(request, options, tell))
            return
        for piece in _cut(request, options, tell):
            connection.send(piece)
        connection.send(None)
    except media.MediaError as error:
        connection.send(Failure(error.reason, str(error)))


def _cut(
    request: CutRequest, options: ReadOptions, tell: Callable[[], None]
) -> Iterator[CutClip | clip_cutting.Rejected]:
    fingerprints = "duplicate" in options.filters
    for piece in clip_cutting.read_clips(
        request.path, options, start=request.start, end=request.end, tell=tell
    ):
        if isinstance(piece, clip_cutting.Rejected):
            yield piece
            continue
        reason = clip_filters.fault(piece, options.filters)
        if reason is not None:
            yield clip_cutting.Rejected(piece.start, piece.end, reason)
        else:
            yield CutClip(piece, clip_filters.fingerprint(piece) if fingerprints else None)


def main(file_descriptor: int) -> None:
    """Serves until the other side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The other side decides when to end.
    with Connection(file_descriptor) as connection:
        try:
            options = connection.recv()
            connection.send(None)  # Ready.
            while True:
                _answer(connection, connection.recv(), options)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


if __name__ == "__main__":
    main(int(sys.argv[1]))
