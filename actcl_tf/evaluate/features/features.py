"""Runs both towers over a data set and keeps what they give, as NumPy arrays."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf


class Features(NamedTuple):
    """What both towers make of n clips, W windows each; rows are in the data set's order.

    Attributes:
      video: [n, W, d_v] float32, backbone features of the video.
      audio: [n, W, d_a] float32, backbone features of the audio.
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


class WindowEncoder:
    """Encoders on clips of several windows, compiled once for each shape of clip.

    Attributes:
      num_traces: how often a graph was made.
    """

    def __init__(self, encoders: Mapping[str, Callable[[tf.Tensor], Any]]):
        """Takes the encoders; nothing runs yet.

        Args:
          encoders: modality to what makes `features` [N, d] and `embedding` [N, D], or None
            instead, of a batch [N, ...].
        """
        self.num_traces = 0
        self._encoders = dict(encoders)
        self._compiled = {}

    def __call__(self, batch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Encodes one batch.

        Args:
          batch: modality to clips [B, W, ...]; other entries are left alone, as are modalities
            that no encoder is there for.

        Returns:
          Modality to features [B, W, d] float32, and `MODALITY_embedding` to [B, W, D] float32.
        """
        clips = {name: batch[name] for name in self._encoders if name in batch}
        # For any number of clips: a last batch is shorter.
        signature = {
            name: tf.TensorSpec([None, *value.shape[1:]], value.dtype)
            for name, value in clips.items()
        }
        key = tuple(sorted(signature.items(), key=lambda item: item[0]))
        if key not in self._compiled:
            self._compiled[key] = tf.function(self._encode, input_signature=[signature])
        return self._compiled[key](clips)

    def _encode(self, clips: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        self.num_traces += 1
        encoded = {}
        for name, value in clips.items():
            windows = value.shape[1]
            output = self._encoders[name](tf.reshape(value, [-1, *value.shape[2:]]))
            for suffix in ("features", "embedding"):
                rows = getattr(output, suffix)
                if rows is not None:
                    full = name if suffix == "features" else f"{name}_{suffix}"
                    encoded[full] = tf.reshape(rows, [-1, windows, rows.shape[-1]])
        return encoded


class Extractor:
    """Two towers in inference, compiled once for all data sets of one shape of clip."""

    def __init__(self, video_tower: tf.keras.Model, audio_tower: tf.keras.Model):
        """Takes the towers; nothing runs yet.

        Args:
          video_tower: [B, T, H, W, 3] uint8 -> TowerOutput.
          audio_tower: [B, S] float32 -> TowerOutput.
        """
        self.towers = (video_tower, audio_tower)
        self._encode = WindowEncoder(
            {
                "video": functools.partial(video_tower, training=False),
                "audio": functools.partial(audio_tower, training=False),
            }
        )

    @property
    def num_traces(self) -> int:
        """How often a graph was made."""
        return self._encode.num_traces

    def __call__(self, dataset: tf.data.Dataset) -> Features:
        """Runs the towers over a data set.

        Args:
          dataset: finite, of dict: `video` [B, W, T, H, W, 3] uint8, `audio` [B, W, S] float32,
            `label` [B] int64, `filename` [B] string, `clip_id` [B] int64; the last batch may be
            shorter.

        Raises:
          ValueError: the data set is empty.
        """
        parts = []
        for batch in dataset:
            encoded = self._encode(batch)
            parts.append([encoded[name].numpy() for name in Features._fields[:4]])
            parts[-1] += [batch[key].numpy() for key in ("label", "filename", "clip_id")]
        if not parts:
            raise ValueError("expected at least 1 clip to extract features from, got none")
        *encoded, labels, filenames, clip_ids = (
            np.concatenate(part) for part in zip(*parts, strict=True)
        )
        names = [name.decode("utf-8", "surrogateescape") for name in filenames]
        return Features(*encoded, labels, names, clip_ids)
