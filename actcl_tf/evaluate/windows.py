"""What becomes of the windows of a clip: rows of a feature matrix, and back to scores a clip."""

from collections.abc import Mapping, Sequence

import numpy as np

from actcl_tf.evaluate import preprocessing

MODALITIES = ("video", "audio")


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


def joined(
    arrays: Mapping[str, np.ndarray],
    modality: str,
    clips: np.ndarray,
    how: str,
    num_windows: int,
) -> list[np.ndarray]:
    """The rows of some clips, one matrix for each stream that the modality needs.

    Args:
      arrays: stream to [n, W, d] float32.
      modality: video, audio or both.
      clips: [k] int64, rows of the arrays.
      how: see `rows`.
      num_windows: windows in time.

    Returns:
      [k, r, d'] each, all with the same r.
    """
    streams = modalities_of(modality)
    found = []
    for stream in streams:
        x = np.asarray(arrays[stream][clips])
        if len(streams) > 1 and x.shape[1] > num_windows:  # Crops have no sound of their own.
            x = x.reshape(len(x), num_windows, -1, x.shape[-1]).mean(axis=2)
        found.append(rows(x, how, num_windows))
    return found


def preprocess(
    name: str, train: Sequence[np.ndarray], test: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Preprocesses each stream by itself and puts the streams side by side.

    Args:
      name: of `preprocessing.PREPROCESSINGS`; learned from the training clips alone.
      train: of `joined`, for the training clips.
      test: of `joined`, for the test clips.

    Returns:
      [a * r, d] and [b * r, d] float64; the rows of a clip stand one after the other.
    """
    sides = ([], [])
    for train_x, test_x in zip(train, test):
        flat = [x.reshape(-1, x.shape[-1]) for x in (train_x, test_x)]
        step = preprocessing.fit(name, flat[0])
        for side, x in zip(sides, flat):
            side.append(step(x))
    return tuple(side[0] if len(side) == 1 else np.concatenate(side, 1) for side in sides)


def average(scores: np.ndarray, num_clips: int) -> np.ndarray:
    """Averages the scores of a clip's rows: [b * r, C] -> [b, C]."""
    return scores.reshape(num_clips, -1, scores.shape[-1]).mean(axis=1)
