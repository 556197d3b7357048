"""What an exported model makes of windows of video and audio; the one place that loads it."""

import math
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from actcl_tf.pretrained import layout, loading
from actcl_tf.search.segments import Shape
from actcl_tf.storage.errors import DataError

# Frames are read a little larger than the model sees them, as records are: 128 pixels for 112.
_LARGER = 8 / 7


class Encoder:
    """The two encoders of a model that `tools/export.py` wrote.

    Attributes:
      folder: of the model.
      digest: of the model's weights; what other weights made cannot be compared.
      shape: of the windows that it wants.
      embedding_size: D.
    """

    def __init__(self, folder: str):
        """Loads a model.

        Args:
          folder: that it was exported to.

        Raises:
          DataError: there is no such model, or it cannot be loaded.
        """
        self.folder = folder
        try:
            self._model = loading.load(pathlib.Path(folder))
            facts = self._model.metadata
            top, left, bottom, right = facts["region"]
            seen = facts["image_size"] / min(bottom - top, right - left)
            self.digest, self.embedding_size = str(facts["digest"]), int(facts["embedding_size"])
            self.shape = Shape(
                num_frames=int(facts["num_frames"]),
                frame_rate=float(facts["frame_rate"]),
                sample_rate=int(facts["sample_rate"]),
                short_side=2 * math.ceil(seen * _LARGER / 2),
            )
        except layout.PretrainedError as error:
            raise DataError(f"--model={folder}: {error}") from error
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            raise DataError(
                f"--model={folder}: {layout.METADATA} is damaged ({error!r}); export the run again"
            ) from error

    def videos(self, windows: Sequence[Sequence[bytes]]) -> np.ndarray:
        """Encodes windows of video.

        Args:
          windows: B times T JPEG images, of any sizes.

        Returns:
          [B, D] float32, unit vectors.

        Raises:
          DataError: the model gives what is no number.
        """
        return self._checked(self._model.video.embed_jpegs(tf.constant(windows)))

    def still(self, image: np.ndarray) -> np.ndarray:
        """Encodes an image as a window in which nothing moves.

        Args:
          image: [H, W, 3] uint8.

        Returns:
          [D] float32, a unit vector.

        Raises:
          DataError: the model gives what is no number.
        """
        frames = np.repeat(image[None, None], self.shape.num_frames, axis=1)
        return self._checked(self._model.video.embed(frames))[0]

    def audio(self, waveforms: Sequence[np.ndarray]) -> np.ndarray:
        """Encodes windows of audio.

        Args:
          waveforms: B times [S] float32, mono, in [-1, 1].

        Returns:
          [B, D] float32, unit vectors.

        Raises:
          DataError: the model gives what is no number.
        """
        return self._checked(self._model.audio.embed(np.stack(waveforms)))

    def _checked(self, outputs: dict[str, tf.Tensor]) -> np.ndarray:
        vectors = outputs["embedding"].numpy().astype(np.float32)
        if not np.isfinite(vectors).all():
            raise DataError(f"--model={self.folder}: it gives NaN; export another checkpoint")
        return vectors
