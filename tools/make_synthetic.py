"""Makes the built-in data set: sounding objects, rendered to real MP4 files.

python tools/make_synthetic.py --output=FOLDER [--zipf=1.0]
"""

import os
import pathlib
import signal
import sys
import time

# Run from anywhere, installed or not.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import field_flags
from absl import flags

from actcl_tf.console import commands
from actcl_tf.data.synthetic import plan, synthetic

_OUTPUT = flags.DEFINE_string("output", None, "Folder to write the data set to.")
_NUM_TRAIN = flags.DEFINE_integer("num_train", 1000, "Clips of the training split.")
_NUM_TEST = flags.DEFINE_integer("num_test", 200, "Clips of the test split.")
_SEED = flags.DEFINE_integer("seed", 0, "Seed of every random draw.")
_ZIPF = flags.DEFINE_float(
    "zipf", 0.0, "Exponent of the categories' frequencies in the training split; 0: balanced."
)
_BUILDS = flags.DEFINE_integer(
    "builds", 1, "Builds of object, 1 to 16: there are 16 categories for each.", 1, 16
)
_TAKES = flags.DEFINE_integer(
    "takes", 1, "Training clips of one object, alike as clips of one long video are.", 1
)
_SHARED_CAUSES = flags.DEFINE_string(
    "shared_causes",
    "all",
    "What audio and video have in common: category, category+pitch (or +beats, +size, or several), "
    "or all. The other causes are drawn apart for the audio.",
)
_NUM_WORKERS = flags.DEFINE_integer("num_workers", None, "Rendering processes; none: one a core.")
_SIZE = flags.DEFINE_integer("size", 96, "Height and width of the frames, in pixels.")
_FRAME_RATE = flags.DEFINE_float("frame_rate", 12.5, "Frames a second.")
_SECONDS = flags.DEFINE_float("seconds", 3.0, "Length of a clip.")
_SAMPLE_RATE = flags.DEFINE_integer("sample_rate", 16000, "Samples of audio a second.")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main(argv: list[str]) -> None:
    """Writes the data set and says what was made and what comes next."""
    # Ends the rendering processes as Ctrl-C does.
    signal.signal(signal.SIGTERM, _interrupt)
    if len(argv) > 1:
        sys.exit(f"error: unexpected argument {argv[1]}; flags are written --name=value")
    if not _OUTPUT.value:
        sys.exit("error: --output=: must name the folder that the data set is written to")
    folder = pathlib.Path(_OUTPUT.value)
    start = time.monotonic()
    try:
        synthetic.write_dataset(
            folder,
            num_train=_NUM_TRAIN.value,
            num_test=_NUM_TEST.value,
            seed=_SEED.value,
            zipf=_ZIPF.value,
            builds=_BUILDS.value,
            takes=_TAKES.value,
            shared_causes=_SHARED_CAUSES.value,
            num_workers=_NUM_WORKERS.value,
            size=_SIZE.value,
            frame_rate=_FRAME_RATE.value,
            seconds=_SECONDS.value,
            sample_rate=_SAMPLE_RATE.value,
        )
    except (synthetic.SyntheticError, OSError) as error:
        sys.exit(f"error: {commands.as_called(error)}")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on where it stopped")
    print(_summary(folder, time.monotonic() - start))


def _summary(folder: pathlib.Path, elapsed: float) -> str:
    files = [
        os.path.join(place, name)
        for place, _, names in os.walk(folder)
        for name in names
        if name.endswith(".mp4")
    ]
    megabytes = sum(map(os.path.getsize, files)) / 1e6
    counts = plan.category_counts(_NUM_TRAIN.value, _ZIPF.value, _SEED.value, _BUILDS.value)
    arguments = (
        f"--input={folder}",
        f"--output={folder.with_name(folder.name + '_prepared')}",
        f"--frame_rate={_FRAME_RATE.value:g}",
        f"--sample_rate={_SAMPLE_RATE.value}",
    )
    return "\n".join(
        (
            f"{len(files)} clips of {_SECONDS.value:g} s in {folder}: train {_NUM_TRAIN.value}, "
            f"test {_NUM_TEST.value} ({megabytes:.1f} MB, {elapsed:.1f} s)",
            f"{len(counts)} categories, {min(counts.values())} to {max(counts.values())} training "
            "clips each",
            f"true parameters of every clip, for evaluation only: "
            f"{folder / synthetic.PARAMETERS_FILE}",
            f"next: {commands.tool('prepare_data.py', *arguments)}",
        )
    )


if __name__ == "__main__":
    field_flags.run(main)
