"""Runs whose video encoder starts from published weights."""

import pathlib

import numpy as np
import pytest

from actcl_tf.models import torchvision_weights, weights_file
from actcl_tf.train import model_building, run_checks, training_run
from actcl_tf.train.runs import errors
from tests import rounding
from tests.published_weights import describe, draw, write_safetensors

# The smallest published network, and a run that takes little beside it.
CHANGES = {
    "video_encoder": "mc3_18",
    "video_width": 1.0,
    "negatives": "in_batch",
    "optimizer": "sgd",
    "learning_rate_schedule": "constant",
    "keep": 1,
    "steps": 1,
}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A file of weights."""
    path = tmp_path_factory.mktemp("published") / "mc3_18.safetensors"
    write_safetensors(path, draw(describe("mc3_18")))
    return path


@pytest.fixture(scope="module")
def begun(published, tiny_config, tmp_path_factory):
    """A run of one step: (configuration, what it said, features of a clip before any step).

    The smallest published network is as large as it is: its run is slow. That both towers start
    from the file, and what is wrong with one, quick tests see.
    """
    folder = tmp_path_factory.mktemp("begun") / "run"
    run = tiny_config(folder, init_from=str(published), **CHANGES)
    said, features = [], []

    def evaluate(video_tower, audio_tower):
        del audio_tower
        features.append(video_tower(_clip(), training=False).features.numpy())
        return {"retrieval/video_to_audio/mean_reciprocal_rank": 0.5}

    training_run.TrainingRun(run, say=said.append).train(evaluate=evaluate)
    return run, said, features


def _clip():
    return np.random.default_rng(5).integers(0, 256, [2, 4, 16, 16, 3]).astype(np.uint8)


def test_query_and_key_encoders_start_from_the_file(published, tiny_run):
    run = tiny_run(init_from=str(published), **CHANGES)
    imported = torchvision_weights.read(str(published), "mc3_18")
    model = model_building.build_model(run, run_checks.check(run), "float32", imported)
    for towers in (model.query_towers, model.key_towers):
        for found, expected in zip(
            towers["video"].backbone.get_weights(), imported.weights, strict=True
        ):
            np.testing.assert_array_equal(found, expected)
    stem = model.key_towers["video"].backbone.stem.chain[0].kernel
    theirs = draw(describe("mc3_18"))["stem.0.weight"]
    np.testing.assert_array_equal(stem[2, 5, 6, 1, 40], theirs[40, 1, 2, 5, 6])


@pytest.mark.slow
def test_the_encoders_as_initialised_are_those_of_the_file(begun, published, tiny_run):
    _, said, features = begun
    line = f"The video encoder starts from {published}: 100 tensors, "
    assert [text for text in said if text.startswith(line)]
    run = tiny_run(init_from=str(published), **CHANGES)
    imported = torchvision_weights.read(str(published), "mc3_18")
    model = model_building.build_model(run, run_checks.check(run), "float32", imported)
    expected = model.query_towers["video"](_clip(), training=False).features
    # 18 layers; the last ones add up 3 x 3 x 512 products.
    rounding.assert_close(features[0], expected, rounding.of_sums(9 * 512, 18))
    assert np.abs(features[1] - expected).max() > 1e-3  # After a step.


@pytest.mark.slow
def test_a_run_goes_on_without_the_file(begun, published, tiny_config):
    run = begun[0]
    aside, said = published.with_suffix(".aside"), []
    published.rename(aside)
    try:
        folder, changes = run.train.run_dir, {**CHANGES, "init_from": str(published), "steps": 2}
        training_run.TrainingRun(tiny_config(folder, **changes), say=said.append).train()
        assert any("Going on at step 1 of 2" in line for line in said)
        assert not any("starts from" in line for line in said)
        other = {**changes, "init_from": ""}
        with pytest.raises(errors.CheckpointError, match=r"is /.* there, empty here"):
            training_run.TrainingRun(tiny_config(folder, **other), say=said.append).train()
    finally:
        aside.rename(published)


@pytest.mark.parametrize(
    "content, message", [(None, "no such file"), (b"x", "is damaged or no safetensors file")]
)
def test_a_wrong_file_leaves_no_run_behind(tiny_run, tmp_path, content, message):
    path = tmp_path / "a.safetensors"
    if content is not None:
        path.write_bytes(content)
    run = tiny_run(init_from=str(path), **CHANGES)
    with pytest.raises(weights_file.WeightsError, match=message):
        training_run.TrainingRun(run, say=lambda line: None).train()
    assert not pathlib.Path(run.train.run_dir).exists()
