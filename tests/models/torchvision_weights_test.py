"""Names, shapes and layouts of torchvision's video networks, described anew and computed in NumPy.

tests/tools/torchvision_test.py compares with torchvision itself.
"""

import numpy as np
import pytest
import tensorflow as tf
from numpy.lib.stride_tricks import sliding_window_view

from actcl_tf import config
from actcl_tf.models import torchvision_weights, video_encoders, weights_file
from tests.published_weights import NARROW, describe, draw, write_safetensors

NAMES = tuple(config.PUBLISHED_VIDEO_ENCODERS)
# Learnt numbers of the published networks, the classifier of 400 classes among them.
PUBLISHED_SIZES = {"resnet3d_18": 33_371_472, "r2plus1d_18": 31_505_325, "mc3_18": 11_695_440}


def build(name, width=0.125):
    backbone = video_encoders.build_video_encoder(name, width)
    backbone(tf.keras.Input([4, 32, 32, 3]))
    return backbone


@pytest.mark.parametrize("name", NAMES)
def test_names_shapes_and_sizes_are_the_published_ones(name):
    expected = describe(name)
    learnt = [shape for key, shape in expected.items() if "running" not in key and shape]
    assert sum(int(np.prod(shape)) for shape in learnt) == PUBLISHED_SIZES[name]
    left_out = torchvision_weights.CLASSIFIER
    wanted = [key for key in expected if key not in left_out and "num_batches" not in key]
    backbone = build(name, width=1.0)
    named = torchvision_weights.variables_by_name(backbone)
    assert list(named) == wanted
    assert {id(v) for v in named.values()} == {id(v) for v in backbone.weights}
    for key, variable in named.items():
        shape = list(variable.shape)
        assert (shape if len(shape) == 1 else [*shape[:2:-1], *shape[:3]]) == expected[key], key


# A forward pass in PyTorch's layout, [B, C, T, H, W], from PyTorch's names.


def _convolve(inputs, kernel, strides):
    margins = [((size - 1) // 2,) * 2 for size in kernel.shape[2:]]
    padded = np.pad(inputs, [(0, 0), (0, 0), *margins])
    windows = sliding_window_view(padded, kernel.shape[2:], axis=(2, 3, 4))
    windows = windows[:, :, :: strides[0], :: strides[1], :: strides[2]]
    return np.einsum("bcthwxyz,ocxyz->bothw", windows, kernel, optimize=True)


def _normalise(inputs, state, name):
    def part(key):
        return state[f"{name}.{key}"].astype(np.float64).reshape(1, -1, 1, 1, 1)

    scaled = (inputs - part("running_mean")) / np.sqrt(part("running_var") + 1e-5)
    return scaled * part("weight") + part("bias")


def _relu(inputs):
    return np.maximum(inputs, 0)


def forward_stem(state, inputs):
    outputs = _convolve(inputs, state["stem.0.weight"], [1, 2, 2])
    outputs = _relu(_normalise(outputs, state, "stem.1"))
    if "stem.3.weight" in state:
        outputs = _convolve(outputs, state["stem.3.weight"], [1, 1, 1])
        outputs = _relu(_normalise(outputs, state, "stem.4"))
    return outputs


def forward_block(state, inputs, name, strides):
    outputs = inputs
    for conv, steps in (("conv1", strides), ("conv2", [1, 1, 1])):
        there = f"{name}.{conv}"
        if f"{there}.0.0.weight" in state:  # First over space, then over time.
            outputs = _convolve(outputs, state[f"{there}.0.0.weight"], [1, *steps[1:]])
            outputs = _relu(_normalise(outputs, state, f"{there}.0.1"))
            outputs = _convolve(outputs, state[f"{there}.0.3.weight"], [steps[0], 1, 1])
        else:
            outputs = _convolve(outputs, state[f"{there}.0.weight"], steps)
        outputs = _normalise(outputs, state, f"{there}.1")
        if conv == "conv1":
            outputs = _relu(outputs)
    if f"{name}.downsample.0.weight" in state:
        inputs = _convolve(inputs, state[f"{name}.downsample.0.weight"], strides)
        inputs = _normalise(inputs, state, f"{name}.downsample.1")
    return _relu(outputs + inputs)


@pytest.mark.parametrize("name", NAMES)
def test_every_block_equals_a_numpy_forward_pass(name, rng):
    state = draw(describe(name, **NARROW))
    backbone = build(name)
    converted = torchvision_weights.convert(state, backbone)
    backbone.set_weights(converted.weights)

    def check(ours, theirs):
        # Large enough to tell one wrong channel, stride or padding from rounding.
        assert np.abs(theirs).mean() > 0.1
        np.testing.assert_allclose(ours, theirs.transpose(0, 2, 3, 4, 1), rtol=1e-4, atol=1e-4)

    clips = rng.normal(size=(2, 5, 18, 14, 3)).astype(np.float32)
    theirs = forward_stem(state, clips.transpose(0, 4, 1, 2, 3).astype(np.float64))
    ours = backbone.stem(clips, training=False)
    check(ours, theirs)
    for stage in range(4):
        for block in range(2):
            strides = [1, 1, 1]
            if stage > 0 and block == 0:
                strides = [1, 2, 2] if name == "mc3_18" else [2, 2, 2]
            theirs = forward_block(state, theirs, f"layer{stage + 1}.{block}", strides)
            ours = backbone.stages[stage].chain[block](ours, training=False)
            check(ours, theirs)
    features = backbone(clips, training=False)
    np.testing.assert_allclose(features, theirs.mean((2, 3, 4)), rtol=1e-4, atol=1e-4)


def test_what_is_ignored_is_said():
    state = draw(describe("mc3_18", **NARROW))
    converted = torchvision_weights.convert(state, build("mc3_18"))
    assert converted.ignored[:2] == ["fc.bias", "fc.weight"]
    assert set(converted.ignored) == {key for key in state if "num_b" in key or key[:3] == "fc."}
    size = sum(value.size for key, value in state.items() if key not in converted.ignored)
    assert str(converted) == (
        f"100 tensors, {size:,} numbers; ignored: fc.bias, fc.weight, 20 num_batches_tracked"
    )
    bare = {key: value for key, value in state.items() if key not in converted.ignored}
    assert str(torchvision_weights.convert(bare, build("mc3_18"))).endswith("ignored: nothing")


CONV = "layer2.0.conv1.0.weight"


def _without(state, *names):
    return {key: value for key, value in state.items() if key not in names}


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda s: _without(s, CONV), f"{CONV} must have shape [16, 8, 3, 3, 3] and is not there"),
        (
            lambda s: {**s, CONV: s[CONV].transpose(2, 3, 4, 1, 0)},
            f"{CONV} must have shape [16, 8, 3, 3, 3], got [3, 3, 3, 8, 16]",
        ),
        (
            lambda s: {**s, "stem.1.bias": np.zeros([1, 8])},
            "stem.1.bias must have shape [8], got [1, 8]",
        ),
        (
            lambda s: {**s, "stem.1.bias": np.full(8, np.nan)},
            "stem.1.bias has values that are not finite",
        ),
        (
            lambda s: {f"module.{key}": value for key, value in s.items()},
            "stem.0.weight must have shape [8, 3, 3, 7, 7] and is not there",
        ),
        (
            lambda s: {**s, "head.weight": np.zeros([400, 64])},
            "head.weight of shape [400, 64] is there and the encoder has no such part",
        ),
        (
            lambda s: {**s, "layer9.num_batches_tracked": np.array(0)},
            "layer9.num_batches_tracked of shape [] is there",
        ),
        (lambda s: {}, "and is not there; and 97 more"),
        (
            lambda s: draw(describe("resnet3d_18", (16, 32, 64, 128))),
            "stem.0.weight must have shape [8, 3, 3, 7, 7], got [16, 3, 3, 7, 7]",
        ),
        (
            lambda s: draw(describe("resnet3d_18", **NARROW, blocks=3)),
            "layer1.2.conv1.0.weight of shape [8, 8, 3, 3, 3] is there and the encoder has no",
        ),
        (
            lambda s: draw(describe("resnet3d_18", **NARROW, blocks=1)),
            "layer1.1.conv1.0.weight must have shape [8, 8, 3, 3, 3] and is not there",
        ),
        (
            lambda s: draw(describe("mc3_18", **NARROW)),
            f"{CONV} must have shape [16, 8, 3, 3, 3], got [16, 8, 1, 3, 3]",
        ),
        (
            lambda s: draw(describe("r2plus1d_18", **NARROW)),
            "stem.0.weight must have shape [8, 3, 3, 7, 7], got [8, 3, 1, 7, 7]",
        ),
    ],
)
def test_what_does_not_fit_is_named_with_both_shapes(change, message):
    state = change(draw(describe("resnet3d_18", **NARROW)))
    with pytest.raises(ValueError) as caught:
        torchvision_weights.convert(state, build("resnet3d_18"))
    assert message in str(caught.value)


def test_no_variable_changes_before_all_fit():
    backbone = build("resnet3d_18")
    before = backbone.get_weights()
    state = draw(describe("resnet3d_18", **NARROW))
    with pytest.raises(ValueError):
        torchvision_weights.convert(_without(state, CONV), backbone)
    torchvision_weights.convert(state, backbone)
    for old, new in zip(before, backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_network_of_other_blocks_has_no_names():
    with pytest.raises(TypeError, match=r"layer1\.0 is a Bottleneck"):
        torchvision_weights.variables_by_name(build("resnet3d_50"))


def test_a_file_of_another_network_is_named(tmp_path):
    path = str(tmp_path / "small.safetensors")
    write_safetensors(path, draw(describe("mc3_18", **NARROW)))
    with pytest.raises(weights_file.WeightsError) as caught:
        torchvision_weights.read(path, "mc3_18")
    expected = f"--init_from={path}: does not fit --video_encoder=mc3_18, which takes torchvision's"
    assert expected in str(caught.value)
    assert "must have shape [64, 3, 3, 7, 7], got [8, 3, 3, 7, 7]" in str(caught.value)
