"""Embeddings of held-out clips for TensorBoard's projector, with a frame and a label each.

LOGDIR/projector_config.pbtxt      what the projector reads first
LOGDIR/projector/initialised.tsv   embeddings before the first step
LOGDIR/projector/latest.tsv        embeddings of the last evaluation
LOGDIR/projector/metadata.tsv      clip, modality and label of each row
LOGDIR/projector/sprites.png       a frame for each row

Names stay as training goes on: TensorBoard reads the configuration once, and embeddings when they
are chosen after others.
"""

import functools
import math
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from tensorboard.plugins import projector

from actcl_tf import config
from actcl_tf.data.input import pipeline
from actcl_tf.evaluate.features import features
from actcl_tf.storage import files

# Each clip gives two points, so that a sprite image of 64 pixels a side has 2,048.
MAX_CLIPS = 512
SPRITE_SIZE = 64
_FOLDER = "projector"
_NAMES = ("latest", "initialised")
# TensorBoard begins with the first in alphabetical order.
_TITLES = {
    "latest": "held-out clips at the last evaluation",
    "initialised": "held-out clips before training",
}


class Projector:
    """Writes the files of the projector after each evaluation, from what that has encoded."""

    def __init__(
        self,
        logdir: pathlib.Path,
        make_frames: Callable[[np.ndarray], tf.data.Dataset],
        classes: Sequence[str] = (),
    ):
        """Takes where to write; nothing is read or written yet.

        Args:
          logdir: folder of TensorBoard's files.
          make_frames: clip ids [n] int64 -> data set of these clips, in their order, with
            `video` [B, W, T, H, W, 3] uint8.
          classes: class names in the order of the labels' indices.
        """
        self._logdir = pathlib.Path(logdir)
        self._make_frames = make_frames
        self._classes = tuple(classes)
        self._encoded: features.Features | None = None
        self._has_sprites = False

    def observe(self, encoded: features.Features) -> None:
        """Keeps some of the held-out clips of an evaluation, spread over all of them."""
        num = len(encoded.clip_ids)
        chosen = np.unique(np.linspace(0, num - 1, min(num, MAX_CLIPS)).round().astype(int))
        names = [encoded.filenames[index] for index in chosen]
        rows = {key: value[chosen] for key, value in encoded._asdict().items() if key in _KEPT}
        self._encoded = encoded._replace(**rows, filenames=names)

    def write(self, step: int) -> None:
        """Writes what was observed last.

        Args:
          step: of the evaluation; what is written at step 0 stays as `initialised`.

        Raises:
          files.DataError: a file cannot be written.
        """
        if self._encoded is None:
            return
        folder = self._logdir / _FOLDER
        files.make_folder(folder)
        text = tensor_text(points(self._encoded))
        for name in _NAMES if step == 0 else _NAMES[:1]:
            files.write_atomically(folder / f"{name}.tsv", text)
        if not self._has_sprites:  # The clips are always the same.
            files.write_atomically(
                folder / "metadata.tsv", metadata_text(self._encoded, self._classes)
            )
            frames = [
                batch["video"][:, batch["video"].shape[1] // 2, batch["video"].shape[2] // 2]
                for batch in self._make_frames(self._encoded.clip_ids)
            ]
            temporary = files.temporary_name(folder / "sprites.png")
            with files.naming(folder / "sprites.png", "written"):
                tf.io.write_file(temporary, tf.io.encode_png(sprites(tf.concat(frames, 0))))
                files.move(temporary, folder / "sprites.png")
            self._has_sprites = True
        there = [name for name in _NAMES if (folder / f"{name}.tsv").exists()]
        files.write_atomically(self._logdir / "projector_config.pbtxt", config_text(there))


_KEPT = ("video_embedding", "audio_embedding", "labels", "clip_ids")


def build_projector(
    run: config.PretrainConfig, logdir: pathlib.Path, classes: Sequence[str]
) -> Projector:
    """The projector of a run's held-out split.

    Args:
      run: the configuration; has an evaluation split.
      logdir: folder of TensorBoard's files.
      classes: class names in the order of the labels' indices.
    """
    make_frames = functools.partial(
        pipeline.build_eval_dataset,
        run.data,
        split=run.data.eval_split,
        batch_size=32,
        num_windows=1,
    )
    return Projector(logdir, lambda clip_ids: make_frames(clip_ids=clip_ids), classes)


def points(encoded: features.Features) -> np.ndarray:
    """[2n, D] float32 unit vectors: of all videos, then of all audio, in one space.

    Args:
      encoded: n clips; the embeddings of a clip's windows are averaged.
    """
    both = np.concatenate([encoded.video_embedding, encoded.audio_embedding]).mean(axis=1)
    return both / np.maximum(np.linalg.norm(both, axis=1, keepdims=True), 1e-12)


def tensor_text(rows: np.ndarray) -> str:
    """Numbers [n, D] as tab-separated lines."""
    return "".join("\t".join(f"{value:.6g}" for value in row) + "\n" for row in rows)


def metadata_text(encoded: features.Features, classes: Sequence[str]) -> str:
    """A heading and a line for each row of `points`: clip, modality, and label if any clip has one.

    Args:
      encoded: n clips.
      classes: class names; indices stand for themselves where there is none.
    """
    known = dict(enumerate(classes))
    labels = [
        "" if label < 0 else known.get(label, str(label)) for label in encoded.labels.tolist()
    ]
    columns = ("clip", "modality", "label") if any(labels) else ("clip", "modality")
    lines = [columns]
    for modality in ("video", "audio"):
        for name, label in zip(encoded.filenames, labels, strict=True):
            lines.append((name, modality, label or "none")[: len(columns)])
    return "".join("\t".join(map(_one_cell, line)) + "\n" for line in lines)


def _one_cell(text: str) -> str:
    """Text that a reader of tab-separated UTF-8 takes for one cell."""
    readable = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return " ".join(readable.split())


def sprites(frames: tf.Tensor) -> tf.Tensor:
    """The sprite image: one frame for each row of `points`, row by row.

    Args:
      frames: [n, H, W, 3] uint8.

    Returns:
      [S * rows, S * columns, 3] uint8, S = SPRITE_SIZE; a square number of places, at least 2n. The
      sprites of audio have a frame around them.
    """
    small = tf.image.resize(frames, [SPRITE_SIZE, SPRITE_SIZE], method="area")
    border = SPRITE_SIZE // 16
    inner = tf.ones([1, SPRITE_SIZE - 2 * border, SPRITE_SIZE - 2 * border, 1])
    inside = tf.pad(inner, [[0, 0], [border, border], [border, border], [0, 0]])
    framed = small * inside + tf.constant([255.0, 140.0, 0.0]) * (1.0 - inside)
    both = tf.concat([small, framed], axis=0)
    num = both.shape[0]
    columns = math.ceil(math.sqrt(num))
    filled = tf.pad(both, [[0, columns * columns - num], [0, 0], [0, 0], [0, 0]])
    grid = tf.reshape(filled, [columns, columns, SPRITE_SIZE, SPRITE_SIZE, 3])
    grid = tf.transpose(grid, [0, 2, 1, 3, 4])
    size = columns * SPRITE_SIZE
    return tf.cast(tf.round(tf.reshape(grid, [size, size, 3])), tf.uint8)


def config_text(names: Sequence[str]) -> str:
    """The projector's configuration, which lists the embeddings of these names."""
    found = projector.ProjectorConfig()
    for name in names:
        embedding = found.embeddings.add()
        embedding.tensor_name = _TITLES[name]
        embedding.tensor_path = f"{_FOLDER}/{name}.tsv"
        embedding.metadata_path = f"{_FOLDER}/metadata.tsv"
        embedding.sprite.image_path = f"{_FOLDER}/sprites.png"
        embedding.sprite.single_image_dim.extend([SPRITE_SIZE, SPRITE_SIZE])
    return str(found)
