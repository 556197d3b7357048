import numpy as np
import pytest
import tensorflow as tf

from actcl_tf import config
from actcl_tf.models import video_encoders


def _trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)


@pytest.mark.parametrize(
    ("name", "published"),
    [("resnet3d_18", 33_371_472), ("r2plus1d_18", 31_505_325), ("mc3_18", 11_695_440)],
)
def test_parameters_equal_torchvisions(name, published):
    model = video_encoders.build_video_encoder(name, 1.0)
    model(tf.keras.Input([8, 32, 32, 3]))
    assert _trainable(model) + model.num_features * 400 + 400 == published


# (map of the last stage) for 9 frames of 65 x 50: 9 -> 5 -> 3 -> 2, 65 -> 33 -> 17 -> 9 -> 5 ...
@pytest.mark.parametrize(
    ("name", "last_map"),
    [
        ("resnet3d_6", (5, 17, 13)),
        ("resnet3d_10", (2, 5, 4)),
        ("resnet3d_18", (2, 5, 4)),
        ("resnet3d_34", (2, 5, 4)),
        ("resnet3d_50", (1, 3, 2)),
        ("r2plus1d_18", (2, 5, 4)),
        ("r2plus1d_34", (2, 5, 4)),
        ("mc3_18", (9, 5, 4)),
    ],
)
def test_shapes_at_odd_sizes(name, last_map):
    model = video_encoders.build_video_encoder(name, 0.125)
    outputs = model.stem(tf.keras.Input([9, 65, 50, 3]))
    for stage in model.stages:
        outputs = stage(outputs)
    channels = {"resnet3d_50": 256, "resnet3d_6": 16}.get(name, 64)
    assert tuple(outputs.shape[1:]) == (*last_map, channels)
    assert model.num_features == channels


# 9 -> 5 frames, which stay; 65 -> 17 -> 9 -> 5 -> 3 rows, 50 -> 13 -> 7 -> 4 -> 2 columns.
@pytest.mark.parametrize("name", ["resnet3d_10", "r2plus1d_18", "mc3_18"])
def test_early_strides_are_those_of_the_first_layer(name):
    model, published = (
        video_encoders.build_video_encoder(name, 0.125, *strides) for strides in (("early",), ())
    )
    outputs = model.stem(tf.keras.Input([9, 65, 50, 3]))
    assert tuple(outputs.shape[1:4]) == (5, 17, 13)
    for stage in model.stages:
        outputs = stage(outputs)
    assert tuple(outputs.shape[1:]) == (5, 3, 2, 64)
    published(tf.keras.Input([9, 65, 50, 3]))
    assert _trainable(model) == _trainable(published)  # Strides alone differ.


@pytest.mark.parametrize(("name", "strides"), [("resnet3d_50", "early"), ("resnet3d_10", "late")])
def test_strides_that_an_encoder_does_not_have(name, strides):
    with pytest.raises(ValueError, match=f"strides of {name} must be one of published"):
        video_encoders.build_video_encoder(name, 0.125, strides)


def test_every_encoder_of_the_configuration_can_be_built():
    for name in config.VIDEO_ENCODERS:
        assert video_encoders.build_video_encoder(name, 0.25).num_features > 0


@pytest.mark.parametrize("name", ["resnet3d_6", "r2plus1d_18", "mc3_18", "resnet3d_50"])
def test_small_and_single_frame_inputs(name, rng):
    model = video_encoders.build_video_encoder(name, 0.125)
    for shape in ([2, 1, 16, 16, 3], [2, 3, 17, 16, 3]):
        features = model(rng.normal(size=shape).astype(np.float32), training=True)
        assert features.shape == [2, model.num_features]
        assert np.isfinite(features).all()


# Torchvision's R(2+1)D-18: 144 between 64 and 64 channels, 230 between 64 and 128, and so on.
@pytest.mark.parametrize(
    ("channels_in", "channels_out", "middle"),
    [(64, 64, 144), (64, 128, 230), (128, 128, 288), (128, 256, 460), (512, 512, 1152), (8, 8, 18)],
)
def test_mid_channels(channels_in, channels_out, middle):
    assert video_encoders.mid_channels(channels_in, channels_out) == middle


def test_unknown_name():
    with pytest.raises(ValueError, match=r"must be one of resnet3d_6, .*, got 'resnet3d_99'"):
        video_encoders.build_video_encoder("resnet3d_99", 1.0)
