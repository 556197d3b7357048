"""torchvision itself: its networks, its files and ours, in an environment that has both.

The environment is made anew: PyTorch is not among what this project installs.
"""

import json
import os
import pathlib
import shutil
import subprocess

import numpy as np
import pytest

from tests import torch_environment
from tests.tools.train_test import TINY

ROOT = pathlib.Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow

# Our name -> torchvision's.
NETWORKS = {"resnet3d_18": "r3d_18", "r2plus1d_18": "r2plus1d_18", "mc3_18": "mc3_18"}

# Writes files of every kind, and features by torchvision of the clips in a file.
MAKE = """
import os, pathlib, sys
import numpy as np
import torch
from torchvision.models import video

folder, touched = pathlib.Path(sys.argv[1]), sys.argv[2]
clips = {name: torch.from_numpy(clip) for name, clip in np.load(folder / "clips.npz").items()}
torch.manual_seed(0)
found = {}
for name in ("r3d_18", "r2plus1d_18", "mc3_18"):
    network = getattr(video, name)(weights=None).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.3)
            torch.nn.init.normal_(module.running_mean, 0, 0.3)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    state = network.state_dict()
    torch.save(state, folder / f"{name}.pth")
    torch.save(state, folder / f"{name}_2019.pth", _use_new_zipfile_serialization=False)
    network.fc = torch.nn.Identity()
    with torch.no_grad():
        found.update({f"{name}/{key}": network(clip).numpy() for key, clip in clips.items()})
np.savez(folder / "features.npz", **found)

class Evil:
    def __reduce__(self):
        return os.mkdir, (touched,)

for suffix, zipped in (("", True), ("_2019", False)):
    def save(name, what):
        torch.save(what, folder / (name + suffix), _use_new_zipfile_serialization=zipped)
    save("evil", {**state, "stem.0.weight": Evil()})
    save("module", network)
    save("list", [1, 2])
    save("empty", {})
    save("larger", {"model": state, "epoch": 3})
    save("half", {key: value.bfloat16() for key, value in state.items()})
    save("whole", state)
    content = (folder / ("whole" + suffix)).read_bytes()
    (folder / ("cut" + suffix)).write_bytes(content[: len(content) // 2])
(folder / "text").write_text("Not a checkpoint at all.")
(folder / "nothing").write_bytes(b"")
"""

# Our features of the same clips, and what is said of files that do not fit.
READ = """
import json, pathlib, sys
import numpy as np
from actcl_tf.models import torchvision_weights, video_encoders, weights_file

folder, networks = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])
clips, found = np.load(folder / "clips.npz"), {}
for ours, theirs in networks.items():
    for file in (f"{theirs}.pth", f"{theirs}_2019.pth"):
        backbone = video_encoders.build_video_encoder(ours, 1.0)
        for key in clips:
            inputs = clips[key].transpose(0, 2, 3, 4, 1)
            backbone(inputs)
            backbone.set_weights(torchvision_weights.read(str(folder / file), ours).weights)
            found[f"{file}/{key}"] = backbone(inputs, training=False).numpy()
np.savez(folder / "ours.npz", **found)
half = torchvision_weights.read(str(folder / "half"), "mc3_18")
said = {"half": str(half)}
for file in sys.argv[3:]:
    try:
        torchvision_weights.read(str(folder / file), "mc3_18")
    except weights_file.WeightsError as error:
        said[file] = str(error)
print(json.dumps(said))
"""

_PICKLE = "holds something else than tensors, or is no file of PyTorch's; nothing in it was run"
REFUSED = {
    "evil": _PICKLE,
    "evil_2019": _PICKLE,
    "module": _PICKLE,
    "module_2019": _PICKLE,
    "list": "must hold a state dict (names and tensors), got list",
    "list_2019": "must hold a state dict (names and tensors), got list",
    "empty": "got an empty one",
    "larger": "got 'model' of type",
    "larger_2019": "got 'model' of type",
    "cut": "is damaged or no file of PyTorch's",
    "cut_2019": "is damaged or no file of PyTorch's",
    "text": "no file of PyTorch's",
    "nothing": "no file of PyTorch's",
    "r3d_18.pth": "layer2.0.conv1.0.weight must have shape [128, 64, 1, 3, 3], got [128, 64, 3, 3",
    "r2plus1d_18_2019.pth": "stem.0.weight must have shape [64, 3, 3, 7, 7], got [45, 3, 1, 7, 7]",
}


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """An environment with PyTorch, torchvision, and all that this one has; some gigabytes."""
    folder = tmp_path_factory.mktemp("torch") / "env"
    yield torch_environment.make(folder, "torch>=2.6", "torchvision")
    shutil.rmtree(folder)


def _run(*command, check=True):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        list(map(str, command)), env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 or not check, done.stderr
    return done


@pytest.fixture(scope="module")
def files(python, tmp_path_factory):
    """A folder of torchvision's files and features, beside those that we make of them."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    clips = {"even": [2, 3, 8, 32, 32], "odd": [1, 3, 5, 37, 50], "one": [1, 3, 1, 16, 16]}
    clips = {name: rng.normal(size=shape).astype(np.float32) for name, shape in clips.items()}
    np.savez(folder / "clips.npz", **clips)
    _run(python, "-c", MAKE, folder, folder / "touched")
    done = _run(python, "-c", READ, folder, json.dumps(NETWORKS), *REFUSED)
    return folder, json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("clip", ["even", "odd", "one"])
@pytest.mark.parametrize("suffix", ["", "_2019"])
@pytest.mark.parametrize("name", NETWORKS.values())
def test_features_are_those_of_torchvision(files, name, suffix, clip):
    expected = np.load(files[0] / "features.npz")[f"{name}/{clip}"]
    found = np.load(files[0] / "ours.npz")[f"{name}{suffix}.pth/{clip}"]
    assert expected.shape[1] == 512
    assert expected.std() > 0.1
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_half_precision_is_read(files):
    assert files[1]["half"].startswith("100 tensors, ")
    assert files[1]["half"].endswith("ignored: fc.bias, fc.weight, 20 num_batches_tracked")


@pytest.mark.parametrize("name", REFUSED)
def test_other_files_are_refused_by_name(files, name):
    folder, said = files
    assert said[name].startswith(f"--init_from={folder / name}: ")
    assert REFUSED[name] in said[name]


def test_nothing_in_a_file_is_run(python, files):
    folder = files[0]
    assert not (folder / "touched").exists()
    # The file is what it is taken for: read as any pickle, it does what it is made for.
    for file in ("evil", "evil_2019"):
        _run(python, "-c", f"import torch; torch.load({str(folder / file)!r}, weights_only=False)")
        assert (folder / "touched").is_dir()
        (folder / "touched").rmdir()


def test_training_starts_from_a_published_file(python, files, tiny_data, tmp_path):
    tool = [python, ROOT / "tools" / "train.py", *TINY, f"--data_dir={tiny_data}"]
    tool += ["--video_encoder=mc3_18", "--video_width=1", f"--run_dir={tmp_path}/run", "--steps=1"]
    refused = _run(*tool, f"--init_from={files[0]}/evil_2019", check=False)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert refused.stderr.startswith(f"error: --init_from={files[0]}/evil_2019: holds something")
    assert not (files[0] / "touched").exists()
    assert not (tmp_path / "run").exists()
    done = _run(*tool, f"--init_from={files[0]}/mc3_18_2019.pth")
    assert f"The video encoder starts from {files[0]}/mc3_18_2019.pth: 100 ten" in done.stdout
    assert "11,499,840 numbers; ignored: " in done.stdout
    assert "initialised" in done.stdout
