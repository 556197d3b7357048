"""The folder of a run: what it was started with, so that nothing else goes on in it.

RUN/run.json         configuration and facts of the data, written before the first step
RUN/checkpoints/     the last checkpoints: towers, optimizer, dictionaries, pools and step
RUN/best/            the checkpoint with the best evaluation
"""

import dataclasses
import json
import pathlib
from typing import Any

from actcl_tf import config
from actcl_tf.storage import files, strict_json
from actcl_tf.train.runs import errors

# Settings that do not change what is computed, so that a run may go on with other values.
_FREE = {
    "data": {"data_dir", "input", "num_workers", "clip_timeout", "on_bad_record"},
    "train": {
        "run_dir",
        "save_every",
        "keep",
        "check_sync_every",
        "log_every",
        "summary_every",
        "profile_steps",
        "eval_every",
        "eval_initialised",
        "eval_windows",
        "probe_pattern",
        "quantities",
        "steps_per_execution",
        "strategy",
        "cluster",
        "tpu",
        "worker_timeout",
        "deterministic",
    },
}


# Of run.json and of what stands in checkpoints; raised when an older program could not go on.
FORMAT = 1

# Settings that matter and yet are of a place, not of a method.
_PLACES = ("data_service", "data_service_job")


@dataclasses.dataclass(frozen=True)
class DataFacts:
    """What a model must know of the data it was trained on.

    Attributes:
      frame_rate: stored frames a second.
      sample_rate: samples of audio a second.
      num_audio_samples: samples of audio of a training clip (S).
      num_clips: clips of the training split.
      digest: fingerprint of the training split's manifest.
      classes: sorted class names; empty if unlabelled.
    """

    frame_rate: float
    sample_rate: int
    num_audio_samples: int
    num_clips: int
    digest: str
    classes: tuple[str, ...] = ()


def settings_of_outcome(run: config.PretrainConfig) -> dict[str, Any]:
    """The settings that what a run comes to depends on, without places: name to value."""
    return {
        name: value
        for section, values in run.to_dict().items()
        for name, value in values.items()
        if name not in _FREE.get(section, ()) and name not in _PLACES
    }


def open_run(run: config.PretrainConfig, facts: DataFacts) -> bool:
    """Starts or reopens the run folder that a configuration names.

    Args:
      run: the configuration asked for.
      facts: of the data that it will train on.

    Returns:
      Whether the folder holds this run already, so that it goes on.

    Raises:
      errors.CheckpointError: the folder cannot be written, or holds another run; the message names
        the fields that differ.
    """
    folder = pathlib.Path(run.train.run_dir)
    wanted = {"format": FORMAT, "config": run.to_dict(), "data": dataclasses.asdict(facts)}
    path = folder / "run.json"
    if path.exists():
        _require_same_run(folder, _read_run(folder), json.loads(json.dumps(wanted)))
        return True
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise errors.CheckpointError(
            f"--run_dir={folder}: exists and is not a run of this program; name a new folder"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.write_atomically(path, json.dumps(wanted, indent=2, sort_keys=True) + "\n")
    except (OSError, files.DataError) as error:
        raise errors.CheckpointError(f"--run_dir={folder}: cannot be written: {error}") from error
    return False


def _read_run(folder: pathlib.Path) -> dict[str, Any]:
    path = folder / "run.json"
    try:
        there = strict_json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise errors.CheckpointError(
            f"{folder} holds no run.json: it is not the folder of a run (--run_dir of "
            "tools/train.py)"
        ) from error
    except ValueError as error:
        raise errors.CheckpointError(f"{path} is damaged: {error}") from error
    if not isinstance(there, dict) or not {"config", "data"} <= there.keys():
        raise errors.CheckpointError(f"{path} is damaged: it does not say what the run is")
    if there.get("format", 1) != FORMAT:
        raise errors.CheckpointError(
            f"{path} is of another version of actcl_tf: its format is {there['format']!r:.40}, and "
            f"here it is {FORMAT}. Use the version that made it, or name a new --run_dir"
        )
    try:
        return {
            "config": strict_json.build(dict[str, dict[str, Any]], there["config"], "config"),
            "data": strict_json.build(dict[str, Any], there["data"], "data"),
        }
    except ValueError as error:
        raise errors.CheckpointError(f"{path} is damaged: {error}") from error


def _require_same_run(folder: pathlib.Path, there: dict[str, Any], wanted: dict[str, Any]) -> None:
    differences = []
    free_steps = (
        wanted["config"]["train"]["learning_rate_schedule"] == "constant"
        and wanted["config"]["contrast"]["key_momentum_schedule"] == "constant"
    )
    # What an older run does not name was not there to choose, and was as by default.
    defaults = json.loads(json.dumps(config.PretrainConfig().to_dict()))
    for section in sorted(set(there["config"]) | set(wanted["config"])):
        old = {**defaults.get(section, {}), **there["config"].get(section, {})}
        new = wanted["config"].get(section, {})
        for name in sorted(set(old) | set(new)):
            free = name in _FREE.get(section, ()) or (name == "steps" and free_steps)
            if not free and old.get(name) != new.get(name):
                shown = ["empty" if part.get(name) == "" else part.get(name) for part in (old, new)]
                differences.append(f"--{name} is {shown[0]} there, {shown[1]} here")
    for name in sorted(set(there["data"]) | set(wanted["data"])):
        old, new = there["data"].get(name), wanted["data"].get(name)
        if old != new:
            differences.append(f"{name} of the data is {old} there, {new} here")
    if differences:
        steps = ""
        if any(line.startswith("--steps ") for line in differences):
            steps = (
                ". --steps cannot be changed later: the schedules of --learning_rate_schedule or "
                "--key_momentum_schedule end with them"
            )
        raise errors.CheckpointError(
            f"--run_dir={folder} holds another run: {'; '.join(differences)}{steps}. Name a new "
            "folder, or use the same settings to go on"
        )


def read_run(run_dir: str) -> tuple[config.PretrainConfig, DataFacts]:
    """The configuration of a run, and the facts of its data.

    Raises:
      errors.CheckpointError: the folder is not that of a run.
    """
    there = _read_run(pathlib.Path(run_dir))
    try:
        facts = strict_json.build(DataFacts, there["data"], "data")
        if min(facts.frame_rate, facts.sample_rate, facts.num_audio_samples) <= 0:
            raise ValueError("its data must have rates and samples above 0")
        return config.from_dict(there["config"]), facts
    except ValueError as error:
        raise errors.CheckpointError(
            f"{pathlib.Path(run_dir) / 'run.json'} is damaged, or of another version of actcl_tf: "
            f"{error}"
        ) from error
