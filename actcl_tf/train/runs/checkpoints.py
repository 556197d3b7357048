"""Checkpoints of a run: saving, restoring and finding them."""

import contextlib
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf

from actcl_tf.storage import files, strict_json
from actcl_tf.train.runs import errors


class Manager:
    """Saves and restores a model with its optimizer."""

    def __init__(
        self,
        model: tf.keras.Model,
        run_dir: str,
        keep: int,
        towers: Mapping[str, tf.keras.Model],
        pools: Mapping[str, tf.train.Checkpoint] | None = None,
        write_dir: str | None = None,
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
          errors.CheckpointError: the list of checkpoints there is damaged.
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
        """Whether the present state, of this score, is better than the best checkpoint so far.

        Encoders that nobody trained are never the best. Of equal scores the later step counts.
        """
        step = int(self._model.step.numpy())
        path = self._folder / "best" / "score.json"
        if not step or not path.exists():
            return step > 0
        try:
            text = path.read_text(encoding="utf-8")
            held = strict_json.build(dict[str, float], strict_json.loads(text))
            return not held["step"] or (score, step) > (held["score"], held["step"])
        except (ValueError, KeyError) as error:
            raise errors.CheckpointError(
                f"{path} is damaged ({error}): remove it, and the next evaluation is the best"
            ) from error

    def save_best(self, score: float) -> None:
        """Saves the present state as the best, with its score."""
        path = self._folder / "best" / "score.json"
        step = int(self._model.step.numpy())
        self._save(self._best)
        files.write_atomically(path, json.dumps({"score": score, "step": step}) + "\n")

    def restore(self) -> str | None:
        """Restores the last checkpoint; returns its path, or None where there is none.

        Raises:
          errors.CheckpointError: the checkpoint does not fit the model or is damaged.
        """
        path = latest(pathlib.Path(self._run_dir) / "checkpoints")
        if path is None:
            return None
        with naming_damage(path):
            self._require_same_pools(path)
            self._last.checkpoint.restore(path).assert_existing_objects_matched()
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


def find(run_dir: str, which: str = "latest") -> str:
    """Path of a run's checkpoint.

    Args:
      run_dir: folder of the run.
      which: "latest", "best", or the path of a checkpoint (without .index).

    Raises:
      errors.CheckpointError: there is none.
    """
    folders = {"latest": "checkpoints", "best": "best"}
    if which in folders:
        path = latest(pathlib.Path(run_dir) / folders[which])
    else:
        path = which if pathlib.Path(f"{which}.index").exists() else None
    if path is None:
        raise errors.CheckpointError(f"{run_dir} holds no checkpoint '{which}'")
    return path


def choose(run_dir: str, which: str) -> str:
    """What "auto" stands for in a run: "best" if a trained state is there, else "latest".

    Args:
      run_dir: folder of the run.
      which: "auto", or what `find` takes, which is returned as it is.

    Raises:
      errors.CheckpointError: the best checkpoint is damaged.
    """
    if which != "auto":
        return which
    best = latest(pathlib.Path(run_dir) / "best")
    return "best" if best is not None and pathlib.Path(best).name != "step-0" else "latest"


def exist_in(run_dir: str) -> bool:
    """Whether a folder holds a checkpoint that a run would go on from."""
    return latest(pathlib.Path(run_dir) / "checkpoints") is not None


def latest(folder: pathlib.Path) -> str | None:
    """The last checkpoint of a folder; None if it holds none.

    The file `checkpoint` says which it is. Where that is missing, because the run was killed in its
    first save or the folder was copied in part, it is the last one that has all its files.

    Args:
      folder: RUN/checkpoints or RUN/best.

    Raises:
      errors.CheckpointError: files of the last one are missing, or `checkpoint` is damaged.
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
        raise errors.CheckpointError(
            f"checkpoint {last} lacks its file {_missing(last)}: copy the folder anew{older}"
        )
    return str(last)


def _read_state(folder: pathlib.Path) -> Any:
    """What the file `checkpoint` of a folder says; None if there is none."""
    try:
        return tf.train.get_checkpoint_state(str(folder))
    except (ValueError, tf.errors.OpError) as error:
        raise errors.CheckpointError(
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


@contextlib.contextmanager
def naming_damage(path: str) -> Iterator[None]:
    """Turns what TensorFlow raises on a checkpoint that is damaged, or of something else.

    Args:
      path: of the checkpoint that is restored.
    """
    try:
        yield
    except (AssertionError, ValueError, IndexError, tf.errors.OpError) as error:
        reason = str(error).strip() or type(error).__name__
        raise errors.CheckpointError(
            f"checkpoint {path} cannot be restored: {reason.splitlines()[0]}"
        ) from error
