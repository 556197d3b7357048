import json
import pathlib

import pytest

from actcl_tf.train import run_checks
from actcl_tf.train.runs import errors, run_folder


def test_a_run_from_before_there_was_the_setting_goes_on(tiny_run):
    run = tiny_run()
    facts = run_checks.check(run)
    assert not run_folder.open_run(run, facts)
    path = pathlib.Path(run.train.run_dir, "run.json")
    there = json.loads(path.read_text())
    del there["config"]["train"]["init_from"]
    path.write_text(json.dumps(there))
    assert run_folder.open_run(run, facts)
    assert run_folder.read_run(run.train.run_dir)[0] == run
    other = tiny_run(init_from="a.pth", video_encoder="mc3_18", video_width=1.0)
    with pytest.raises(errors.CheckpointError, match=r"is empty there, a\.pth here"):
        run_folder.open_run(other, facts)


def test_steps_cannot_be_raised_where_schedules_end_with_them(tiny_run):
    run = tiny_run(steps=8)
    facts = run_checks.check(run)
    run_folder.open_run(run, facts)
    message = r"--steps is 8 there, 9 here\. --steps cannot be changed later: the schedules of "
    with pytest.raises(errors.CheckpointError, match=message):
        run_folder.open_run(tiny_run(steps=9), facts)
    with pytest.raises(errors.CheckpointError, match=r"--seed is 0 there, 1 here\. Name a new"):
        run_folder.open_run(tiny_run(steps=8, seed=1), facts)


def test_a_run_that_names_no_format_is_of_the_first(tiny_run):
    run = tiny_run()
    facts = run_checks.check(run)
    run_folder.open_run(run, facts)
    path = pathlib.Path(run.train.run_dir, "run.json")
    there = json.loads(path.read_text())
    del there["format"]
    path.write_text(json.dumps(there))
    assert run_folder.read_run(run.train.run_dir) == (run, facts)
