import functools
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf import config
from actcl_tf.train import training_run
from actcl_tf.train.model import diagnosis
from tests import small_models


def _scalars(steps, size=6, **flags):
    """The diagnostics of each of the first steps, and the model after them."""
    model = small_models.build(batch_size=size, **flags)
    step = tf.function(model.train_step)
    seen = []
    for batch in small_models.batches(steps, size):
        seen.append({n: float(v) for n, v in step(batch).items() if diagnosis.is_diagnostic(n)})
    return seen, model


@functools.cache
def _by_step_four(negatives):
    flags = {"negatives": negatives, "dictionary_size": 6, "pool_size": 24}
    return _scalars(4, diagnostics_every=4, **flags)


@pytest.mark.parametrize("negatives", config.NEGATIVES)
def test_figures_come_at_their_steps_and_say_what_the_dictionary_holds(negatives):
    uses_pool = negatives not in ("moco", "in_batch")
    (*earlier, figures), model = _by_step_four(negatives)
    for early in earlier:
        assert set(early) == set(figures)
        assert np.isnan(list(early.values())).all()
    assert np.isfinite(list(figures.values())).all()
    assert figures["contrast/uniformity/video"] < 0 < figures["contrast/alignment/video_to_audio"]
    dictionaries = () if negatives == "in_batch" else ("video", "audio")
    assert len(figures) == 4 + (9 + 4 * uses_pool) * len(dictionaries)
    for modality in dictionaries:
        found = {n.split("/")[-1]: v for n, v in figures.items() if f"dictionary/{modality}/" in n}
        assert found["distinct_clips"] == 1.0
        assert 1 <= found["categories"] <= 3
        assert 1.0 <= found["effective_rank"] <= 8.0
        assert found["redundancy_mean"] <= found["redundancy_p95"] <= 1.0 + 1e-6
        assert 1 <= found["age_mean"] <= found["age_oldest"] <= 3
        assert 0 <= found["ineffective_keys"] <= 1 and 0 <= found["biased_keys"] <= 1
        if uses_pool:  # In a sampling step the dictionary is not touched again.
            queue = model.dictionaries[modality].queue
            labels = queue.columns["labels"].numpy()[queue.ids.numpy() >= 0]
            assert found["categories"] == len(set(labels))
            assert 0 <= found["picked_near"] <= 1 and 0 < found["picked_evenness"] <= 1 + 1e-6
        if negatives == "hardest":
            assert found["picked_gradient_length"] > 1.0


def test_labels_in_the_dictionary_are_those_of_the_clips():
    _, model = _by_step_four("active")
    queue = model.dictionaries["video"].queue
    held = queue.ids.numpy() >= 0
    labels = queue.columns["labels"].numpy()[held]
    assert list(labels) == list(queue.ids.numpy()[held] % 3)
    assert len(set(labels)) > 1


def test_without_diagnostics_there_are_no_figures():
    (figures,), _ = _scalars(1, diagnostics_every=0)
    assert figures == {}


@pytest.mark.slow
def test_a_run_records_them(tiny_run):
    run = tiny_run(diagnostics_every=3, log_every=2)
    training_run.TrainingRun(run).train()
    lines = pathlib.Path(run.train.run_dir, "scalars.jsonl").read_text().splitlines()
    steps = {}
    for line in map(json.loads, lines):
        for name, value in line.items():
            assert np.isfinite(value)
            steps.setdefault(diagnosis.is_diagnostic(name), set()).add(line["step"])
    assert steps[True] == {3, 6}
    assert {2, 4, 6, 8} <= steps[False]
