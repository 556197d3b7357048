"""Parts of clips read out of their videos, by processes that are shared by all input of a program.

A thread that wants a part takes a free `decoder.Decoder`, or waits for one; it holds no lock of
Python's while the child works.
"""

import atexit
import functools
import gc
import queue

from actcl_tf.config import cores
from actcl_tf.data.media import decoder
from actcl_tf.data.media.containers.errors import MediaError
from actcl_tf.data.media.decoder_messages import Segment, SegmentRequest
from actcl_tf.data.media.read_options import ReadOptions
from actcl_tf.storage.errors import DataError

TAG = "--input=media: "  # See `tagged_errors`.


class MediaReader:
    """Reads parts of clips, as many side by side as there are workers."""

    def __init__(self, options: ReadOptions, num_workers: int, timeout: float):
        """Takes what is done with videos; processes start when they are needed.

        Args:
          options: how parts of clips are read.
          num_workers: child processes.
          timeout: seconds that a part may take.
        """
        self.num_workers = num_workers
        self._decoders = [decoder.Decoder(options, timeout=timeout) for _ in range(num_workers)]
        self._is_closed = False
        self._free: queue.SimpleQueue = queue.SimpleQueue()
        for each in self._decoders:
            self._free.put(each)

    def read(self, request: SegmentRequest) -> Segment:
        """Reads a part of a clip.

        Raises:
          DataError: the video does not give it, though it did when its clips were found; or no
            process can be started.
        """
        taken = self._free.get()
        try:
            if self._is_closed:
                raise DataError(f"{TAG}{request.path} is not read: the program ends")
            return taken.read_segment(request)
        except MediaError as error:
            start = request.start
            raise DataError(
                f"{TAG}{request.path} was good and cannot be read any more at {start:.2f} seconds "
                f"({error.reason}: {error}); put the file back as it was, or begin a new --run_dir "
                "without it"
            ) from error
        finally:
            self._free.put(taken)

    def close(self) -> None:
        """Ends the processes, when they are done with what they are at; nothing is read any more.

        Data sets read ahead in threads of TensorFlow's. Once Python has begun to end, such a thread
        waits for it for ever, and the end of its data set for the thread: so data sets that nobody
        holds are ended here, and others find that nothing is left to wait for.
        """
        self._is_closed = True
        for _ in self._decoders:
            self._free.get()
        for each in self._decoders:
            each.close()
            self._free.put(each)
        gc.collect()


@functools.cache
def shared(options: ReadOptions, num_workers: int, timeout: float) -> MediaReader:
    """The reader of these settings, the same one at every call.

    Args:
      options: how parts of clips are read.
      num_workers: processes; 0: one a core.
      timeout: seconds that a part of a clip may take.
    """
    reader = MediaReader(options, num_workers or cores.count(), timeout)
    atexit.register(reader.close)
    return reader
