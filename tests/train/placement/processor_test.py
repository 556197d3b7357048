import os
import pathlib
import subprocess
import sys

import pytest

from actcl_tf.train.placement import processor


@pytest.mark.parametrize(
    ("flags", "units", "bfloat16"),
    [
        ("fpu sse2 avx avx2 fma", "AVX2, ", False),
        ("fpu avx avx2 avx512f avx512_vnni", "AVX-512, ", False),
        ("fpu avx avx2 avx512f avx512_bf16", "AVX-512, ", True),
        ("avx avx2 avx512f amx_bf16", "AMX, ", True),
        ("fpu avx", "AVX, ", False),
        ("asimd", "", False),
        (None, "", False),
    ],
)
def test_units_of_the_cpu(monkeypatch, flags, units, bfloat16):
    monkeypatch.setattr(pathlib.Path, "exists", lambda self: flags is not None)
    monkeypatch.setattr(pathlib.Path, "read_text", lambda self, errors: f"flags : {flags}\n")
    assert processor.multiplies_bfloat16() == bfloat16
    assert processor.describe() in (f"{units}oneDNN kernels", f"{units}Eigen kernels")


def test_kernels_are_those_that_tensorflow_says_it_uses():
    code = (
        "{first}\n"
        "from actcl_tf.train.placement import processor\n"
        "import os, sys\n"
        "print(processor.describe())\n"
        "print(os.environ.get('TF_ENABLE_ONEDNN_OPTS'))"
    )
    log_line = "oneDNN custom operations are on"
    chosen = "oneDNN kernels" if sys.platform == "linux" else "Eigen kernels"  # Elsewhere none.

    def run(first, **variables):
        kept = {k: v for k, v in os.environ.items() if k != "TF_ENABLE_ONEDNN_OPTS"}
        done = subprocess.run(
            [sys.executable, "-c", code.format(first=first)],
            env={**kept, "TF_CPP_MIN_LOG_LEVEL": "0", **variables},
            capture_output=True,
            text=True,
            check=True,
        )
        return *done.stdout.splitlines(), log_line in done.stderr

    described, variable, told = run("import actcl_tf, tensorflow")
    assert described.endswith(chosen) and variable == "1"
    assert described.endswith("oneDNN kernels") == told
    described, variable, told = run("import actcl_tf", TF_ENABLE_ONEDNN_OPTS="0")
    assert described.endswith("Eigen kernels") and variable == "0" and not told
    described, variable, told = run("import tensorflow, actcl_tf")  # Too late to choose.
    assert described.endswith("oneDNN kernels") == told and variable == "None"
