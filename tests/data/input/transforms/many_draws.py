"""What transforms make of smooth frames, and for many seeds."""

import numpy as np
import tensorflow as tf
from scipy import ndimage


def seeds(count):
    """[count, 2] int32, different stateless seeds."""
    return tf.stack([tf.range(count), tf.fill([count], 5)], 1)


def over_seeds(function, count, dtype=tf.uint8):
    """What a function of a seed gives for many of them, [count, ...]."""
    mapped = tf.function(lambda seeds: tf.map_fn(function, seeds, fn_output_signature=dtype))
    return mapped(seeds(count)).numpy()


def smooth(rng, frames, height, width):
    """Frames without hard edges, [T, H, W, 3] uint8."""
    coarse = rng.uniform(0, 255, (frames, height // 8 + 2, width // 8 + 2, 3))
    fine = ndimage.zoom(coarse, (1, 8, 8, 1), order=1)[:, :height, :width]
    return np.clip(np.round(fine), 0, 255).astype(np.uint8)
