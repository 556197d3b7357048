"""Commands are run by a real shell: what is printed is what the program gets."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from actcl_tf.console import commands

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHOW = "import json, sys; print(json.dumps(sys.argv[1:]))"


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("--data_dir=data/mine", "--data_dir=data/mine"),
        ("--data_dir=a b", "'--data_dir=a b'"),
        ("it's", "'it'\"'\"'s'"),
        ("$HOME;`ls`&*", "'$HOME;`ls`&*'"),
        ("", "''"),
        ("ü 犬", "'ü 犬'"),
        ("a\nb", "$'a\\x0ab'"),
        ("x\udcff'\\y", "$'x\\xff\\'\\\\y'"),
    ],
)
def test_words_come_through_the_shell(word, shown):
    assert commands.join([word]) == shown
    line = commands.join([sys.executable, "-c", SHOW, word])
    out = subprocess.run(["bash", "-c", line], capture_output=True, check=True).stdout
    assert json.loads(out) == [word]


def test_a_tool_is_named_from_where_one_is(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "executable", str(ROOT / ".venv" / "bin" / "python"))
    assert commands.tool("train.py", "--x=a b") == ".venv/bin/python tools/train.py '--x=a b'"
    monkeypatch.chdir(tmp_path)
    there = [str(ROOT / ".venv/bin/python"), str(ROOT / "tools" / "train.py")]
    assert commands.tool("train.py") == commands.join(there)
    monkeypatch.setattr(sys, "executable", "")
    assert commands.python() == "python"


def test_this_program(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["tools/train.py", "--run_dir=my runs"])
    assert commands.this().endswith(" tools/train.py '--run_dir=my runs'")
    assert os.path.exists(commands.python())


@pytest.mark.parametrize(
    ("text", "installed"),
    [
        ("name the --run_dir of tools/train.py", "name the --run_dir of actcl-train"),
        ("python tools/export.py --output=DIR", "actcl-export --output=DIR"),
        ("tools/train.py, tools/compare_runs.py", "actcl-train, actcl-compare"),
        # Files of a user, and modules that are no programs.
        ("/home/me/tools/train.py: is no video", "/home/me/tools/train.py: is no video"),
        ("my-tools/train.py", "my-tools/train.py"),
        ("tools/field_flags.py tools/mine.py", "tools/field_flags.py tools/mine.py"),
        (ValueError("made by tools/export.py"), "made by actcl-export"),
    ],
)
def test_once_installed_texts_name_commands(text, installed, monkeypatch):
    assert commands.as_called(text) == str(text)
    monkeypatch.setattr(commands, "_INSTALLED", ROOT / "tools")
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable), prepend=os.pathsep)
    assert commands.as_called(text) == installed
