"""A user without a home folder, as containers have them."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

from tests.tools.train_test import TINY

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


# In mounts of its own: the source folder is read-only, and /dev/shm has 64 MB. The user is in no
# list of users; root's right to read is left to it, as the environment may be root's alone.
ENTER = f"""
set -e
mount --bind {ROOT} {ROOT}
mount -o remount,ro,bind {ROOT}
mount -t tmpfs -o size=64m,mode=1777 tmpfs /dev/shm
cd {ROOT}
exec setpriv --reuid 54321 --regid 54321 --clear-groups --inh-caps +dac_read_search \\
  --ambient-caps +dac_read_search env -u HOME -u XDG_CACHE_HOME -u KERAS_HOME "$@"
"""


def _may_mount() -> bool:
    if not all(map(shutil.which, ("unshare", "setpriv", "mount"))):
        return False
    program = ["unshare", "--mount", "sh", "-c", ENTER, "sh", "true"]
    return subprocess.run(program, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def train():
    """Runs tools/train.py where little is allowed, from the source folder."""
    if not _may_mount():
        pytest.skip("this user may not mount and become another")

    def run(*flags):
        program = [sys.executable, "tools/train.py", *TINY, *flags]
        return subprocess.run(
            ["unshare", "--mount", "sh", "-c", ENTER, "sh", *program],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_run_folder_that_cannot_be_written_is_refused_before_data_is_made(train, tmp_path):
    tmp_path.chmod(0o777)
    done = train(f"--cache_dir={tmp_path}/cache")
    assert done.returncode == 2
    assert done.stderr == (
        f"error: --run_dir=runs/pretrain: this user cannot write to {ROOT}; name a folder "
        "elsewhere\n"
    )
    assert not (tmp_path / "cache").exists()


@pytest.mark.slow
def test_training_needs_no_home_no_name_no_writable_source_and_little_shared_memory(train):
    flags = ("--synthetic_train=24", "--synthetic_test=8", "--steps=3", "--eval_every=0")
    with tempfile.TemporaryDirectory() as folder:  # Pytest's own are its user's alone.
        os.chmod(folder, 0o777)
        done = train(*flags, f"--cache_dir={folder}/cache", f"--run_dir={folder}/run")
        assert done.returncode == 0, done.stderr
        assert os.path.exists(f"{folder}/run/result.json")
    assert "Matplotlib" not in done.stderr, "it says nothing of its caches"
