"""What TensorBoard reads of a run: hyperparameters, the layout of charts, and a profile."""

import json
import pathlib
import re

import pytest
import tensorflow as tf
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import metadata as hparams_metadata

from actcl_tf.train import training_run
from actcl_tf.train.callbacks import custom_layout, hyperparameters, scalar_log

SCORES = {
    "retrieval/num_clips": 12.0,
    "retrieval/video_to_audio/median_rank": 6.0,
    "retrieval/video_to_audio/r1": 0.25,
    "retrieval/video_to_audio/mean_reciprocal_rank": 0.5,
    "probe/video/label/accuracy": 0.75,
}


CHANGES = {
    "steps": 6,
    "profile_steps": "3,5",
    "diagnostics_every": 2,
    "summary_every": 4,
    "on_bad_record": "skip",
}


@pytest.fixture(scope="module")
def in_parts(tiny_config, tmp_path_factory):
    """A run that was stopped in the middle of what is profiled, and gone on with to its end."""
    run = tiny_config(tmp_path_factory.mktemp("in_parts") / "run", **CHANGES)
    published = []
    options = {"evaluate": lambda *_: SCORES, "publish": published.append}
    training_run.TrainingRun(run, say=lambda _: None).train(stop_at=4, **options)
    profiles = _profiles(run)
    training_run.TrainingRun(run, say=lambda _: None).train(**options)
    return run, published, profiles


def _profiles(run):
    folder = scalar_log.logdir(run.train.run_dir)
    return {path: path.stat().st_size for path in folder.glob("plugins/profile/*/*.xplane.pb")}


def _summaries(run):
    """Plugin name -> [(tag, value)] over all event files."""
    found = {}
    for path in sorted(scalar_log.logdir(run.train.run_dir).glob("*tfevents*")):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                name = value.metadata.plugin_data.plugin_name
                found.setdefault(name, []).append((value.tag, value))
    return found


def test_each_evaluation_is_published_once(in_parts):
    assert in_parts[1] == [0, 6]


def test_hyperparameters_are_written_once_and_the_end_too(in_parts):
    run = in_parts[0]
    found = _summaries(run)["hparams"]
    assert [tag for tag, _ in found] == [
        hparams_metadata.EXPERIMENT_TAG,
        hparams_metadata.SESSION_START_INFO_TAG,
        hparams_metadata.SESSION_END_INFO_TAG,
    ]
    contents = [value.metadata.plugin_data.content for _, value in found]
    experiment = hparams_metadata.parse_experiment_plugin_data(contents[0])
    start = hparams_metadata.parse_session_start_info_plugin_data(contents[1])
    assert start.hparams["batch_size"].number_value == 6
    assert start.hparams["negatives"].string_value == "active"
    assert start.hparams["flip"].bool_value is True
    columns = {info.name for info in experiment.hparam_infos}
    assert columns == set(start.hparams)
    assert not columns & {"data_dir", "run_dir", "log_every", "profile_steps", "data_service"}
    first = [info.name for info in experiment.hparam_infos if info.differs]
    assert sorted(first) == ["batch_size", "dictionary_size", "learning_rate", "negatives", "seed"]
    shown = [info.name.tag for info in experiment.metric_infos]
    assert shown == [
        "loss/total",
        "eval/retrieval/video_to_audio/r1",
        "eval/probe/video/label/accuracy",
        "eval/retrieval/video_to_audio/median_rank",
    ]
    assert set(shown) <= {tag for tag, _ in _summaries(run)["scalars"]}


def test_rows_of_runs_have_readable_names_of_their_own(tmp_path):
    names = [hyperparameters.trial(str(tmp_path / part)) for part in ("a/run", "b/run", "a/../a/x")]
    assert len(set(names)) == 3
    assert re.fullmatch("run [0-9a-f]{4}", names[0])


def test_every_chart_of_the_layout_has_a_scalar_of_the_run(in_parts):
    found = _summaries(in_parts[0])
    ((_, value),) = found["custom_scalars"]
    layout = layout_pb2.Layout.FromString(value.tensor.string_val[0])
    assert layout == custom_layout.layout()
    tags = {tag for tag, _ in found["scalars"]}
    (category,) = layout.category
    assert len(category.chart) == 6
    for chart in category.chart:
        for pattern in chart.multiline.tag:
            assert [tag for tag in tags if re.search(pattern, tag)], pattern


def test_a_profile_is_written_where_a_run_is_stopped_and_where_it_goes_on(in_parts):
    run, _, first = in_parts
    both = _profiles(run)
    assert len(first) == 1 and len(both) == 2
    assert min(both.values()) > 1000


def test_the_reader_of_tensorboard_finds_every_kind(in_parts):
    run = in_parts[0]
    reader = event_accumulator.EventAccumulator(str(scalar_log.logdir(run.train.run_dir)))
    reader.Reload()
    content = reader.summary_metadata
    kinds = {each.plugin_data.plugin_name for each in content.values()}
    assert kinds == {"scalars", "images", "histograms", "hparams", "custom_scalars"}
    lines = pathlib.Path(run.train.run_dir, "scalars.jsonl").read_text().splitlines()
    logged = {name for line in lines for name in json.loads(line)} - {"step"}
    assert logged == {
        tag for tag, each in content.items() if each.plugin_data.plugin_name == "scalars"
    }
    groups = {name.partition("/")[0] for name in logged}
    assert groups == {"loss", "contrast", "dictionary", "optimiser", "input", "speed", "eval"}
    assert {"loss/total", "dictionary/video/age_mean", "speed/data_wait_seconds"} <= logged
    assert [event.step for event in reader.Tensors("loss/total")] == [2, 4, 6]
