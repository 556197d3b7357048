"""The examples in the docstrings of what `import actcl_tf` offers, run as they are printed."""

import doctest
import pathlib
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
from setuptools.config import pyprojecttoml

import actcl_tf
from actcl_tf.contrast import (
    dictionary,
    gradient_embeddings,
    kmeanspp,
    losses,
    memory_queue,
    momentum,
    negative_sampling,
)
from actcl_tf.data.records import manifest
from actcl_tf.pretrained import encoders, layout, loading
from tests import media_files


def test_the_version_is_written_once():
    root = pathlib.Path(__file__).resolve().parents[1]
    written = pyprojecttoml.read_configuration(root / "pyproject.toml", expand=False)
    assert "version" in written["project"]["dynamic"]
    assert written["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "actcl_tf.__version__"}
    module = re.search(r'module\((?:.|\n)*?version = "(.*?)"', (root / "MODULE.bazel").read_text())
    assert actcl_tf.__version__ == manifest.TOOL_VERSION == module[1]


def test_short_names_are_those_of_the_modules():
    public = [
        loading.load,
        encoders.VideoEncoder,
        encoders.AudioEncoder,
        layout.PretrainedError,
        negative_sampling.ActiveSampler,
        dictionary.Dictionary,
        dictionary.KeyBatch,
        memory_queue.MemoryQueue,
        gradient_embeddings.LastLayer,
        gradient_embeddings.GradientFactors,
        gradient_embeddings.gradient_factors,
        kmeanspp.kmeans_plusplus,
        losses.info_nce,
        losses.negative_mask,
        momentum.update_key_encoder,
    ]
    assert actcl_tf.__all__ == sorted(each.__name__ for each in public)
    for each in public:
        assert getattr(actcl_tf, each.__name__) is each
        assert each.__name__ in actcl_tf.__doc__


@pytest.fixture(scope="module")
def folder(exported_model, tmp_path_factory):
    """What the examples read: an export at models/mine and videos/mine.mp4."""
    folder = tmp_path_factory.mktemp("library")
    shutil.copytree(exported_model, folder / "models" / "mine")
    (folder / "videos").mkdir()
    frames = [media_files.grey(10 * i % 256) for i in range(75)]
    video = folder / "videos" / "mine.mp4"
    media_files.write_media(video, frames=frames, sounds=[media_files.tone(3.0)])
    return folder


@pytest.mark.parametrize("name", actcl_tf.__all__)
def test_the_example_of_each_public_name_runs_as_printed(name, folder, monkeypatch):
    monkeypatch.chdir(folder)
    public = getattr(actcl_tf, name)
    names = {"actcl_tf": actcl_tf, "np": np, "tf": tf}
    # Of a class its own example alone: methods may have others.
    example = doctest.DocTestParser().get_doctest(public.__doc__, names, name, None, None)
    assert example.examples, f"{name} shows no example"
    said = []
    doctest.DocTestRunner().run(example, out=said.append)
    assert not said, "".join(said)


def test_methods_have_no_examples_that_are_not_run():
    for name in actcl_tf.__all__:
        for finding in doctest.DocTestFinder().find(getattr(actcl_tf, name), name, module=False):
            assert finding.name == name or not finding.examples, finding.name
