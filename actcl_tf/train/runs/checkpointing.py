"""Runs on disk: the configuration, checkpoints, the lock against mixing, and loading towers.

RUN/run.json         configuration and facts of the data, written before the first step
RUN/checkpoints/     the last checkpoints: towers, optimizer, dictionaries, pools and step
RUN/best/            the checkpoint with the best evaluation
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

import tensorflow as tf

from actcl_tf import config
from actcl_tf.models import two_tower
from actcl_tf.storage import files, strict_json

# Settings that do not change what is computed, so that a run may go on with other values.
_FREE = {
    "data": {"data_dir", "input", "decode_workers", "clip_timeout", "on_bad_record"},
    "train": {
        "run_dir",
        "save_every",
        "keep",
        "check_sync_every",
        "log_every",
        "summary_every",
        "profile_steps",
        "eval_every",
        "eval_windows",
        "probe_pattern",
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

# What TensorFlow raises on a checkpoint that is damaged or of something else.
_UNREADABLE = (AssertionError, ValueError, IndexError, tf.errors.OpError)

# Settings that matter and yet are of a place, not of a method.
_PLACES = ("data_service", "data_service_job")


class CheckpointError(config.UserError, ValueError):
    """A run folder or checkpoint that cannot be used; the message says why and what to do."""


@dataclasses.dataclass(frozen=True)
class DataFacts:
    """What a model must know of the data it was trained on.

    Attributes:
      frame_rate: stored frames a second.
      sample_rate: samples of sound a second.
      num_audio_samples: samples of sound of a training clip (S).
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


class LoadedRun(NamedTuple):
    """Query towers of a run, with the weights of one of its checkpoints."""

    video_tower: tf.keras.Model
    audio_tower: tf.keras.Model
    config: config.PretrainConfig
    step: int
    data_facts: DataFacts


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
      CheckpointError: the folder cannot be written, or holds another run; the message names the
        fields that differ.
    """
    folder = pathlib.Path(run.train.run_dir)
    wanted = {"format": FORMAT, "config": run.to_dict(), "data": dataclasses.asdict(facts)}
    path = folder / "run.json"
    if path.exists():
        _require_same_run(folder, _read_run(folder), json.loads(json.dumps(wanted)))
        return True
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CheckpointError(
            f"--run_dir={folder}: exists and is not a run of this program; name a new folder"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.write_atomically(path, json.dumps(wanted, indent=2, sort_keys=True) + "\n")
    except (OSError, files.DataError) as error:
        raise CheckpointError(f"--run_dir={folder}: cannot be written: {error}") from error
    return False


def _read_run(folder: pathlib.Path) -> dict[str, Any]:
    path = folder / "run.json"
    try:
        there = strict_json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{folder} holds no run.json: it is not the folder of a run (--run_dir of "
            "tools/train.py)"
        ) from error
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    if not isinstance(there, dict) or not {"config", "data"} <= there.keys():
        raise CheckpointError(f"{path} is damaged: it does not say what the run is")
    if there.get("format", 1) != FORMAT:
        raise CheckpointError(
            f"{path} is of another version of actcl_tf: its format is {there['format']!r:.40}, and "
            f"here it is {FORMAT}. Use the version that made it, or name a new --run_dir"
        )
    try:
        return {
            "config": strict_json.build(dict[str, dict[str, Any]], there["config"], "config"),
            "data": strict_json.build(dict[str, Any], there["data"], "data"),
        }
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error


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
        raise CheckpointError(
            f"--run_dir={folder} holds another run: {'; '.join(differences)}. Name a new folder, "
            "or use the same settings to go on"
        )


def _not_restored(path: str, error: Exception) -> CheckpointError:
    reason = str(error).strip() or type(error).__name__
    return CheckpointError(f"checkpoint {path} cannot be restored: {reason.splitlines()[0]}")


class Checkpoints:
    """Saves and restores a model with its optimizer."""

    def __init__(
        self,
        model: tf.keras.Model,
        run_dir: str,
        keep: int,
        towers: Mapping[str, tf.keras.Model],
        pools: Optional[Mapping[str, tf.train.Checkpoint]] = None,
        write_dir: Optional[str] = None,
    ):
        """Prepares the managers; nothing is read or written yet.

        Args:
          model: a compiled model with a variable `step`.
          run_dir: folder of the run.
          keep: how many of the last checkpoints stay.
          towers: modality to a tower of the model that can be loaded without the rest of it.
          pools: parts of pools that are sharded over replicas, which the model leaves out.
          write_dir: folder to save in, where that is not the run's; see `Workers.folder`.

        Raises:
          CheckpointError: the list of checkpoints there is damaged.
        """
        self._model = model
        self._folder = pathlib.Path(write_dir or run_dir)
        self._run_dir = run_dir
        self._pools = dict(pools or {})
        parts = {"pools": tf.train.Checkpoint(**self._pools)} if self._pools else {}
        checkpoint = tf.train.Checkpoint(model=model, **towers, **parts)
        for name in ("checkpoints", "best"):
            _read_state(self._folder / name)  # Which the managers read as well.
        self._last = tf.train.CheckpointManager(
            checkpoint, str(self._folder / "checkpoints"), max_to_keep=keep, checkpoint_name="step"
        )
        self._best = tf.train.CheckpointManager(
            checkpoint, str(self._folder / "best"), max_to_keep=1, checkpoint_name="step"
        )

    def save(self) -> str:
        """Saves the present state; returns the checkpoint's path."""
        return self._save(self._last)

    def _save(self, manager: tf.train.CheckpointManager) -> str:
        """Saves wholly or not at all: the one before is removed only then."""
        try:
            return manager.save(checkpoint_number=int(self._model.step.numpy()))
        except (OSError, tf.errors.OpError):
            remove_unfinished(pathlib.Path(manager.directory))
            raise

    def is_best(self, score: float) -> bool:
        """Whether a score is above that of the best checkpoint so far."""
        path = self._folder / "best" / "score.json"
        if not path.exists():
            return True
        try:
            held = strict_json.loads(path.read_text(encoding="utf-8"))
            return score > strict_json.build(dict[str, float], held)["score"]
        except (ValueError, KeyError) as error:
            raise CheckpointError(
                f"{path} is damaged ({error}): remove it, and the next evaluation is the best"
            ) from error

    def save_best(self, score: float) -> None:
        """Saves the present state as the best, with its score."""
        path = self._folder / "best" / "score.json"
        step = int(self._model.step.numpy())
        self._save(self._best)
        files.write_atomically(path, json.dumps({"score": score, "step": step}) + "\n")

    def restore(self) -> Optional[str]:
        """Restores the last checkpoint; returns its path, or None where there is none.

        Raises:
          CheckpointError: the checkpoint does not fit the model or is damaged.
        """
        path = latest(pathlib.Path(self._run_dir) / "checkpoints")
        if path is None:
            return None
        try:
            self._require_same_pools(path)
            self._last.checkpoint.restore(path).assert_existing_objects_matched()
        except _UNREADABLE as error:
            raise _not_restored(path, error) from error
        return path

    def _require_same_pools(self, path: str) -> None:
        """Refuses pools that are sharded over another number of replicas."""
        names = [name.split("/") for name, _ in tf.train.list_variables(path)]
        there = {parts[1] for parts in names if parts[0] == "pools"}
        if there != self._pools.keys():
            counts = [max(len(parts) // 2, 1) for parts in (there, self._pools)]
            raise ValueError(
                f"--pool_sharding keeps its pools in parts on {counts[0]} replica(s), and here are "
                f"{counts[1]}: go on with as many"
            )


def find_checkpoint(run_dir: str, which: str = "latest") -> str:
    """Path of a run's checkpoint.

    Args:
      run_dir: folder of the run.
      which: "latest", "best", or the path of a checkpoint (without .index).

    Raises:
      CheckpointError: there is none.
    """
    folders = {"latest": "checkpoints", "best": "best"}
    if which in folders:
        path = latest(pathlib.Path(run_dir) / folders[which])
    else:
        path = which if pathlib.Path(f"{which}.index").exists() else None
    if path is None:
        raise CheckpointError(f"{run_dir} holds no checkpoint '{which}'")
    return path


def read_run(run_dir: str) -> tuple[config.PretrainConfig, DataFacts]:
    """The configuration of a run, and the facts of its data.

    Raises:
      CheckpointError: the folder is not that of a run.
    """
    there = _read_run(pathlib.Path(run_dir))
    try:
        facts = strict_json.build(DataFacts, there["data"], "data")
        if min(facts.frame_rate, facts.sample_rate, facts.num_audio_samples) <= 0:
            raise ValueError("its data must have rates and samples above 0")
        return config.from_dict(there["config"]), facts
    except ValueError as error:
        raise CheckpointError(
            f"{pathlib.Path(run_dir) / 'run.json'} is damaged, or of another version of actcl_tf: "
            f"{error}"
        ) from error


def has_checkpoint(run_dir: str) -> bool:
    """Whether a folder holds a checkpoint that a run would go on from."""
    return latest(pathlib.Path(run_dir) / "checkpoints") is not None


def latest(folder: pathlib.Path) -> Optional[str]:
    """The last checkpoint of a folder; None if it holds none.

    The file `checkpoint` says which it is. Where that is missing, because the run was killed in its
    first save or the folder was copied in part, it is the last one that has all its files.

    Args:
      folder: RUN/checkpoints or RUN/best.

    Raises:
      CheckpointError: files of the last one are missing, or `checkpoint` is damaged.
    """
    steps = [index.stem.partition("-")[2] for index in folder.glob("step-*.index")]
    paths = [folder / f"step-{step}" for step in sorted(filter(str.isdecimal, steps), key=int)]
    whole = [path for path in paths if not _missing(path)]
    state = _read_state(folder)
    if state is None or not state.model_checkpoint_path:
        return str(whole[-1]) if whole else None
    last = pathlib.Path(state.model_checkpoint_path)
    if _missing(last):
        older = f", or remove {folder / 'checkpoint'} to go on from {whole[-1]}" if whole else ""
        raise CheckpointError(
            f"checkpoint {last} lacks its file {_missing(last)}: copy the folder anew{older}"
        )
    return str(last)


def _read_state(folder: pathlib.Path) -> Any:
    """What the file `checkpoint` of a folder says; None if there is none."""
    try:
        return tf.train.get_checkpoint_state(str(folder))
    except (ValueError, tf.errors.OpError) as error:
        raise CheckpointError(
            f"{folder / 'checkpoint'} is damaged ({error}): remove it, and the last whole "
            "checkpoint counts"
        ) from error


def remove_unfinished(folder: pathlib.Path) -> None:
    """Removes what saving was interrupted in: none of it is a checkpoint.

    Args:
      folder: RUN/checkpoints or RUN/best, in which nobody else saves.
    """
    for rest in folder.glob("step-*_temp"):
        files.remove(rest)
    for rest in folder.glob("*.tempstate*"):
        files.remove(rest)


def _missing(path: pathlib.Path) -> str:
    """The kind of file that a checkpoint lacks; empty if it has both."""
    kinds = [kind for kind in (".index", ".data-*") if not list(path.parent.glob(path.name + kind))]
    return kinds[0] if kinds else ""


def step_of(path: str) -> int:
    """The step of a checkpoint of `find_checkpoint`."""
    return int(tf.train.load_variable(path, "model/step/.ATTRIBUTES/VARIABLE_VALUE"))


def load_towers(run_dir: str, which: str = "latest") -> LoadedRun:
    """Loads the query towers of a run.

    Args:
      run_dir: folder of the run.
      which: "latest", "best" or the path of a checkpoint.

    Returns:
      The towers, the configuration of the run, the step and the facts of its data.

    Raises:
      CheckpointError: no run, no such checkpoint, or one that does not fit.
    """
    run, facts = read_run(run_dir)
    path = find_checkpoint(run_dir, which)
    video, audio = two_tower.build_towers(
        run.model,
        run.data,
        sample_rate=facts.sample_rate,
        num_audio_samples=facts.num_audio_samples,
    )
    try:
        checkpoint = tf.train.Checkpoint(video=video, audio=audio)
        checkpoint.restore(path).assert_existing_objects_matched().expect_partial()
    except _UNREADABLE as error:
        raise _not_restored(path, error) from error
    return LoadedRun(video, audio, run, step_of(path), facts)
