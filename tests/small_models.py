"""A PretrainModel of the smallest encoders that there can be, and batches for it.

Each has one dense layer before its normalisation, so that tests of what stands behind the encoders
spend their time on that.
"""

import numpy as np
import tensorflow as tf

from actcl_tf import config
from actcl_tf.models import heads, layers, two_tower
from actcl_tf.train.model import pretrain_model

SIZE, EMBEDDING_SIZE = 16, 8
# The smallest encoders that users can choose, as flags: for tests that need real ones.
ENCODERS = {
    "video_encoder": "resnet3d_6",
    "video_width": 0.0625,
    "audio_encoder": "resnet2d_6",
    "audio_width": 0.0625,
    "mel_bands": 16,
    "hidden_size": 8,
    "embedding_size": 4,
}
_INPUTS = {"video": ([2, 4, 4, 3], tf.uint8), "audio": ([40], tf.float32)}


class _Flatten(tf.keras.layers.Layer):
    def call(self, inputs, seeds=None, training=None):
        del seeds, training
        size = int(np.prod(inputs.shape[1:]))
        return tf.reshape(tf.cast(inputs, tf.float32), [-1, size]) / 64


def build(optimizer=None, **flags):
    """A compiled model, by the flags of training; the same weights each time."""
    run = config.from_flat({"batch_size": 12, "dictionary_size": 24, "pool_size": 60, **flags})
    tf.keras.utils.set_random_seed(1)
    tf.keras.mixed_precision.set_global_policy("float32")  # Whatever other tests have left.
    model = pretrain_model.PretrainModel(
        _towers(run),
        _towers(run),
        run.contrast,
        run.train,
    )
    optimizer = optimizer or tf.keras.optimizers.SGD(0.1)
    optimizer.build(model.query_variables)
    model.compile(optimizer)
    return model


def real_towers(num_audio_samples=1600, data=None, **changes):
    """Towers of real encoders, by modality: clips of 4 frames of 16 x 16 and sound at 8 kHz."""
    tf.keras.utils.set_random_seed(0)
    model = config.ModelConfig(**{**ENCODERS, **changes})
    data = data or config.DataConfig(num_frames=4, image_size=16)
    pair = two_tower.build_towers(
        model, data, sample_rate=8000, num_audio_samples=num_audio_samples
    )
    return dict(zip(("video", "audio"), pair, strict=True))


def _towers(run):
    towers = {}
    for modality, (shape, dtype) in _INPUTS.items():
        dense = tf.keras.layers.Dense(SIZE, name="dense")
        norm = tf.keras.layers.BatchNormalization(name="norm")
        backbone = tf.keras.Sequential([dense, norm, tf.keras.layers.ReLU()])
        head = heads.ProjectionHead("mlp", SIZE, EMBEDDING_SIZE)
        towers[modality] = two_tower.Tower(_Flatten(), backbone, head, name=modality)
        towers[modality](tf.keras.Input(shape, dtype=dtype))
        if run.train.sync_batch_norm:
            layers.synchronise_batch_norm(towers[modality])
    return towers


def batches(num_steps, size=12, views=1):
    """Batches of clips whose brightness and sound have a cause in common; label = clip id % 3."""
    rng = np.random.default_rng(5)
    for step in range(num_steps):
        ids = step * size + np.arange(size)
        common = rng.normal(size=[size, 1])
        batch = {
            "clip_id": tf.constant(ids, tf.int64),
            "label": tf.constant(ids % 3, tf.int64),
            "seed": tf.constant(rng.integers(0, 99, [size, 2]), tf.int32),
        }
        for prefix in ("", "key_")[:views]:
            noise = rng.normal(0, 20, [size, *_INPUTS["video"][0]])
            video = 100 + 30 * common[..., None, None, None] + noise
            audio = common + rng.normal(size=[size, *_INPUTS["audio"][0]])
            batch[f"{prefix}video"] = tf.constant(video.clip(0, 255), tf.uint8)
            batch[f"{prefix}audio"] = tf.constant(audio, tf.float32)
        yield batch
