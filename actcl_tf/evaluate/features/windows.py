"""What becomes of the windows of a clip: rows of a feature matrix, and back to scores a clip."""

from collections.abc import Iterator, Mapping

import numpy as np

from actcl_tf.evaluate.features import preprocessing

MODALITIES = ("video", "audio")
_BLOCK = 2**24  # Numbers that are read at a time: 64 MiB.


def modalities_of(modality: str) -> tuple[str, ...]:
    """The streams that `video`, `audio` or `both` needs."""
    return MODALITIES if modality in ("both", "late_fusion") else (modality,)


def rows(x: np.ndarray, how: str, num_windows: int) -> np.ndarray:
    """Puts the windows of clips into rows.

    Args:
      x: [n, W, d] float; the windows are `num_windows` in time, each in W / num_windows crops.
      how: "scores" (each a row of its own), "mean" (their mean) or "concatenate" (side by side in
        order; crops of a window are averaged).
      num_windows: windows in time.

    Returns:
      [n, r, d'] of the type of `x`: r is W for scores, else 1.
    """
    if how == "scores":
        return x
    if how == "mean":
        return x.mean(axis=1, keepdims=True)
    by_time = x.reshape(len(x), num_windows, -1, x.shape[-1]).mean(axis=2)
    return by_time.reshape(len(x), 1, -1)


class Features:
    """The rows of clips, read block by block: no more of them is in memory than is asked for."""

    def __init__(
        self, arrays: Mapping[str, np.ndarray], modality: str, how: str, num_windows: int
    ) -> None:
        """Takes the features; nothing is read yet.

        Args:
          arrays: stream to [n, W, d] float32, arrays or memory maps.
          modality: video, audio or both.
          how: see `rows`.
          num_windows: windows in time.
        """
        self._streams = [arrays[stream] for stream in modalities_of(modality)]
        self._how, self._num_windows = how, num_windows
        self.rows_a_clip = self._read(0, np.arange(1)).shape[1]

    def matrices(
        self, name: str, train: np.ndarray, test: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Preprocesses each stream by itself and puts the streams side by side.

        Args:
          name: of `preprocessing.PREPROCESSINGS`; learned from the training clips alone.
          train: [a] int64, clips.
          test: [b] int64, clips.

        Returns:
          [a * r, d'] and [b * r, d'] float64; the rows of a clip stand one after the other.
        """
        steps = [
            preprocessing.fit_blocks(name, (x for _, x in self._blocks(stream, train)))
            for stream in range(len(self._streams))
        ]
        width = sum(len(step.mean) for step in steps)
        sides = []
        for clips in (train, test):
            made = np.empty([len(clips) * self.rows_a_clip, width])
            left = 0
            for stream, step in enumerate(steps):
                columns = slice(left, left + len(step.mean))
                for place, x in self._blocks(stream, clips):
                    made[place, columns] = step(x)
                left = columns.stop
            sides.append(made)
        return tuple(sides)

    def _blocks(self, stream: int, clips: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """The places of rows and the rows [m * r, d'] float32, some clips at a time."""
        count = max(1, _BLOCK // int(np.prod(self._streams[stream].shape[1:])))
        for start in range(0, len(clips), count):
            x = self._read(stream, clips[start : start + count])
            place = slice(start * x.shape[1], (start + len(x)) * x.shape[1])
            yield place, x.reshape(-1, x.shape[-1])

    def _read(self, stream: int, clips: np.ndarray) -> np.ndarray:
        x = np.asarray(self._streams[stream][clips])
        if len(self._streams) > 1 and x.shape[1] > self._num_windows:
            # Crops have no audio of their own.
            x = x.reshape(len(x), self._num_windows, -1, x.shape[-1]).mean(axis=2)
        return rows(x, self._how, self._num_windows)


def average(scores: np.ndarray, num_clips: int) -> np.ndarray:
    """Averages the scores of a clip's rows: [b * r, C] -> [b, C]."""
    return scores.reshape(num_clips, -1, scores.shape[-1]).mean(axis=1)
