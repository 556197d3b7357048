"""tools/study.py as a user runs it."""

import csv
import json

from tests import programs
from tests.tools.train_test import TINY


def test_a_study_from_nothing_to_the_page(tiny_data, tmp_path):
    command = [
        *(f"--data_dir={tiny_data}", "--train_split=train", "--eval_split=test", *TINY),
        *("--steps=2", "--log_every=1", "--save_every=2", "--eval_every=1"),
        *("--strategies=random,active+first_pick=largest_norm", "--vary=temperature=0.5"),
        *(f"--study_dir={tmp_path}", "--num_seeds=1"),
    ]
    done = programs.run(programs.TOOLS / "study.py", *command)
    assert done.returncode == 0, done.stderr
    assert f"2 runs in {tmp_path}, 2 to do." in done.stdout
    assert "R@1 with temperature=0.5: active+first_pick=largest_norm less random is" in done.stdout
    assert f"Look at it in a browser: {tmp_path / 'study.html'}" in done.stdout
    rows = list(csv.DictReader((tmp_path / "study.csv").open()))
    assert {row["strategy"] for row in rows} == {"random", "active+first_pick=largest_norm"}
    assert {"R@1", "audio probe"} <= {row["measure"] for row in rows}
    for run in (tmp_path / "runs").iterdir():
        flags = json.loads((run / "run.json").read_text())["config"]
        assert flags["contrast"]["temperature"] == 0.5
        chosen = (flags["contrast"]["negatives"], flags["contrast"]["first_pick"])
        assert chosen == (
            ("random", "uniform") if "random" in run.name else ("active", "largest_norm")
        )
    # What is done is not done again, and what differs in the end differed from the start.
    again = programs.run(programs.TOOLS / "study.py", *command)
    assert f"2 runs in {tmp_path}, 0 to do" in again.stdout
    first = [
        json.loads((run / "initial_scores.json").read_text())
        for run in sorted((tmp_path / "runs").iterdir())
    ]
    assert first[0] == first[1]
