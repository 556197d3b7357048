"""What is measured: encoders of a run or of SavedModels, as trained or as initialised."""

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any, Callable, NamedTuple, Optional

import tensorflow as tf

from actcl_tf import config
from actcl_tf.data import records
from actcl_tf.models import frontends, two_tower
from actcl_tf.train import checkpointing

METADATA = "metadata.json"  # What makes a folder an export.
_BLOCK_BYTES = 2**20


class Encoded(NamedTuple):
    """What an encoder gives for a batch.

    Attributes:
      features: [B, d] float32, what an application uses.
      embedding: [B, D] float32, unit vectors, for retrieval across modalities; None where there
        are none.
    """

    features: tf.Tensor
    embedding: Optional[tf.Tensor]


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
      which: checkpoint of a run: "latest", "best", "auto" (best if there is one) or the path of
        one.

    Raises:
      checkpointing.CheckpointError: it is neither, or is damaged.
    """
    folder = pathlib.Path(path)
    if not folder.is_dir():
        raise checkpointing.CheckpointError(
            f"--checkpoint={path}: no such folder; name the --run_dir of tools/train.py or the "
            "--output of tools/export.py"
        )
    if (folder / METADATA).exists():
        return _open_export(folder)
    if which == "auto":
        which = "best" if (folder / "best" / "checkpoint").exists() else "latest"
    run, facts = checkpointing.read_run(path)
    file = checkpointing.find_checkpoint(path, which)
    return Checkpoint(
        kind="run",
        path=path,
        file=file,
        digest=_digest(sorted(pathlib.Path(file).parent.glob(f"{pathlib.Path(file).name}.*"))),
        step=checkpointing.step_of(file),
        run=run,
        sample_rate=facts.sample_rate,
        frame_rate=facts.frame_rate / run.data.frame_stride,
        num_audio_samples=facts.num_audio_samples,
    )


def _open_export(folder: pathlib.Path) -> Checkpoint:
    path = folder / METADATA
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
        region = ",".join(map(str, there["region"]))
        values = {name: there[name] for name in ("num_frames", "image_size")}
        run = config.from_flat({**there["model"], **values, "region": region})
        files = [file for name in ("video", "audio") for file in (folder / name).rglob("*")]
        return Checkpoint(
            kind="saved_model",
            path=str(folder),
            file=str(folder),
            digest=_digest(sorted(file for file in files if file.is_file())),
            step=int(there["step"]),
            run=run,
            sample_rate=int(there["sample_rate"]),
            frame_rate=float(there["frame_rate"]),
            num_audio_samples=int(there["num_audio_samples"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise checkpointing.CheckpointError(
            f"{path} is damaged or not of this version ({error!r}): export the encoders again"
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
      checkpointing.CheckpointError: the weights do not fit or are damaged.
    """
    if checkpoint.kind == "run":
        loaded = checkpointing.load_towers(checkpoint.path, checkpoint.file)
        return _of_towers(loaded.video_tower, loaded.audio_tower)
    try:
        return {
            modality: _of_saved_model(pathlib.Path(checkpoint.path) / modality, modality)
            for modality in ("video", "audio")
        }
    except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
        reason = str(error).strip().splitlines()[0]
        raise checkpointing.CheckpointError(
            f"{checkpoint.path} cannot be loaded: {reason}"
        ) from error


def initialised(checkpoint: Checkpoint) -> dict[str, Encode]:
    """The encoders as the run began with them, modality -> function.

    Raises:
      config.ConfigError: the checkpoint does not say what they were: it is an export.
    """
    if checkpoint.kind != "run":
        raise config.ConfigError(
            "--baselines=initialised: a SavedModel does not know how it began; name the folder of "
            "the run as --checkpoint"
        )
    run = checkpoint.run
    tf.keras.utils.set_random_seed(run.train.seed)
    rates = (checkpoint.sample_rate, checkpoint.num_audio_samples)
    return _of_towers(*fresh_towers(run, *rates))


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


def _of_saved_model(folder: pathlib.Path, modality: str) -> Encode:
    model = tf.saved_model.load(str(folder))

    # A signature alone would not do: its variables go with the model.
    def encode(inputs: tf.Tensor) -> Encoded:
        output = model.signatures["serving_default"](**{modality: inputs})
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
      records.DataError: no stride gives that rate, or the sound has another sample rate.
    """
    if manifest.streams != "video" and round(manifest.sample_rate) != checkpoint.sample_rate:
        raise records.DataError(
            f"{data.data_dir} has sound of {manifest.sample_rate:g} samples a second, and the "
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
