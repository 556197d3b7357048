"""Runs both towers over a data set and keeps what they give, as NumPy arrays."""

from typing import Callable, NamedTuple, Optional

import numpy as np
import tensorflow as tf


class Features(NamedTuple):
    """What both towers make of n clips, W windows each; rows are in the data set's order.

    Attributes:
      video: [n, W, d_v] float32, backbone features of the pictures.
      audio: [n, W, d_a] float32, backbone features of the sound.
      video_embedding: [n, W, D] float32, unit vectors.
      audio_embedding: [n, W, D] float32, unit vectors.
      labels: [n] int64, class index, -1 for none.
      filenames: n names of the videos that the clips were cut from.
      clip_ids: [n] int64.
    """

    video: np.ndarray
    audio: np.ndarray
    video_embedding: np.ndarray
    audio_embedding: np.ndarray
    labels: np.ndarray
    filenames: list[str]
    clip_ids: np.ndarray


class Extractor:
    """Two towers in inference, compiled once for all data sets of one shape of clip."""

    def __init__(self, video_tower: tf.keras.Model, audio_tower: tf.keras.Model):
        """Takes the towers; nothing runs yet.

        Args:
          video_tower: [B, T, H, W, 3] uint8 -> TowerOutput.
          audio_tower: [B, S] float32 -> TowerOutput.
        """
        self.towers = (video_tower, audio_tower)
        self.num_traces = 0
        self._compiled = {}

    def __call__(
        self, dataset: tf.data.Dataset, *, progress: Optional[Callable[[int], None]] = None
    ) -> Features:
        """Runs the towers over a data set.

        Args:
          dataset: finite, of dict: `video` [B, W, T, H, W, 3] uint8, `audio` [B, W, S] float32,
            `label` [B] int64, `filename` [B] string, `clip_id` [B] int64; the last batch may be
            shorter.
          progress: called after each batch with the number of clips done so far.

        Raises:
          ValueError: the data set is empty.
        """
        parts, done = [], 0
        for batch in dataset:
            outputs = self._compiled_for(batch)(batch["video"], batch["audio"])
            parts.append([output.numpy() for output in outputs])
            parts[-1] += [batch[key].numpy() for key in ("label", "filename", "clip_id")]
            done += len(parts[-1][0])
            if progress is not None:
                progress(done)
        if not parts:
            raise ValueError("expected at least 1 clip to extract features from, got none")
        *encoded, labels, filenames, clip_ids = (np.concatenate(part) for part in zip(*parts))
        names = [name.decode("utf-8", "surrogateescape") for name in filenames]
        return Features(*encoded, labels, names, clip_ids)

    def _compiled_for(self, batch: dict[str, tf.Tensor]) -> Callable:
        """The towers as a graph for any number of clips of this shape; a last batch is shorter."""
        signature = tuple(
            tf.TensorSpec([None, *batch[key].shape[1:]], batch[key].dtype)
            for key in ("video", "audio")
        )
        if signature not in self._compiled:
            self._compiled[signature] = tf.function(self._encode, input_signature=signature)
        return self._compiled[signature]

    def _encode(self, video: tf.Tensor, audio: tf.Tensor) -> tuple[tf.Tensor, ...]:
        self.num_traces += 1
        pictures, sounds = (
            self._by_window(tower, clips) for tower, clips in zip(self.towers, (video, audio))
        )
        return pictures[0], sounds[0], pictures[1], sounds[1]

    def _by_window(self, tower: tf.keras.Model, clips: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Folds the windows of [B, W, ...] clips into the batch, runs a tower, unfolds."""
        windows = clips.shape[1]
        output = tower(tf.reshape(clips, [-1, *clips.shape[2:]]), training=False)
        return tuple(
            tf.reshape(value, [-1, windows, value.shape[-1]])
            for value in (output.features, output.embedding)
        )


def extract(
    video_tower: tf.keras.Model,
    audio_tower: tf.keras.Model,
    dataset: tf.data.Dataset,
    *,
    progress: Optional[Callable[[int], None]] = None,
) -> Features:
    """Runs both towers over an evaluation data set, once; see `Extractor` for several.

    Args:
      video_tower: [B, T, H, W, 3] uint8 -> TowerOutput.
      audio_tower: [B, S] float32 -> TowerOutput.
      dataset: of `pipeline.build_eval_dataset`.
      progress: called after each batch with the number of clips done so far.

    Raises:
      ValueError: the data set is empty.
    """
    return Extractor(video_tower, audio_tower)(dataset, progress=progress)
