"""The built-in data set of the tools: where it is kept, and that its knobs reach it."""

import csv
import json
import pathlib

import pytest

from tests import programs

START = """
import sys
sys.path[:0] = {paths!r}
import built_in_data
from absl import flags
from actcl_tf import config
if __name__ == "__main__":  # Processes that render import this file.
    flags.FLAGS(["tool", *sys.argv[1:]])
    try:
        print(built_in_data.records(), built_in_data.quantities())
    except config.UserError as error:
        print("refused:", error)
"""


def _find(folder, *given):
    program = folder / "find.py"
    program.write_text(START.format(paths=[str(programs.TOOLS.parent), str(programs.TOOLS)]))
    done = programs.run(program, *given)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_knobs_reach_the_data_and_name_its_folder(tmp_path):
    small = ("--synthetic_train=20", "--synthetic_test=4", "--synthetic_size=32", "--builds=2")
    knobs = ("--takes=3", "--zipf=1", "--shared_causes=category+beats", "--synthetic_seconds=1.5")
    records, quantities = _find(tmp_path, f"--cache_dir={tmp_path}", *small, *knobs).split()
    name = (
        "sounding_objects_v4_20_4_zipf1_builds=2_takes=3_shared_causes=category+beats"
        "_size=32_seconds=1.5"
    )
    assert records == f"{tmp_path}/{name}/records"
    settings = json.loads((tmp_path / name / "videos/dataset.json").read_text())
    for key, value in {"builds": 2, "takes": 3, "zipf": 1.0, "size": 32, "seconds": 1.5}.items():
        assert settings[key] == value
    rows = list(csv.DictReader(pathlib.Path(quantities).read_text().splitlines()))
    assert len(rows) == 24
    # Beats are shared and size is not.
    assert all(row["video/period"] == row["audio/period"] for row in rows)
    assert all(row["video/size"] != row["audio/size"] for row in rows)


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--shared_causes=smell", "--shared_causes=smell: must be category, all"),
        ("--synthetic_size=33", "--size=33: must be even"),
        ("--zipf=9", "--zipf=9.0: must be 0 (balanced) to 5"),
    ],
)
def test_wrong_knobs_leave_nothing_behind(flag, words, tmp_path):
    assert words in _find(tmp_path, f"--cache_dir={tmp_path}/cache", flag)
    assert not (tmp_path / "cache").exists()
