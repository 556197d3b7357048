"""From a run's checkpoint to the report on its dictionaries."""

import dataclasses
import pathlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from actcl_tf import config, tensorflow_log
from actcl_tf.console import bars
from actcl_tf.data.input import pipeline
from actcl_tf.data.records import records, shards
from actcl_tf.inspection import clips, dictionary_state, findings, pages, picks, sheets
from actcl_tf.train import run_checks


def inspect(
    run_dir: str,
    output: str,
    *,
    data_dir: str = "",
    which: str = "latest",
    draws: int = 50,
    say: Callable[[str], None] = print,
) -> findings.Findings:
    """Looks into the dictionaries of a run and writes figures, numbers and a report.

    Args:
      run_dir: folder of the run.
      output: folder to write to; files of an earlier inspection are replaced.
      data_dir: the run's prepared data, where it is no longer where it was.
      which: "latest", "best" or the path of a checkpoint.
      draws: how often to sample from the pools, at least once.
      say: takes lines for the console.

    Returns:
      What was found, and which files were written.

    Raises:
      errors.CheckpointError, records.DataError, config.ConfigError,
        dictionary_state.InspectionError, OSError: something is wrong that the user can mend.
    """
    if draws < 1:
        raise config.ConfigError(f"--draws={draws}: must be at least 1")
    state = dictionary_state.load(run_dir, which)
    run = _with_data(state, data_dir)
    folder = _make_folder(output)
    settings = run.contrast
    say(f"Step {state.run.step} of {run_dir}, --negatives={settings.negatives}.")
    tables = [t for d in state.dictionaries.values() for t in (d.dictionary, d.pool) if t]
    ids = np.unique(np.concatenate([table.held().ids for table in tables]))
    places = clips.find(run.data.data_dir, run.data.train_split, ids)
    context = pages.Context(state, places, folder, np.random.default_rng(run.train.seed))
    counts = _count_picks(state, run, draws) if state.has_pools else {}
    parts = []
    with bars.Bar(total=len(state.dictionaries), desc="drawing", unit="dictionary") as bar:
        for modality in state.dictionaries:
            parts.append(pages.describe(context, modality, counts.get(modality)))
            bar.update()
    parts = sheets.add(context, parts, counts)
    pictures = [path for part in parts for _, path in part.pictures]
    files = [folder / "report.html", folder / "inspection.json", *pictures]
    found = findings.Findings(run_dir, state.run.step, settings.negatives, parts, files)
    findings.write(found, folder)
    return found


def _with_data(state: dictionary_state.RunState, data_dir: str) -> config.PretrainConfig:
    """The run's configuration with the folder of data to use, which is found to be the run's."""
    run = state.run.config
    folder = data_dir or run.data.data_dir
    if not (pathlib.Path(folder) / run.data.train_split).is_dir():
        raise records.DataError(
            f"{folder} holds no split '{run.data.train_split}': the run was trained on "
            f"{run.data.data_dir}; say where its data is with --data_dir=DIR"
        )
    data = dataclasses.replace(
        run.data, data_dir=folder, data_service="", augment_on="host"
    )  # The same clips, made here and now.
    run = dataclasses.replace(run, data=data)
    if run_checks.check(run).digest != state.run.data_facts.digest:
        raise records.DataError(
            f"{folder} is not the data that the run was trained on; say where that is with "
            "--data_dir=DIR"
        )
    return run


def _count_picks(
    state: dictionary_state.RunState, run: config.PretrainConfig, draws: int
) -> dict[str, picks.PickCounts]:
    """Samples with the batches that the run would have gone on with."""
    num_batches = picks.num_batches(draws)
    batches = pipeline.build_train_dataset(
        run.data,
        batch_size=run.train.batch_size,
        seed=run.train.seed,
        start_step=state.run.step,
    ).take(num_batches)
    tensorflow_log.wake_compiler()
    try:
        return picks.count(
            state, bars.Bar(batches, "encoding queries", num_batches, unit="batch"), draws
        )
    except tf.errors.DataLossError as error:
        raise shards.damage_error(error, run.data.data_dir, run.data.train_split) from error


def _make_folder(output: str) -> pathlib.Path:
    """Makes the folder to write to; finds before the work that it cannot be written."""
    folder = pathlib.Path(output)
    probe = folder / ".inspection"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise dictionary_state.InspectionError(
            f"--output={output}: cannot be written: {error}"
        ) from error
    return folder
