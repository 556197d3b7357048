"""Writes the encoders of a run as SavedModels that need TensorFlow alone.

python tools/export.py --checkpoint=RUN_DIR --output=DIR
"""

import pathlib
import sys

# Run from anywhere, installed or not.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import field_flags
from absl import app, flags

from actcl_tf import export
from actcl_tf.train import checkpointing

_CHECKPOINT = flags.DEFINE_string("checkpoint", None, "Folder of the run.", required=True)
_WHICH = flags.DEFINE_string(
    "which",
    "auto",
    "Checkpoint of the run: latest, best (of its evaluations), auto (best if there is one), or the "
    "path of a checkpoint without .index.",
)
_OUTPUT = flags.DEFINE_string("output", None, "New folder to write to.", required=True)

_EXAMPLE = """Use:
  import tensorflow as tf
  encode = tf.saved_model.load("{folder}/video").signatures["serving_default"]
  encode(video=frames)["embedding"]  # frames: uint8 [B, T, H, W, 3] at {frame_rate:g} a second
  encode = tf.saved_model.load("{folder}/audio").signatures["serving_default"]
  encode(audio=waves)["embedding"]  # waves: float32 [B, S] in [-1, 1] at {sample_rate} Hz"""


def main(argv: list) -> None:
    """Loads the encoders, writes them and shows how to use them."""
    if len(argv) > 1:
        sys.exit(f"error: unexpected argument {argv[1]}; flags are written --name=value")
    which = _WHICH.value
    if which == "auto":
        evaluated = (pathlib.Path(_CHECKPOINT.value) / "best" / "checkpoint").exists()
        which = "best" if evaluated else "latest"
    try:
        run = checkpointing.load_towers(_CHECKPOINT.value, which)
        facts, data = run.data_facts, run.config.data
        export.export_towers(
            run.video_tower,
            run.audio_tower,
            _OUTPUT.value,
            {
                "frame_rate": facts.frame_rate / data.frame_stride,
                "sample_rate": facts.sample_rate,
                "num_frames": data.num_frames,
                "num_audio_samples": facts.num_audio_samples,
                "classes": list(facts.classes),
                "checkpoint": which,
                "step": run.step,
                "model": run.config.to_dict()["model"],
            },
            image_size=data.image_size,
            region=data.region_box,
        )
    except (checkpointing.CheckpointError, export.ExportError) as error:
        sys.exit(f"error: {error}")
    print(f"Wrote the encoders of step {run.step} ({which}) to {_OUTPUT.value}.")
    print(
        _EXAMPLE.format(
            folder=_OUTPUT.value.rstrip("/"),
            frame_rate=facts.frame_rate / data.frame_stride,
            sample_rate=facts.sample_rate,
        )
    )


if __name__ == "__main__":
    app.run(main, flags_parser=field_flags.parse)
