"""What is measured: encoders of a run or of SavedModels, as trained or as initialised."""

import dataclasses
import hashlib
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from actcl_tf import config
from actcl_tf.data.records import records
from actcl_tf.models import frontends, torchvision_weights, two_tower
from actcl_tf.pretrained import layout
from actcl_tf.storage import strict_json
from actcl_tf.train.runs import checkpoints, errors, loading, run_folder

_BLOCK_BYTES = 2**20


class Encoded(NamedTuple):
    """What an encoder gives for a batch.

    Attributes:
      features: [B, d] float32, what an application uses.
      embedding: [B, D] float32, unit vectors, for retrieval across modalities; None where there
        are none.
    """

    features: tf.Tensor
    embedding: tf.Tensor | None


Encode = Callable[[tf.Tensor], Encoded]


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """Where encoders come from, and what they were trained on.

    Attributes:
      kind: "run" or "saved_model".
      path: its folder.
      file: path of the checkpoint in it; of a SavedModel, the folder.
      digest: fingerprint of all weights.
      step: of training.
      run: the configuration it was trained with.
      sample_rate: samples a second that the audio encoder takes.
      frame_rate: frames a second that the video encoder takes, stride counted.
      num_audio_samples: samples of a training clip.
    """

    kind: str
    path: str
    file: str
    digest: str
    step: int
    run: config.PretrainConfig
    sample_rate: int
    frame_rate: float
    num_audio_samples: int

    def facts(self) -> dict[str, Any]:
        """What a result says of it."""
        return {name: getattr(self, name) for name in ("kind", "path", "digest", "step")}


def open_checkpoint(path: str, which: str = "auto") -> Checkpoint:
    """Reads what a run's folder or an export is; loads no weights yet.

    Args:
      path: folder of a run (--run_dir of tools/train.py) or of an export (--output of
        tools/export.py).
      which: checkpoint of a run: "latest", "best", "auto" (see `checkpoints.choose`) or the path
        of one.

    Raises:
      errors.CheckpointError: it is neither, or is damaged.
    """
    folder = pathlib.Path(path)
    if not folder.is_dir():
        raise errors.CheckpointError(
            f"--checkpoint={path}: no such folder; name the --run_dir of tools/train.py or the "
            "--output of tools/export.py"
        )
    if layout.is_export(folder):
        return _open_export(folder)
    run, facts = run_folder.read_run(path)
    file = checkpoints.find(path, checkpoints.choose(path, which))
    return Checkpoint(
        kind="run",
        path=path,
        file=file,
        digest=_digest(sorted(pathlib.Path(file).parent.glob(f"{pathlib.Path(file).name}.*"))),
        step=checkpoints.step_of(file),
        run=run,
        sample_rate=facts.sample_rate,
        frame_rate=facts.frame_rate / run.data.frame_stride,
        num_audio_samples=facts.num_audio_samples,
    )


def _open_export(folder: pathlib.Path) -> Checkpoint:
    try:
        there = layout.read_metadata(folder)
        saved = layout.model_folder(folder, layout.PAIR)
        return Checkpoint(
            kind="saved_model",
            path=str(folder),
            file=str(saved),
            digest=_digest(sorted(file for file in saved.rglob("*") if file.is_file())),
            step=strict_json.build(int, there["step"], "step"),
            run=config.from_dict(there["config"]),
            sample_rate=there["sample_rate"],
            frame_rate=there["frame_rate"],
            num_audio_samples=there["num_audio_samples"],
        )
    except layout.PretrainedError as error:
        raise errors.CheckpointError(str(error)) from error
    except (KeyError, TypeError, ValueError) as error:
        raise errors.CheckpointError(
            f"{folder} is damaged or not of this version ({error!r}): export the encoders again"
        ) from error


def _digest(files: list[pathlib.Path]) -> str:
    """A fingerprint of the contents of files, in order."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            for block in iter(lambda: stream.read(_BLOCK_BYTES), b""):
                digest.update(block)
    return digest.hexdigest()[:16]


def load(checkpoint: Checkpoint) -> dict[str, Encode]:
    """The trained encoders, modality -> function; in the precision of the global policy.

    The video encoder takes [B, T, H, W, 3] uint8, the audio encoder [B, S] float32.

    Raises:
      errors.CheckpointError: the weights do not fit or are damaged.
    """
    if checkpoint.kind == "run":
        return _of_towers(*trained_towers(checkpoint))
    saved = _load_export(checkpoint)
    return {"video": _of_saved_model(saved.video), "audio": _of_saved_model(saved.audio)}


def trained_towers(checkpoint: Checkpoint) -> tuple[two_tower.Tower, two_tower.Tower]:
    """The trained towers, to be trained further; in the precision of the global policy.

    Raises:
      errors.CheckpointError: the weights do not fit or are damaged.
    """
    if checkpoint.kind == "run":
        loaded = loading.load_towers(checkpoint.path, checkpoint.file)
        return loaded.video_tower, loaded.audio_tower
    saved = _load_export(checkpoint)
    towers = fresh_towers(checkpoint.run, checkpoint.sample_rate, checkpoint.num_audio_samples)
    for tower, part in zip(towers, (saved.video, saved.audio), strict=True):
        for variable, value in zip(tower.variables, part.variables, strict=True):
            variable.assign(value)
    return towers


def _load_export(checkpoint: Checkpoint) -> Any:
    try:
        return tf.saved_model.load(checkpoint.file)
    except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
        reason = str(error).strip().splitlines()[0]
        raise errors.CheckpointError(f"{checkpoint.path} cannot be loaded: {reason}") from error


def initialised(checkpoint: Checkpoint) -> dict[str, Encode]:
    """The encoders as the run began with them, modality -> function.

    Raises:
      config.ConfigError: the weights that the run began with cannot be read any more.
    """
    run = checkpoint.run
    imported = None
    if run.train.init_from:
        imported = torchvision_weights.read(run.train.init_from, run.model.video_encoder)
    tf.keras.utils.set_random_seed(run.train.seed)
    towers = fresh_towers(run, checkpoint.sample_rate, checkpoint.num_audio_samples)
    if imported is not None:
        towers[0].backbone.set_weights(imported.weights)
    return _of_towers(*towers)


def fresh_towers(
    run: config.PretrainConfig, sample_rate: int, num_audio_samples: int
) -> tuple[two_tower.Tower, two_tower.Tower]:
    """Towers with fresh weights, drawn from TensorFlow's global seed; see `build_towers`."""
    return two_tower.build_towers(
        run.model, run.data, sample_rate=sample_rate, num_audio_samples=num_audio_samples
    )


def log_mel(sample_rate: int, mel_bands: int) -> dict[str, Encode]:
    """Mean and standard deviation over time of each band of the spectrogram: no encoder at all.

    Args:
      sample_rate: samples a second.
      mel_bands: R; there are 2 R features.
    """
    frontend = frontends.AudioFrontend(sample_rate, mel_bands, 0.0, 0.0)

    def encode(audio: tf.Tensor) -> Encoded:
        spectrogram = tf.cast(frontend(audio, training=False), tf.float32)
        moments = tf.math.reduce_mean(spectrogram, 1), tf.math.reduce_std(spectrogram, 1)
        return Encoded(tf.concat(moments, 1), None)

    return {"audio": encode}


def _of_towers(video: tf.keras.Model, audio: tf.keras.Model) -> dict[str, Encode]:
    def encode_with(tower: tf.keras.Model) -> Encode:
        def encode(inputs: tf.Tensor) -> Encoded:
            output = tower(inputs, training=False)
            return Encoded(output.features, output.embedding)

        return encode

    return {"video": encode_with(video), "audio": encode_with(audio)}


def _of_saved_model(model: Any) -> Encode:
    """The graph as it was exported, of clips that the input pipeline has cut and resized."""

    def encode(inputs: tf.Tensor) -> Encoded:
        output = model.encode(inputs, training=False)
        return Encoded(output["features"], output["embedding"])

    return encode


def match_rates(
    data: config.DataConfig,
    manifest: records.Manifest,
    checkpoint: Checkpoint,
    given: Mapping[str, Any],
) -> config.DataConfig:
    """The data section with the stride at which the encoder gets the frame rate it knows.

    Args:
      data: data section to use.
      manifest: of the split to measure on.
      checkpoint: of the encoder.
      given: settings that the user named: a stride among them is kept.

    Raises:
      records.DataError: no stride gives that rate, or the audio has another sample rate.
    """
    if manifest.streams != "video" and round(manifest.sample_rate) != checkpoint.sample_rate:
        raise records.DataError(
            f"{data.data_dir} has audio of {manifest.sample_rate:g} samples a second, and the "
            f"audio encoder takes {checkpoint.sample_rate}: prepare the data with "
            f"--sample_rate={checkpoint.sample_rate}"
        )
    if manifest.streams == "audio" or "frame_stride" in given:
        return data
    exact = manifest.frame_rate / checkpoint.frame_rate
    stride = max(1, round(exact))
    if abs(exact / stride - 1) > 0.02:
        raise records.DataError(
            f"{data.data_dir} has {manifest.frame_rate:g} frames a second, and the video encoder "
            f"takes {checkpoint.frame_rate:g}: prepare the data with "
            f"--frame_rate={checkpoint.frame_rate:g}, or name a --frame_stride"
        )
    return dataclasses.replace(data, frame_stride=stride)
