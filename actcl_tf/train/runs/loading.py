"""The towers of a run, with fresh weights or with those of a checkpoint."""

from typing import NamedTuple

import tensorflow as tf

from actcl_tf import config
from actcl_tf.models import two_tower
from actcl_tf.train.runs import checkpoints, run_folder


class LoadedRun(NamedTuple):
    """Query towers of a run, with the weights of one of its checkpoints."""

    video_tower: tf.keras.Model
    audio_tower: tf.keras.Model
    config: config.PretrainConfig
    step: int
    data_facts: run_folder.DataFacts


def build_towers(
    run: config.PretrainConfig, facts: run_folder.DataFacts
) -> dict[str, two_tower.Tower]:
    """The towers of a run with fresh weights, "video" and "audio"; see `two_tower.build_towers`.

    Args:
      run: the configuration.
      facts: of the data.
    """
    video, audio = two_tower.build_towers(
        run.model,
        run.data,
        sample_rate=facts.sample_rate,
        num_audio_samples=facts.num_audio_samples,
    )
    return {"video": video, "audio": audio}


def load_towers(run_dir: str, which: str = "latest") -> LoadedRun:
    """Loads the query towers of a run.

    Args:
      run_dir: folder of the run.
      which: "latest", "best" or the path of a checkpoint.

    Returns:
      The towers, the configuration of the run, the step and the facts of its data.

    Raises:
      errors.CheckpointError: no run, no such checkpoint, or one that does not fit.
    """
    run, facts = run_folder.read_run(run_dir)
    path = checkpoints.find(run_dir, which)
    towers = build_towers(run, facts)
    with checkpoints.naming_damage(path):
        checkpoint = tf.train.Checkpoint(**towers)
        checkpoint.restore(path).assert_existing_objects_matched().expect_partial()
    step = checkpoints.step_of(path)
    return LoadedRun(towers["video"], towers["audio"], run, step, facts)
