"""Small encoders, with weights as after training, and an export of them."""

import numpy as np
import tensorflow as tf

from actcl_tf import config
from actcl_tf.export import description, saved_models
from actcl_tf.models import two_tower
from actcl_tf.train.runs import loading, run_folder

IMAGE_SIZE, NUM_FRAMES = 32, 8
SAMPLE_RATE, NUM_SAMPLES = 16000, 8000
REGION = (0.0, 0.1, 1.0, 0.9)


def small_run(seed=3, region=REGION, depth=6):
    """A LoadedRun of small towers whose normalisations have statistics other than 0 and 1."""
    tf.keras.utils.set_random_seed(seed)
    values = {
        "video_encoder": f"resnet3d_{depth}",
        "video_width": 0.125,
        "audio_encoder": f"resnet2d_{depth}",
        "audio_width": 0.125,
        "mel_bands": 32,
        "hidden_size": 24,
        "embedding_size": 16,
        "num_frames": NUM_FRAMES,
        "frame_stride": 2,
        "image_size": IMAGE_SIZE,
        "region": ",".join(map(str, region)),
    }
    run = config.from_flat(values)
    facts = run_folder.DataFacts(25.0, SAMPLE_RATE, NUM_SAMPLES, 100, "d1g35t", ("cat", "dog"))
    towers = two_tower.build_towers(
        run.model, run.data, sample_rate=SAMPLE_RATE, num_audio_samples=NUM_SAMPLES
    )
    rng = np.random.default_rng(seed)
    for tower in towers:
        for weight in tower.weights:
            if "moving_mean" in weight.name:
                weight.assign(rng.uniform(-0.2, 0.2, weight.shape))
            if "moving_variance" in weight.name:
                weight.assign(rng.uniform(0.2, 2.0, weight.shape))
    return loading.LoadedRun(*towers, run, 7, facts)


def save(run, folder, version=1, run_dir="none"):
    """Exports a run; returns the folder."""
    metadata = description.describe(run, str(run_dir), "latest", "float32")
    spec = description.spec_of(run)
    saved_models.save(run.video_tower, run.audio_tower, spec, metadata, str(folder), version)
    return folder


def pixels(rng, *shape):
    """Frames of clips of different brightness and colour, with noise: [*shape, 3] uint8."""
    colours = rng.uniform(0, 200, [shape[0], *[1] * (len(shape) - 1), 3])
    return (colours + rng.integers(0, 56, [*shape, 3])).astype(np.uint8)


def tones(num, length):
    """Waveforms of different pitch: [num, length] float32."""
    pitches = np.linspace(0.03, 0.9, num)
    return (0.5 * np.sin(np.outer(pitches, np.arange(length)))).astype(np.float32)
