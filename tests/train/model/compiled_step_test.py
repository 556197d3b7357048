"""The whole train step as one XLA program, as TPUs need it."""

import re

import numpy as np
import pytest
import tensorflow as tf

from actcl_tf.train import (
    model_building,
    run_checks,
    training_data,
)
from tests import small_models

# What would call the host, or have a shape that only the run shows.
NOT_ALLOWED = (" infeed(", " outfeed(", " send(", " recv(", "dynamic-reshape")
# Calls that XLA replaces by loops of its own.
EXPANDED = {"Eigh", "TopK"}


def _compile(model):
    return tf.function(model.train_step, jit_compile=True, autograph=False)


def _require_static(program, batch):
    text = program.experimental_get_compiler_ir(batch)(stage="hlo")
    assert text.count("while(") >= 2  # The samplers of both dictionaries are in it.
    for word in NOT_ALLOWED:
        assert word not in text, word
    assert set(re.findall('custom_call_target="([^"]*)"', text)) <= EXPANDED
    assert not re.findall(r"\[<=\d+", text)


@pytest.mark.parametrize(
    "flags",
    # In parts where the rest of the step compiles soonest.
    [{"diagnostics_every": 2}, {"negatives": "in_batch", "accumulate_steps": 2}],
    ids=str,
)
def test_a_compiled_step_does_what_the_others_do(flags):
    batches = list(small_models.batches(5))
    losses = []
    for wrap in (_compile, lambda model: tf.function(model.train_step, autograph=False)):
        model = small_models.build(**flags)
        step = wrap(model)
        losses.append([float(step(batch)["loss/total"]) for batch in batches])
        if wrap is _compile and "negatives" not in flags:
            _require_static(step, batches[0])
    np.testing.assert_allclose(*losses, rtol=1e-5)


@pytest.mark.slow
def test_the_program_with_whole_encoders(tiny_run):
    run = tiny_run(diagnostics_every=2, precision="float32")
    model = model_building.build_model(run, run_checks.check(run), "float32")
    (batch,) = training_data.TrainingBatches(run).from_step(0).take(1)
    program = _compile(model)
    assert np.isfinite(float(program(batch)["loss/total"]))
    _require_static(program, batch)
