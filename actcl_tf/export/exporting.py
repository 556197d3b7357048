"""A run's folder -> an export: SavedModels, and TFLite models where they are asked for."""

import contextlib
import dataclasses
import json
import pathlib
import shutil
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from actcl_tf import config
from actcl_tf.console import bars, commands
from actcl_tf.data.input import pipeline
from actcl_tf.data.records import records
from actcl_tf.export import description, forms, lite, saved_models
from actcl_tf.export.errors import ExportError
from actcl_tf.pretrained import layout
from actcl_tf.storage import files
from actcl_tf.train.runs import checkpoints, loading

_CHECKED_CLIPS = 64
_BATCH_SIZE = 16
_REPORT = "agreement.json"


class LiteModel(NamedTuple):
    """A TFLite model that was written.

    Attributes:
      path: of the file.
      kind: of forms.TFLITE.
      num_bytes: its size.
      agreement: with the encoder.
      float_ops: operations in floating point.
    """

    path: pathlib.Path
    kind: str
    num_bytes: int
    agreement: lite.Agreement
    float_ops: dict[str, int]


class Exported(NamedTuple):
    """What was written, and what is said of it."""

    folder: pathlib.Path
    version: int
    metadata: dict[str, Any]
    lite: tuple[LiteModel, ...]


def export_run(
    run_dir: str,
    output_dir: str,
    *,
    which: str = "auto",
    version: int = 1,
    precision: str = "float32",
    tflite: Sequence[str] = (),
    data_dir: str = "",
    calibration_clips: int = 100,
) -> Exported:
    """Exports the encoders of a run.

    Args:
      run_dir: folder of the run.
      output_dir: folder to write to.
      which: checkpoint: latest, best, auto (best if there is one) or the path of one.
      version: of the export.
      precision: of forms.PRECISIONS, that the SavedModels compute in.
      tflite: of forms.TFLITE.
      data_dir: prepared data that TFLite models are calibrated and checked on; empty: the run's.
      calibration_clips: training clips that int8 is calibrated on.

    Raises:
      config.ConfigError: a wrong value.
      errors.CheckpointError: no run, no such checkpoint, or one that does not fit.
      records.DataError: the data for TFLite cannot be read.
      ExportError: the export cannot be written.
    """
    forms.check(tflite, calibration_clips)
    saved_models.check_output(output_dir, version)
    which = checkpoints.choose(run_dir, which)
    run = _load(run_dir, which, precision)
    clips = _clips(run, data_dir, calibration_clips) if tflite else {}
    metadata = description.describe(run, run_dir, which, precision)
    folder = pathlib.Path(output_dir)
    spec = description.spec_of(run)
    # TFLite first: the pair, written last of all, says that a version is whole.
    lite_folder = folder / layout.TFLITE / str(version)
    lite_models = ()
    if tflite:
        exact = run if precision == "float32" else _load(run_dir, which, "float32")
        lite_models = _write_lite(exact, clips, tflite, lite_folder, metadata)
    saved_models.save(
        run.video_tower,
        run.audio_tower,
        spec,
        metadata=metadata,
        output_dir=output_dir,
        version=version,
    )
    return Exported(folder, version, metadata, lite_models)


def _load(run_dir: str, which: str, precision: str) -> loading.LoadedRun:
    with computing_in(precision):
        return loading.load_towers(run_dir, which)


@contextlib.contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Encoders that are built inside compute in this precision (a Keras policy)."""
    before = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy(precision)
    try:
        yield
    finally:
        tf.keras.mixed_precision.set_global_policy(before)


def _clips(
    run: loading.LoadedRun, data_dir: str, calibration_clips: int
) -> dict[str, dict[str, np.ndarray]]:
    """Use (calibrate, check) -> modality -> clips [n, ...] as the towers take them."""
    data = run.config.data
    if data_dir:
        data = dataclasses.replace(data, data_dir=data_dir)
    try:
        calibrate = first_clips(data, data.train_split, calibration_clips)
        check = first_clips(data, data.eval_split or data.train_split, _CHECKED_CLIPS)
    except records.DataError as error:
        raise records.DataError(
            f"{error}; --tflite needs prepared data to calibrate and to check models on: name it "
            "as --data_dir"
        ) from error
    return {"calibrate": calibrate, "check": check}


def first_clips(data: config.DataConfig, split: str, count: int) -> dict[str, np.ndarray]:
    """The first clips of a split, as towers take them, each the middle window of its clip.

    Args:
      data: data section of the run; `data_dir` must be prepared.
      split: "train", "test", ...
      count: how many; fewer where the split is smaller.

    Returns:
      Modality -> video [n, T, H, W, 3] uint8, audio [n, S] float32.

    Raises:
      records.DataError: the data is missing or damaged.
    """
    batches = []
    dataset = pipeline.build_eval_dataset(data, split=split, batch_size=_BATCH_SIZE, num_windows=1)
    for batch in dataset.take(-(-count // _BATCH_SIZE)):
        batches.append({name: batch[name].numpy()[:, 0] for name in (layout.VIDEO, layout.AUDIO)})
    names = batches[0].keys()
    return {name: np.concatenate([each[name] for each in batches])[:count] for name in names}


def _write_lite(
    run: loading.LoadedRun,
    clips: dict[str, dict[str, np.ndarray]],
    kinds: Sequence[str],
    folder: pathlib.Path,
    metadata: dict[str, Any],
) -> tuple[LiteModel, ...]:
    towers = {layout.VIDEO: run.video_tower, layout.AUDIO: run.audio_tower}
    wanted = [(modality, kind) for modality in towers for kind in dict.fromkeys(kinds)]
    models, made = {}, []
    for modality, kind in bars.Bar(wanted, desc="TFLite", unit="model"):
        tower, name = towers[modality], f"{modality}_{kind}.tflite"
        models[name] = lite.convert(tower, clips["calibrate"][modality], kind)
        agrees = lite.agreement(models[name], tower, clips["check"][modality])
        ops = lite.float_ops(models[name])
        made.append(LiteModel(folder / name, kind, len(models[name]), agrees, ops))
    report = {
        each.path.name: {
            "bytes": each.num_bytes,
            "agreement": each.agreement._asdict(),
            "float_operations": each.float_ops,
        }
        for each in made
    }
    texts = {layout.METADATA: metadata, _REPORT: report}
    encoded = {name: f"{json.dumps(text, indent=2)}\n".encode() for name, text in texts.items()}
    try:
        shutil.rmtree(folder, ignore_errors=True)  # What a killed export left.
        lite.write(folder, [*models.items(), *encoded.items()])
    except (OSError, files.DataError) as error:
        raise ExportError(f"{folder} cannot be written: {error}") from error
    return tuple(made)


def summary_text(exported: Exported) -> str:
    """What was written, where it is and how to use it."""
    there, folder = exported.metadata, exported.folder
    text = f"""\
Wrote the encoders of step {there["step"]} ({there["checkpoint"]}), version {exported.version}, \
to {folder}:
  {folder}/video, {folder}/audio and {folder}/pair: SavedModels, for TensorFlow Serving too
{_lite_text(exported)}Use:
  import actcl_tf
  encoders = actcl_tf.load("{folder}")
  encoders.video.embed(frames)["embedding"]  # uint8 [B, T, H, W, 3] at {there["frame_rate"]:g} \
a second, T of at least {there["num_frames"]}
  encoders.audio.embed(waves)["embedding"]  # float32 [B, S] in [-1, 1] at {there["sample_rate"]} Hz
or, with TensorFlow alone:
  model = tf.saved_model.load("{folder}/pair/{exported.version}")
  model.signatures["video"](video=frames)["embedding"]  # also video_jpeg, audio, audio_wav
Next: """
    arguments = ("index", "FOLDER_OF_VIDEOS", f"--model={folder}", "--index=INDEX_FOLDER")
    return text + commands.tool("search.py", *arguments)


def _lite_text(exported: Exported) -> str:
    """The TFLite models, their sizes and how well they agree."""
    if not exported.lite:
        return ""
    lines = [f"  {'TFLite':44} {'MB':>7} {'cosine':>8}  in floating point"]
    for model in exported.lite:
        ops = "all" if model.kind != "int8" else ", ".join(_counted(model.float_ops)) or "nothing"
        lines.append(
            f"  {model.path!s:44} {model.num_bytes / 1e6:7.2f} {model.agreement.least:8.4f}  {ops}"
        )
        wanted = lite.LEAST_COSINE[model.kind]
        if model.agreement.least < wanted:
            lines.append(f"    WARNING: less than {wanted}: measure it before using it")
    clips = exported.lite[0].agreement.num_clips
    lines.append(f"  (cosine: the least of {clips} clips' embeddings with the encoder's)")
    return "".join(f"{line}\n" for line in lines)


def _counted(operations: dict[str, int]) -> list[str]:
    return [f"{count} {name}" for name, count in operations.items()]
