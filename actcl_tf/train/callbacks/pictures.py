"""What TensorBoard shows besides scalars: clips as the encoders get them, and similarities."""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from actcl_tf.train.callbacks import step_callback


class Pictures(step_callback.StepCallback):
    """Every few hundred steps: frames over their spectrogram, and similarity histograms."""

    def __init__(
        self,
        writer: tf.summary.SummaryWriter,
        every: int,
        make_sample: Callable[[], dict[str, tf.Tensor]],
    ):
        """Notes what to draw, and when.

        Args:
          writer: TensorBoard writer.
          every: steps between pictures.
          make_sample: gives one batch of the training pipeline to look at; called once, when the
            first pictures are drawn.
        """
        super().__init__()
        self._writer = writer
        self._every = every
        self._is_beginning = False
        self._make_sample = make_sample

    @functools.cached_property
    def _sample(self) -> dict[str, tf.Tensor]:
        return self.model.augment(self._make_sample())

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Notes whether this is the beginning of the run, which is drawn as well."""
        super().on_train_begin(logs)
        self._is_beginning = self.step == 0

    def on_step(self, logs: dict | None) -> None:
        """Draws if its turn has come."""
        if self.step % self._every and not self._is_beginning:
            return
        self._is_beginning = False
        with self._writer.as_default(step=self.step):
            tf.summary.image("clip/frames_over_spectrogram", self._strips(), max_outputs=4)
            for name, cosines in self._similarities().items():
                tf.summary.histogram(f"similarity/{name}", cosines)

    def _strips(self) -> tf.Tensor:
        frames = self._sample["video"][:4]
        seeds = self._sample["seed"][:4]
        frontend = self.model.query_towers["audio"].frontend
        spectrogram = frontend(self._sample["audio"][:4], seeds=seeds, training=True)
        return frames_over_spectrogram(frames, tf.cast(spectrogram, tf.float32))

    def _similarities(self) -> dict[str, tf.Tensor]:
        queries = self.model(self._sample, training=False)
        video, audio = queries["video"], queries["audio"]
        ids = self._sample["clip_id"]
        cosines = tf.matmul(video, audio, transpose_b=True)
        own = ids[:, tf.newaxis] == ids[tf.newaxis, :]
        result = {
            "pairs": tf.linalg.diag_part(cosines),
            "not_pairs": tf.boolean_mask(cosines, tf.logical_not(own)),
        }
        for modality, target in self.model.dictionaries.items():
            other = video if modality == "audio" else audio
            keys = tf.boolean_mask(target.queue.columns["keys"], target.queue.ids >= 0)
            result[f"{modality}_dictionary"] = tf.matmul(other, keys, transpose_b=True)
        return result


def frames_over_spectrogram(frames: tf.Tensor, spectrogram: tf.Tensor) -> tf.Tensor:
    """Pictures of clips: a row of frames with the spectrogram of the same span below.

    Args:
      frames: [B, T, H, W, 3] uint8.
      spectrogram: [B, F, R] float32, in any range; each picture is scaled to its own.

    Returns:
      [B, 2 H, 8 W, 3] uint8 (fewer columns where T < 8); low frequencies are at the bottom.
    """
    num_frames, height, width = frames.shape[1:4]
    shown = np.unique(np.linspace(0, num_frames - 1, 8).round().astype(int))
    strip = tf.concat([frames[:, index] for index in shown], axis=2)
    low = tf.reduce_min(spectrogram, axis=[1, 2], keepdims=True)
    high = tf.reduce_max(spectrogram, axis=[1, 2], keepdims=True)
    levels = tf.math.divide_no_nan(spectrogram - low, high - low) * 255.0
    picture = tf.reverse(tf.transpose(levels, [0, 2, 1]), axis=[1])[..., tf.newaxis]
    picture = tf.image.resize(picture, [height, width * len(shown)])
    picture = tf.cast(tf.image.grayscale_to_rgb(picture), tf.uint8)
    return tf.concat([strip, picture], axis=1)
