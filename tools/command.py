"""The programs as commands: what `[project.scripts]` of pyproject.toml names.

A command runs the same file in the same way as `python tools/NAME.py` does. Installed, this folder
is the package `actcl_tf_tools`.
"""

import functools
import pathlib
import runpy
import sys

_FOLDER = pathlib.Path(__file__).resolve().parent


def _run(name: str) -> None:
    """Runs a program as Python runs a file: it finds the modules beside it by their bare names."""
    sys.path.insert(0, str(_FOLDER))
    runpy.run_path(str(_FOLDER / name), run_name="__main__")


benchmark = functools.partial(_run, "benchmark.py")
compare_runs = functools.partial(_run, "compare_runs.py")
data_service = functools.partial(_run, "data_service.py")
evaluate = functools.partial(_run, "evaluate.py")
export = functools.partial(_run, "export.py")
inspect_dictionary = functools.partial(_run, "inspect_dictionary.py")
inspect_records = functools.partial(_run, "inspect_records.py")
make_synthetic = functools.partial(_run, "make_synthetic.py")
prepare_data = functools.partial(_run, "prepare_data.py")
search = functools.partial(_run, "search.py")
study = functools.partial(_run, "study.py")
train = functools.partial(_run, "train.py")
