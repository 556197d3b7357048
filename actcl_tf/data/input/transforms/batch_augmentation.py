"""Augmentation of whole batches, in the training step: what --augment_on=device leaves to be done.

The draws are those of `video_augmentation.augment` and `audio_ops.augment`, clip by clip; the work
on pixels is done on all clips at once. The same seeds give the same clips as on the host, up to the
rounding of the pixels that go in.
"""

from collections.abc import Callable

import tensorflow as tf

from actcl_tf.config import DataConfig
from actcl_tf.data.input.transforms import audio_ops, video_augmentation, video_ops

SEEDS = "augmentation_seeds"  # [B, 2, 2] int32: of the looks and of the audio of each clip.

Batch = dict[str, tf.Tensor]


def build_augmentation(config: DataConfig) -> Callable[[Batch], Batch]:
    """A function on batches of `pipeline.build_train_dataset`; without seeds it changes nothing.

    Args:
      config: data section of the configuration.

    Returns:
      Batch -> the same batch, augmented, without the seeds; of one or two views.
    """
    strengths = video_augmentation.build_strengths(config)

    def augment(batch: Batch) -> Batch:
        result = {key: value for key, value in batch.items() if not key.endswith(SEEDS)}
        for prefix in ("", "key_"):
            seeds = batch.get(prefix + SEEDS)
            if seeds is None:
                continue
            if prefix + "video" in batch:
                result[prefix + "video"] = augment_videos(
                    batch[prefix + "video"], seeds[:, 0], strengths
                )
            if prefix + "audio" in batch:
                result[prefix + "audio"] = augment_audio(
                    batch[prefix + "audio"],
                    seeds[:, 1],
                    gain_db=config.audio_gain_db,
                    noise=config.audio_noise,
                )
        return result

    return augment


def augment_videos(
    videos: tf.Tensor, seeds: tf.Tensor, strengths: video_augmentation.Strengths
) -> tf.Tensor:
    """`video_augmentation.augment` of several clips.

    Args:
      videos: [B, T, H, W, 3] uint8, square.
      seeds: [B, 2] int32, stateless seed of each clip.
      strengths: of what is done.

    Returns:
      [B, T, H, W, 3] uint8.
    """

    def draw(seed: tf.Tensor) -> tuple[video_augmentation.Looks, tf.Tensor]:
        looks = video_augmentation.draw_looks(seed, strengths)
        return looks, video_augmentation.color_matrix(looks.factors, looks.grey)

    flag, number = (tf.TensorSpec([], dtype) for dtype in (tf.bool, tf.float32))
    looks_spec = video_augmentation.Looks(flag, number, tf.TensorSpec([4]), flag, flag)
    looks, matrices = tf.map_fn(
        draw, seeds, fn_output_signature=(looks_spec, tf.TensorSpec([3, 3]))
    )
    pixels = tf.cast(videos, tf.float32)
    if strengths.blur_probability > 0:
        pixels = tf.where(_per_clip(looks.blurred), _blur(pixels, looks.sigma), pixels)
    if strengths.color_jitter > 0 or strengths.gray_probability > 0:
        offsets = video_augmentation.contrast_offset(
            looks.factors, tf.reduce_mean(pixels, [1, 2, 3])
        )
        shape = tf.shape(pixels)
        rows = tf.matmul(tf.reshape(pixels, [shape[0], -1, 3]), matrices)
        pixels = tf.reshape(rows, shape) + _per_clip(offsets)
    result = video_ops.to_uint8(pixels)
    if strengths.flip:
        result = tf.where(_per_clip(looks.flipped), tf.reverse(result, [3]), result)
    return tf.ensure_shape(result, videos.shape)


def augment_audio(
    waveforms: tf.Tensor, seeds: tf.Tensor, *, gain_db: float, noise: float
) -> tf.Tensor:
    """`audio_ops.augment` of several waveforms.

    Args:
      waveforms: [B, S] float32.
      seeds: [B, 2] int32, stateless seed of each.
      gain_db: see `audio_ops.augment`.
      noise: see `audio_ops.augment`.

    Returns:
      [B, S] float32.
    """
    return tf.map_fn(
        lambda pair: audio_ops.augment(*pair, gain_db=gain_db, noise=noise),
        (waveforms, seeds),
        fn_output_signature=tf.TensorSpec(waveforms.shape[1:]),
    )


def _per_clip(values: tf.Tensor) -> tf.Tensor:
    """[B] -> [B, 1, 1, 1, 1], to go with videos."""
    return values[:, None, None, None, None]


def _blur(videos: tf.Tensor, sigmas: tf.Tensor) -> tf.Tensor:
    """Blurs [B, T, size, size, 3] float32 clips, each by its own sigma."""
    size = videos.shape[2]
    kernels = video_augmentation.blur_kernel(size, sigmas * (size / video_augmentation.BLUR_SIDE))
    rows = tf.einsum("bij,btjwc->btiwc", kernels, videos)
    return tf.einsum("bij,bthjc->bthic", kernels, rows)
