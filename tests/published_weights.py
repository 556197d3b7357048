"""The video networks of torchvision, described by hand, and files with weights of theirs."""

import json

import numpy as np

FULL = {"channels": (64, 128, 256, 512), "stem": 45}
NARROW = {"channels": (8, 16, 32, 64), "stem": 8}  # --video_width=0.125
# Inner channels of the (2+1)-D convolutions of each stage's two blocks, as published.
INNER = ((144, 144), (230, 288), (460, 576), (921, 1152))


def _norm(name, channels):
    shapes = {f"{name}.{part}": [channels] for part in ("weight", "bias")}
    shapes.update({f"{name}.{part}": [channels] for part in ("running_mean", "running_var")})
    return {**shapes, f"{name}.num_batches_tracked": []}


def _inner(wide, channels_in, channels, stage, block):
    if wide:
        return INNER[stage][block]
    return channels_in * channels * 27 // (channels_in * 9 + 3 * channels)


def describe(name, channels=FULL["channels"], stem=FULL["stem"], blocks=2):
    """torchvision's name -> shape, in the order of its state dict, for one of NAMES."""
    factored, first = name == "r2plus1d_18", channels[0]
    if factored:
        shapes = {"stem.0.weight": [stem, 3, 1, 7, 7], **_norm("stem.1", stem)}
        shapes.update({"stem.3.weight": [first, stem, 3, 1, 1], **_norm("stem.4", first)})
    else:
        shapes = {"stem.0.weight": [first, 3, 3, 7, 7], **_norm("stem.1", first)}
    before = first
    for stage, wide in enumerate(channels):
        depth = 1 if name == "mc3_18" and stage > 0 else 3
        for block in range(blocks):
            inner = _inner(channels == FULL["channels"], before, wide, stage, min(block, 1))
            for conv, inputs in (("conv1", before), ("conv2", wide)):
                there = f"layer{stage + 1}.{block}.{conv}"
                if factored:
                    shapes[f"{there}.0.0.weight"] = [inner, inputs, 1, 3, 3]
                    shapes.update(_norm(f"{there}.0.1", inner))
                    shapes[f"{there}.0.3.weight"] = [wide, inner, 3, 1, 1]
                else:
                    shapes[f"{there}.0.weight"] = [wide, inputs, depth, 3, 3]
                shapes.update(_norm(f"{there}.1", wide))
            if stage > 0 and block == 0:
                there = f"layer{stage + 1}.0.downsample"
                shapes[f"{there}.0.weight"] = [wide, before, 1, 1, 1]
                shapes.update(_norm(f"{there}.1", wide))
            before = wide
    return {**shapes, "fc.weight": [400, channels[-1]], "fc.bias": [400]}


def draw(shapes, seed=0):
    """Random values for a description: statistics and gammas are not 0 and 1."""
    rng, state = np.random.default_rng(seed), {}
    for name, shape in shapes.items():
        if name.endswith("num_batches_tracked"):
            state[name] = np.array(7, np.int64)
        elif name.endswith("running_var") or (name.endswith(".weight") and len(shape) == 1):
            state[name] = rng.uniform(0.5, 1.5, shape).astype(np.float32)
        else:
            size = np.sqrt(2 / np.prod(shape[1:])) if len(shape) > 1 else 0.3
            state[name] = rng.normal(0, size, shape).astype(np.float32)
    return state


def write_safetensors(path, state):
    """Writes a state dict in the safetensors format."""
    kinds = {"float64": "F64", "float32": "F32", "float16": "F16", "int64": "I64"}
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, value in state.items():
        offsets = [end, end + value.nbytes]
        header[name] = {"dtype": kinds[value.dtype.name], "shape": value.shape}
        header[name]["data_offsets"], end = offsets, offsets[1]
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.writelines(value.tobytes() for value in state.values())
