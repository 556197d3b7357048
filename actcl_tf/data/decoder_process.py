"""The child process of `decoder.Decoder`: python -m actcl_tf.data.decoder_process FILE_DESCRIPTOR.

It reads requests (path, start, end) from a connection and answers each with the clips of the video
as they are cut, a `Failure` if the video gives nothing more, and None at the end. It ends when the
other side is gone, and never imports TensorFlow unless a path is remote: it starts in a moment.
"""

import signal
import sys
from multiprocessing.connection import Connection

from actcl_tf.data import clip_cutting, clip_filters, media
from actcl_tf.data.decoder_messages import CutClip, CutOptions, Failure


def _answer(connection: Connection, request: tuple, options: CutOptions) -> None:
    path, start, end = request
    fingerprints = "duplicate" in options.filters
    try:
        for piece in clip_cutting.read_clips(path, start=start, end=end, **options.reading):
            if isinstance(piece, clip_cutting.MediaClip):
                reason = clip_filters.fault(piece, options.filters)
                if reason is not None:
                    piece = clip_cutting.Rejected(piece.start, piece.end, reason)
                else:
                    mark = clip_filters.fingerprint(piece) if fingerprints else None
                    piece = CutClip(piece, mark)
            connection.send(piece)
    except media.MediaError as error:
        connection.send(Failure(error.reason, str(error)))
    else:
        connection.send(None)


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
