"""Features of all clips of an evaluation, made once and kept on disk.

FOLDER/KEY/video.npy             [n, W, d] float32, and so on for audio
FOLDER/KEY/video_embedding.npy   [n, W, D] float32
FOLDER/KEY/features.json         what they are of; KEY is its digest

They are written batch by batch and read through memory maps: no more of them is in memory than is
asked for.
"""

import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.lib import format as npy

from actcl_tf.data.records import records
from actcl_tf.evaluate.features import checks, features

_ABOUT = "features.json"

Arrays = dict[str, np.ndarray]


def load_or_make(
    folder: pathlib.Path,
    about: Mapping[str, Any],
    clip_ids: np.ndarray,
    make: Callable[[], tuple[tf.data.Dataset, features.WindowEncoder]],
    progress: Callable[[int], None] | None = None,
) -> tuple[Arrays, bool]:
    """The features that `about` describes: from the disk, or else made and kept.

    Args:
      folder: where features are kept.
      about: all that they depend on, ready for JSON: encoder, data and transform.
      clip_ids: [n] int64, the clips in the order of the rows.
      make: gives the clips, in that order, and what encodes them; called if they are not there.
      progress: called after each batch with the number of clips encoded so far.

    Returns:
      Name to [n, W, d] float32 memory map: of each modality, and MODALITY_embedding; and whether
      they were there already.

    Raises:
      records.DataError: the folder cannot be written, or the data has changed meanwhile.
      ValueError: an encoder gave NaN or infinity; the message says of which clips.
    """
    text = json.dumps(about, indent=1, sort_keys=True)
    target = pathlib.Path(folder) / hashlib.sha256(text.encode()).hexdigest()[:24]
    if (target / _ABOUT).exists():
        return _open(target), True
    partial = target.with_name(f"{target.name}.partial-{os.getpid()}")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        _write(partial, clip_ids, *make(), progress)
        (partial / _ABOUT).write_text(text + "\n", encoding="utf-8")
        if not target.exists():  # Another evaluation may have been faster.
            partial.rename(target)
    except OSError as error:
        raise records.DataError(
            f"--cache_dir: features cannot be kept in {folder}: {error}"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return _open(target), False


def _open(folder: pathlib.Path) -> Arrays:
    return {path.stem: np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))}


def _write(
    folder: pathlib.Path,
    clip_ids: np.ndarray,
    dataset: tf.data.Dataset,
    encode: features.WindowEncoder,
    progress: Callable[[int], None] | None,
) -> None:
    arrays, done = {}, 0
    for batch in dataset:
        found = batch["clip_id"].numpy()
        rows = slice(done, done + len(found))
        if not np.array_equal(found, clip_ids[rows]):
            raise records.DataError(
                "the data was changed while it was read; start the evaluation again"
            )
        for name, value in encode(batch).items():
            value = value.numpy()
            fault = checks.non_finite(value)
            if fault:
                raise ValueError(
                    f"{name} features hold {fault} of the batch at clip {done}: the encoder is "
                    "damaged, or --precision=float32 is needed"
                )
            if name not in arrays:
                arrays[name] = npy.open_memmap(
                    folder / f"{name}.npy", "w+", np.float32, (len(clip_ids), *value.shape[1:])
                )
            arrays[name][rows] = value
        done = rows.stop
        if progress is not None:
            progress(done)
    if done != len(clip_ids):
        raise records.DataError(
            f"the data was changed while it was read: {done} clips instead of {len(clip_ids)}; "
            "start the evaluation again"
        )
    for array in arrays.values():
        array.flush()


def random_features(
    clip_ids: np.ndarray, shape: tuple[int, int], *, seed: int, stream: int
) -> np.ndarray:
    """Features that know nothing of the clips: standard normal, a function of (seed, clip id).

    Args:
      clip_ids: [n] int64.
      shape: W and d.
      seed: of the evaluation.
      stream: streams of different numbers have nothing to do with each other.

    Returns:
      [n, W, d] float32.
    """
    made = np.empty([len(clip_ids), *shape], np.float32)
    for row, clip_id in zip(made, clip_ids.tolist(), strict=True):
        np.random.default_rng([seed, stream, clip_id]).standard_normal(out=row, dtype=np.float32)
    return made
