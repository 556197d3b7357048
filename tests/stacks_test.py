"""What one stack of TensorFlow writes, the other reads: runs, exports, search indices."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from tests import media_files

ROOT = pathlib.Path(__file__).resolve().parents[1]
OTHER = ".venv" if sys.version_info >= (3, 12) else ".venv-newest"
TINY = (
    *("--num_frames=4", "--image_size=16", "--video_encoder=resnet3d_6", "--video_width=0.125"),
    *("--audio_encoder=resnet2d_6", "--audio_width=0.125", "--mel_bands=16", "--hidden_size=16"),
    *("--embedding_size=8", "--dictionary_size=8", "--pool_size=16", "--batch_size=4"),
    *("--warmup_steps=1", "--learning_rate=0.01", "--learning_rate_schedule=constant"),
    *("--save_every=2", "--log_every=1", "--eval_split=", "--precision=float32"),
)
EMBED = """
import sys
import actcl_tf
import tensorflow as tf
encoders = actcl_tf.load(sys.argv[1])
clip = encoders.read(sys.argv[2])
for encoder, of in ((encoders.video, clip.frames), (encoders.audio, clip.waveform)):
    print(*encoder.embed(of)["embedding"].numpy().ravel())
print(tf.__version__, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def pythons():
    """The Python of this stack, and that of the other."""
    other = os.environ.get("ACTCL_OTHER_PYTHON", str(ROOT / OTHER / "bin" / "python"))
    if not os.access(other, os.X_OK):
        made = "make test-newest" if OTHER == ".venv-newest" else "make venv"
        pytest.skip(f"no {other}: `{made}` makes it, or ACTCL_OTHER_PYTHON names another")
    release = [sys.executable, other]
    for place, python in enumerate(release):
        code = "from importlib.metadata import version; print(version('tensorflow'))"
        release[place] = call(python, "-c", code)
    assert release[0] != release[1], f"{other} has the TensorFlow of this Python: {release[0]}"
    return sys.executable, other


def call(python, *words):
    """What a program prints."""
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    for name in ("TF_USE_LEGACY_KERAS", "PYTHONHOME"):  # What this process has for its own stack.
        surroundings.pop(name, None)
    result = subprocess.run(
        [python, *map(str, words)], env=surroundings, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stacks")
    for name, levels, pitch in (("a", (20,), 200), ("b", (120,), 900), ("c", (230,), 3000)):
        tone = media_files.tone(2.0, frequency=pitch)
        media_files.write_clip(folder / f"{name}.mp4", levels=levels, sounds=[tone])
    return folder


def losses(run):
    """Step -> loss, as logged."""
    records = map(json.loads, (run / "scalars.jsonl").read_text().splitlines())
    return {r["step"]: r["loss/total"] for r in records if "loss/total" in r}


def embeddings(python, model, video):
    rows = call(python, "-c", EMBED, model, video).splitlines()
    return np.array([row.split() for row in rows], float)


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["here to there", "there to here"])
def test_what_one_stack_writes_the_other_reads(pythons, tiny_data, videos, tmp_path, direction):
    writer, reader = pythons if direction == "here to there" else pythons[::-1]
    optimizer = "lamb" if direction == "here to there" else "adamw"

    def train(python, run, steps):
        flags = (f"--data_dir={tiny_data}", f"--run_dir={run}", f"--steps={steps}")
        return call(python, ROOT / "tools/train.py", *TINY, f"--optimizer={optimizer}", *flags)

    run, alone = tmp_path / "run", tmp_path / "alone"
    train(writer, run, 2)
    said = train(reader, run, 4)
    assert "step 2" in said, "it goes on where the other stack stopped"
    train(writer, alone, 4)
    logged, expected = losses(run), losses(alone)
    assert set(logged) == {1, 2, 3, 4} and logged[4] > 0
    np.testing.assert_allclose(
        [logged[step] for step in range(1, 5)],
        [expected[step] for step in range(1, 5)],
        rtol=1e-4,
    )
    model, index = tmp_path / "model", tmp_path / "index"
    call(writer, ROOT / "tools/export.py", f"--checkpoint={run}", f"--output={model}")
    ours, theirs = (embeddings(python, model, videos / "b.mp4") for python in (writer, reader))
    assert ours.shape == (2, 8)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    search = ROOT / "tools/search.py"
    call(writer, search, "index", videos, f"--model={model}", f"--index={index}")
    ask = ("query", f"--index={index}", f"--video={videos / 'b.mp4'}", "--find=video", "--start=0")
    first = next(line for line in call(reader, search, *ask).splitlines() if line.startswith("1 "))
    _, name, _, similarity, *_ = (
        first.split()
    )  # All windows of a picture that stands still are alike.
    assert (name, similarity) == ("b.mp4", "1.000")
