import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.models import audio_encoders
from tests import rounding


def _trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)


# Torchvision's published parameters, for 3 input channels and 1000 classes.
@pytest.mark.parametrize(
    ("name", "published"),
    [("resnet2d_18", 11_689_512), ("resnet2d_34", 21_797_672), ("resnet2d_50", 25_557_032)],
)
def test_parameters_equal_torchvisions(name, published):
    model = audio_encoders.build_audio_encoder(name, 1.0)
    model(tf.keras.Input([128, 80]))
    missing_channels = 2 * 7 * 7 * 64
    assert _trainable(model) + missing_channels + model.num_features * 1000 + 1000 == published


def test_one_dimensional_network_has_a_third_of_the_block_weights():
    # Kernels of 3 instead of 3 x 3, and a stem of 7 over 80 bands instead of 7 x 7 over 1 channel.
    one, two = (audio_encoders.build_audio_encoder(f"resnet{n}d_18", 1.0) for n in (1, 2))
    for model in (one, two):
        model(tf.keras.Input([128, 80]))
    kernels = [
        [np.prod(w.shape) for w in model.trainable_variables if "/conv" in w.name]
        for model in (one, two)
    ]
    assert kernels[0][0] == 7 * 80 * 64
    ratios = {
        two_size / one_size
        for one_size, two_size in zip(kernels[0][1:], kernels[1][1:], strict=True)
    }
    assert ratios == {1.0, 3.0}  # 1 for the shortcuts.


@pytest.mark.parametrize(
    ("name", "last_map"),
    [
        ("resnet2d_6", (16, 10)),
        ("resnet2d_10", (4, 3)),
        ("resnet2d_18", (4, 3)),
        ("resnet2d_34", (4, 3)),
        ("resnet2d_50", (4, 3)),
        ("resnet1d_18", (4, 1)),
    ],
)
@pytest.mark.parametrize("frames", [127, 128])
def test_shapes(name, last_map, frames):
    model = audio_encoders.build_audio_encoder(name, 0.125)
    inputs = tf.keras.Input([frames, 80])
    outputs = model.stem(tf.expand_dims(inputs, 2 if name == "resnet1d_18" else 3))
    for stage in model.stages:
        outputs = stage(outputs)
    assert tuple(outputs.shape[1:]) == (*last_map, model.num_features)


@pytest.mark.parametrize("name", ["resnet2d_10", "resnet1d_18"])
def test_one_frame_is_enough(name, rng):
    model = audio_encoders.build_audio_encoder(name, 0.125)
    features = model(rng.normal(size=[2, 1, 8]).astype(np.float32), training=True)
    assert np.isfinite(features).all()


def test_bands_are_channels_of_the_one_dimensional_network(rng):
    # Its features do not change when the bands and the stem's input channels change places alike.
    model = audio_encoders.build_audio_encoder("resnet1d_18", 0.125)
    inputs = rng.normal(size=[2, 40, 12]).astype(np.float32)
    before = model(inputs).numpy()
    order = rng.permutation(12)
    kernel = model.stem.chain[0].kernel
    kernel.assign(kernel.numpy()[:, :, order])
    # 18 layers; the last ones add up 3 x 64 products.
    rounding.assert_close(model(inputs[:, :, order]), before, rounding.of_sums(3 * 64, 18))


def test_unknown_name():
    with pytest.raises(ValueError, match=r"must be one of resnet2d_6, .*, got 'resnet3d_18'"):
        audio_encoders.build_audio_encoder("resnet3d_18", 1.0)
