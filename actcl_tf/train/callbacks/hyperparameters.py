"""A run's row in TensorBoard's table of hyperparameters and final scores."""

import hashlib
import pathlib
from collections.abc import Iterable

import tensorflow as tf
from tensorboard.plugins.hparams import api, api_pb2, plugin_data_pb2
from tensorboard.plugins.hparams import summary as session_summary

from actcl_tf import config
from actcl_tf.train.model import scalar_names as names
from actcl_tf.train.runs import run_folder

# What runs are most often compared by. TensorBoard shows five columns until others are chosen.
_FIRST = ("batch_size", "dictionary_size", "learning_rate", "negatives", "seed")
# The last parts of the names of scores that go into the table, in this order.
_SCORES = ("r1", "accuracy", "median_rank")


def write_start(
    writer: tf.summary.SummaryWriter, run: config.PretrainConfig, scores: Iterable[str]
) -> None:
    """Writes the hyperparameters, and which scalars are shown beside them.

    The table shows the last value of each scalar, so nothing more needs to be written at the end
    than that it is reached.

    Args:
      writer: of the run's summaries.
      run: the configuration.
      scores: names of the scores that evaluations give.
    """
    values = run_folder.settings_of_outcome(run)
    table = api.hparams_config_pb([api.HParam(name) for name in values], metrics(scores))
    _put_first(table, _FIRST)
    with writer.as_default(step=0):
        tf.summary.experimental.write_raw_pb(table.SerializeToString())
        api.hparams(values, trial_id=trial(run.train.run_dir))


def write_end(writer: tf.summary.SummaryWriter) -> None:
    """Writes that the run has come to its end."""
    ended = session_summary.session_end_pb(api_pb2.STATUS_SUCCESS)
    with writer.as_default(step=0):
        tf.summary.experimental.write_raw_pb(ended.SerializeToString())


def trial(run_dir: str) -> str:
    """The name of a run's row: readable, and no other run's, or the two would share a row."""
    path = pathlib.Path(run_dir).absolute()
    return f"{path.name} {hashlib.sha256(str(path).encode()).hexdigest()[:4]}"


def _put_first(table: tf.compat.v1.Summary, columns: Iterable[str]) -> None:
    """Marks columns as those by which runs differ, which TensorBoard shows first."""
    (value,) = table.value
    data = plugin_data_pb2.HParamsPluginData.FromString(value.metadata.plugin_data.content)
    for info in data.experiment.hparam_infos:
        info.differs = info.name in columns
    value.metadata.plugin_data.content = data.SerializeToString()


def metrics(scores: Iterable[str]) -> list[api.Metric]:
    """The columns of results: the loss, then scores on held-out clips.

    Args:
      scores: names of scores as evaluations give them.
    """
    scores = list(scores)
    chosen = [name for last in _SCORES for name in scores if name.rsplit("/")[-1] == last]
    shown = [api.Metric(names.LOSS, display_name="loss")]
    return shown + [api.Metric(names.evaluation(n), display_name=n) for n in chosen]
