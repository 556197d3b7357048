"""A user without a home folder, as containers have them."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
START = f"""
import os, pwd, sys
if os.geteuid() == 0:
    # The real user has no entry in the list of users; the effective one may still read everything.
    os.setresuid(54321, 0, 0)
else:  # Who is not root cannot be somebody else; then nobody has an entry.
    pwd.getpwuid = {{}}.__getitem__
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tools")!r}]
import built_in_data
from actcl_tf import config
from actcl_tf.models import weights_file
import tensorflow as tf
from absl import flags
print(tf.keras.backend.floatx(), os.listdir("."))
for given in ([], ["--cache_dir=here"]):
    flags.FLAGS(["tool", *given])
    try:
        print(built_in_data.cache_dir())
    except config.ConfigError as error:
        print(error)
try:
    weights_file.read_tensors("~/weights.pth")
except weights_file.WeightsError as error:
    print(error)
"""


def test_without_a_home_folder_the_flag_is_named(tmp_path):
    kept = {key: value for key, value in os.environ.items() if key not in ("HOME", "KERAS_HOME")}
    done = subprocess.run(
        [sys.executable, "-c", START],
        env={**kept, "XDG_CACHE_HOME": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "float32 []"
    assert lines[1].startswith("--cache_dir=~/.cache/actcl_tf: this user has no home folder; name")
    assert lines[2] == "here"
    assert lines[3].startswith("--init_from=~/weights.pth: Could not determine home directory")
    assert os.listdir(tmp_path) == []
