import json
import pathlib

import pytest
import tensorflow as tf

from actcl_tf.train import training_run
from actcl_tf.train.model import scalar_names


@pytest.mark.parametrize(
    ("name", "scalars", "expected"),
    [
        ("a/b", {"a/b/x": 1.0, "a/b/y": 2.0, "a/c": 3.0}, [1.0, 2.0]),
        ("a/b", {"a/b": 1.0, "a/bc": 2.0, "x/a/b": 3.0}, [1.0]),
        ("a/b", {}, []),
    ],
)
def test_values_of_a_name_and_of_its_parts(name, scalars, expected):
    assert scalar_names.parts(name, scalars) == expected


def test_every_scalar_of_a_run_is_in_a_group_and_in_both_places(tiny_run):
    run = tiny_run(steps=4, diagnostics_every=2, on_bad_record="skip")
    training_run.TrainingRun(run, say=lambda _: None).train(
        evaluate=lambda *_: {"retrieval/mean_reciprocal_rank": 0.5}
    )
    folder = pathlib.Path(run.train.run_dir)
    logged = set()
    for line in (folder / "scalars.jsonl").read_text().splitlines():
        logged |= set(json.loads(line)) - {"step"}
    groups = {name.partition("/")[0] for name in logged}
    assert groups == {"loss", "contrast", "dictionary", "optimiser", "input", "speed", "eval"}
    assert {
        "loss/total",
        "dictionary/video/age_mean",
        "speed/data_wait_seconds",
        "eval/retrieval/mean_reciprocal_rank",
    } <= logged
    tags = set()
    for path in (folder / "tensorboard").glob("*tfevents*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "scalars":
                    tags.add(value.tag)
    assert tags == logged
