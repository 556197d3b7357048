"""How tools start: help, wrong flags and refused settings come before TensorFlow is imported."""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

import pytest

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"

# What takes long to import; the decoder's packages do not.
SLOW = ("tensorflow", "sklearn", "scipy", "matplotlib", "tensorflow_io", "tensorflow_addons")

# Runs a tool as Python does, and says at its end which slow packages it has imported.
PROGRAM = """
import json, os, runpy, sys
tool = sys.argv[1]
sys.argv = sys.argv[1:]
sys.path[0] = os.path.dirname(tool)
try:
    runpy.run_path(tool, run_name="__main__")
    status = 0
except SystemExit as stop:
    status = stop.code
print("\\n" + json.dumps([name for name in SLOW if name in sys.modules]))
sys.exit(status)
"""

MEDIA = ("--input=media", "--data_dir=/nowhere")
MODEL = ("--checkpoint=/nowhere", "--output=/nowhere")
# Tool -> settings that it refuses, with the words that name them.
REFUSED = {
    "train.py": [
        (("--temperature=0",), "--temperature=0.0"),
        (("--dictionary_size=999", "--pool_size=999"), "--pool_size=999"),
        (("--frame_rate=5",), "--frame_rate: has a meaning with --input=media only"),
        ((*MEDIA, "--short_side=1"), "--short_side=1"),
        ((*MEDIA, "--dataset=mine"), "--dataset=mine: must be one of folder, csv"),
        (("extra",), "unexpected argument extra"),
    ],
    "evaluate.py": [
        (("--knn_k=0",), "--knn_k=0"),
        (("--layer_decay=7",), "--layer_decay=7"),
        (("--clips=0",), "--clips=0"),
        (("--checkpoint=/nowhere", "--image_size=1"), "--image_size=1"),
    ],
    "export.py": [
        ((*MODEL, "--tflite=int4"), "--tflite=int4"),
        ((*MODEL, "--calibration_clips=0"), "--calibration_clips=0"),
    ],
    "search.py": [
        ((), "the first argument must be index or query"),
        (("index", "/nowhere", "--index=/nowhere/index"), "--model="),
        (("query", "--index=/nowhere"), "must have one of --video, --audio and --image"),
    ],
    "prepare_data.py": [
        (("--output=/nowhere", "--input=/nowhere", "--jpeg_quality=0"), "--jpeg_quality=0"),
        (("--output=/nowhere", "--input=/nowhere", "--fold=1"), "--fold=1: means nothing for"),
        (("--output=/nowhere", "--input=/nowhere", "--dataset=esc50", "--fold=6"), "--fold=6"),
        (("--output=/nowhere", "--input=/nowhere", "--test_fraction=1"), "--test_fraction=1.0"),
        (("--output=/nowhere",), "--input= (or --csv=)"),
        (("--output=/nowhere", "--input=/nowhere", "--runner=cluster"), "--runner=cluster"),
    ],
    "inspect_dictionary.py": [(("--checkpoint=/nowhere", "extra"), "unexpected argument extra")],
    "inspect_records.py": [((), "must name one folder")],
    "benchmark.py": [
        (("--compare=nearest",), "--compare=nearest"),
        (("--what=sampler", "--ways=plain_xla"), "--ways=plain_xla"),
        (("--what=scaling", "--scaling_rounds=0"), "--scaling_rounds=0"),
        (("--what=input", "--data_dir=/nowhere", "--input_rounds=0"), "--input_rounds=0"),
        (("--what=prepare", "--videos=/nowhere", "--prepare_rounds=0"), "--prepare_rounds=0"),
        (("--what=serve", "--serve_rounds=0"), "--serve_rounds=0"),
    ],
    "study.py": [
        (("--strategies=random,best",), "--strategies=best: must be one of active, random"),
        (("--vary=keys=3",), "--keys is no flag of tools/train.py"),
        (("--vary=batch_size=8,x",), "batch_size=x_random_seed=0: flag --batch_size=x"),
        (("--vary=temperature=-1",), "--temperature=-1.0: must be greater than 0"),
    ],
    "compare_runs.py": [((), "--results=: must name one folder or several")],
    "make_synthetic.py": [
        ((), "--output="),
        (("--output=/nowhere", "--num_train=-1"), "--num_train=-1"),
    ],
    "data_service.py": [
        (("--role=worker",), "--dispatcher=HOST:PORT"),
        (("--role=dispatcher",), "--all_interfaces"),
        (
            ("--role=worker", "--dispatcher=localhost", "--all_interfaces"),
            "--dispatcher=localhost: must be HOST:PORT",
        ),
    ],
}
# Those that end with another status than 2 where a setting is refused.
STATUS = {"make_synthetic.py": 1}


def _start(tool, *flags):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("SLOW", repr(SLOW)), str(TOOLS / tool), *flags],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    *out, slow = done.stdout.splitlines()
    return done.returncode, "\n".join(out), done.stderr, json.loads(slow)


def test_every_tool_is_looked_at():
    programs = {path.name for path in TOOLS.glob("*.py") if "field_flags.run(" in path.read_text()}
    assert programs == set(REFUSED)


@pytest.mark.parametrize("tool", REFUSED)
def test_help_and_refusals_come_before_slow_imports(tool):
    refused = REFUSED[tool]
    calls = [("--help",), ("--hlep",), *(flags for flags, _ in refused)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = list(pool.map(lambda flags: _start(tool, *flags), calls))
    shown, mistyped, *answers = answers
    assert shown[0] == 0 and f"python tools/{tool}" in shown[1]
    assert mistyped[0] == 2 and "Unknown command line flag 'hlep'" in mistyped[2]
    for (flags, words), (status, _, errors, _) in zip(refused, answers, strict=True):
        assert status == STATUS.get(tool, 2), (flags, errors)
        assert errors.count("\n") == 1 and errors.startswith("error: "), errors
        assert words in errors, errors
    for flags, (_, _, errors, slow) in zip(calls, [shown, mistyped, *answers], strict=True):
        assert slow == [], (flags, errors)


# Ctrl-C while TensorFlow is being imported.
INTERRUPTED = """
import sys

class Finder:
    def find_spec(name, path, target=None):
        if name == "tensorflow":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Finder)
"""
# Tool -> settings with which it gets there.
ACCEPTED = {
    "train.py": ("--data_dir=/nowhere",),
    "evaluate.py": ("--checkpoint=/nowhere",),
    "export.py": MODEL,
    "search.py": ("index", "/nowhere", "--model=/nowhere", "--index=/nowhere/index"),
    "prepare_data.py": ("--input=/nowhere", "--output=/nowhere"),
    "inspect_dictionary.py": ("--checkpoint=/nowhere",),
    "inspect_records.py": ("/nowhere",),
    "benchmark.py": ("--what=sampler",),
    "compare_runs.py": ("/nowhere",),
    "data_service.py": ("--role=dispatcher", "--all_interfaces"),
}


@pytest.mark.parametrize("tool", ACCEPTED)
def test_ctrl_c_during_slow_imports_ends_in_one_line(tool, tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            INTERRUPTED + PROGRAM.replace("SLOW", "()"),
            str(TOOLS / tool),
            *ACCEPTED[tool],
        ],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 130, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and "nterrupted" in done.stderr, done.stderr
