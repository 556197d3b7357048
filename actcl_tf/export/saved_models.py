"""Writes the SavedModels of an export, each whole or not at all."""

import json
import pathlib
import shutil
import uuid
from typing import Any

import tensorflow as tf

from actcl_tf.console import bars
from actcl_tf.export import modules, warmup
from actcl_tf.export.errors import ExportError
from actcl_tf.pretrained import layout


def save(
    video_tower: tf.keras.Model,
    audio_tower: tf.keras.Model,
    spec: modules.Spec,
    metadata: dict[str, Any],
    output_dir: str,
    version: int = 1,
) -> None:
    """Writes OUTPUT_DIR/{video,audio,pair}/VERSION: see `pretrained.layout`.

    Args:
      video_tower: [B, T, H, W, 3] uint8 -> TowerOutput.
      audio_tower: [B, S] float32 -> TowerOutput.
      spec: what the towers take.
      metadata: what is said of them; becomes an asset of each SavedModel.
      output_dir: folder to write to; it may hold other versions.
      version: positive number.

    Raises:
      ExportError: the version is there, the folder is no export, or it cannot be written.
    """
    folder = pathlib.Path(output_dir)
    check_output(output_dir, version)
    video, audio = modules.video_module(video_tower, spec), modules.audio_module(audio_tower, spec)
    parts = {
        layout.VIDEO: video,
        layout.AUDIO: audio,
        layout.PAIR: modules.pair_module(video, audio),
    }
    temporary = folder / f".{uuid.uuid4().hex[:12]}.tmp"
    try:
        temporary.mkdir(parents=True)
        asset = temporary / layout.METADATA
        asset.write_text(json.dumps(metadata, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        for name, module in bars.Bar(parts.items(), desc="SavedModels", unit="model"):
            module.root.metadata = tf.saved_model.Asset(str(asset))
            tf.saved_model.save(module.root, str(temporary / name), signatures=module.signatures)
            warmup.write(temporary / name, name, spec)
        for name in parts:  # The pair last: with it the version is there.
            target = folder / name / str(version)
            target.parent.mkdir(exist_ok=True)
            shutil.rmtree(target, ignore_errors=True)  # What a killed export left.
            (temporary / name).replace(target)
    except (OSError, tf.errors.OpError) as error:
        raise ExportError(f"{folder} cannot be written: {error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_output(output_dir: str, version: int) -> None:
    """Refuses what cannot be written to, before any work.

    Raises:
      ExportError: the version is there already, or the folder holds something else.
    """
    folder = pathlib.Path(output_dir)
    if version < 1:
        raise ExportError(f"--version={version}: must be at least 1")
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ExportError(f"{folder} cannot be written: it is a file")
    ours = {layout.VIDEO, layout.AUDIO, layout.PAIR, layout.TFLITE}
    others = [p.name for p in folder.iterdir() if p.name not in ours and not p.name.startswith(".")]
    if others:
        raise ExportError(f"{folder} is not empty ({sorted(others)[0]}); name a new folder")
    if version in layout.versions(folder):
        raise ExportError(
            f"{folder} holds version {version} already; name a higher --version, or a new folder"
        )
