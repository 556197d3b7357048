"""What an export says of its encoders: where they come from, what they take, how good they were."""

import hashlib
import json
import pathlib
import platform
from importlib import metadata as distributions
from typing import Any

import tensorflow as tf

from actcl_tf import keras_2
from actcl_tf.export.modules import Spec
from actcl_tf.pretrained import layout
from actcl_tf.train.runs import loading

_OUTPUTS = {
    "embedding": "float32 [B, D], unit vectors; the dot product of a video's and an audio's says "
    "how well they go together",
    "features": "float32 [B, d], output of the backbone, for classifiers of one's own",
}


def spec_of(run: loading.LoadedRun) -> Spec:
    """What the encoders of a run take."""
    data, facts = run.config.data, run.data_facts
    return Spec(
        num_frames=data.num_frames,
        image_size=data.image_size,
        region=data.region_box,
        sample_rate=facts.sample_rate,
        num_audio_samples=facts.num_audio_samples,
    )


def describe(run: loading.LoadedRun, run_dir: str, which: str, precision: str) -> dict[str, Any]:
    """The description of a run's encoders, ready for JSON.

    Args:
      run: loaded run.
      run_dir: its folder.
      which: of its checkpoints was loaded.
      precision: Keras policy of the encoders.
    """
    data, facts = run.config.data, run.data_facts
    spec = spec_of(run)
    frame_rate = facts.frame_rate / data.frame_stride
    return {
        "format": layout.FORMAT,
        "step": run.step,
        "checkpoint": which,
        "digest": weights_digest(run),
        "data_digest": facts.digest,
        "precision": precision,
        "frame_rate": frame_rate,
        "min_audio_samples": run.audio_tower.frontend.window,
        "embedding_size": run.config.model.embedding_size,
        "features_size": {
            layout.VIDEO: run.video_tower.backbone.num_features,
            layout.AUDIO: run.audio_tower.backbone.num_features,
        },
        **spec._asdict(),
        "region": list(spec.region),
        "classes": list(facts.classes),
        "metrics": _scores(pathlib.Path(run_dir), run.step),
        "config": run.config.to_dict(),
        "versions": {
            **{name: distributions.version(name) for name in ("actcl_tf", "tensorflow")},
            "keras": distributions.version(keras_2.distribution()),
            "python": platform.python_version(),
        },
        "signatures": signatures(spec, frame_rate, run.audio_tower.frontend.window),
    }


def signatures(spec: Spec, frame_rate: float, min_samples: int) -> dict[str, Any]:
    """Signature -> its inputs and outputs, in words."""
    length = (
        f"T of at least {spec.num_frames}; longer ones are cut into windows of {spec.num_frames} "
        "frames, whose features and embeddings are averaged"
    )
    rate = f"RGB at {frame_rate:g} frames a second"
    video = {
        "video": f"uint8 [B, T, H, W, 3], {rate}, of any size: the largest central square (of the "
        f"region) is resized to {spec.image_size} pixels; {length}"
    }
    audio = {
        "audio": f"float32 [B, S], mono in [-1, 1] at {spec.sample_rate} Hz; S of at least "
        f"{min_samples}; audio longer than {spec.num_audio_samples} samples is cut into such "
        "windows, whose features and embeddings are averaged"
    }
    pair = {
        f"{part}_{name}": text for part in ("video", "audio") for name, text in _OUTPUTS.items()
    }
    pair["similarity"] = "float32 [B], cosine of the two embeddings of each pair"
    return {
        "video": {"inputs": video, "outputs": _OUTPUTS},
        "video_jpeg": {
            "inputs": {"video_jpeg": f"string [B, T], JPEG images, {rate}, of any sizes; {length}"},
            "outputs": _OUTPUTS,
        },
        "audio": {"inputs": audio, "outputs": _OUTPUTS},
        "audio_wav": {
            "inputs": {
                "audio_wav": "string [B], WAV files of 16-bit samples, of any sample rates, "
                "channels and lengths; windows as for audio"
            },
            "outputs": _OUTPUTS,
        },
        "serving_default": {
            "of": "the video encoder: video; the audio encoder: audio; the pair: as follows",
            "inputs": {**video, **audio},
            "outputs": pair,
        },
    }


def weights_digest(run: loading.LoadedRun) -> str:
    """A fingerprint of the weights of both towers."""
    digest = hashlib.sha256()
    for tower in (run.video_tower, run.audio_tower):
        for variable in tower.variables:
            digest.update(tf.io.serialize_tensor(variable).numpy())
    return digest.hexdigest()[:16]


def _scores(run_dir: pathlib.Path, step: int) -> dict[str, float]:
    """Scores of the evaluation at that step during training; none if there was none."""
    path = run_dir / "scalars.jsonl"
    if not path.exists():
        return {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue  # A killed run's last line.
        found = {name: value for name, value in record.items() if name.startswith("eval/")}
        if record.get("step") == step and found:
            return {name.removeprefix("eval/"): value for name, value in found.items()}
    return {}
