"""Runs a tool for several lists of arguments in one process: each start takes seconds."""

import json
import pathlib
import subprocess
import sys
from typing import NamedTuple, Optional

TOOLS = pathlib.Path(__file__).resolve().parents[1] / "tools"

_DRIVER = """
import contextlib, io, json, os, runpy, sys
from absl.testing import flagsaver
tool, argument_lists = json.load(sys.stdin)
sys.path.insert(0, os.path.dirname(tool))
program = runpy.run_path(tool, run_name="checked")
answers = []
for arguments in argument_lists:
    out, errors = io.StringIO(), io.StringIO()
    with flagsaver.flagsaver(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            status = program["main"](program["field_flags"].parse([tool, *arguments]))
        except SystemExit as stop:
            status = stop.code
            if isinstance(status, str):  # As Python does where nobody catches it.
                print(status, file=sys.stderr)
                status = 1
    answers.append([status or 0, out.getvalue(), errors.getvalue()])
print("\\n" + json.dumps(answers))
"""


class Answer(NamedTuple):
    """What came of one list of arguments."""

    status: int
    out: str
    errors: str


def run_many(tool: str, *argument_lists: list, cwd: Optional[str] = None) -> list[Answer]:
    """What a tool, such as "train.py", comes to for each list of arguments, in their order."""
    done = subprocess.run(
        [sys.executable, "-c", _DRIVER],
        input=json.dumps([str(TOOLS / tool), [list(map(str, each)) for each in argument_lists]]),
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [Answer(*answer) for answer in json.loads(done.stdout.splitlines()[-1])]
