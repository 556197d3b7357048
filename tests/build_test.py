"""Holds BUILD and the import rules against the sources, and the checker against wrong trees."""

import ast
import pathlib
import re

import pytest

from tests.build_rules import RULES, check, part_of, read_build

ROOT = pathlib.Path(__file__).resolve().parents[1]


def test_build_and_sources_agree():
    problems = check(ROOT)
    assert not problems, "\n".join(["BUILD or the imports need a change:", *problems])


def test_every_part_has_a_target_and_every_test_runs():
    targets = read_build(ROOT)
    assert {*RULES} - {"tools", "tests"} <= {part_of(t.srcs[0]) for t in targets.values()}
    for target in targets.values():
        holds_tests = any(path.endswith("_test.py") for path in target.srcs)
        assert holds_tests == (target.kind == "py_test"), f"{target.name} is a {target.kind}"
        assert target.main_module == ("pytest" if holds_tests else ""), target.name


def test_module_file_takes_its_packages_from_the_locks():
    module = (ROOT / "MODULE.bazel").read_text()
    ast.parse(module)
    lock = re.search(r'requirements_lock = "//:([\w.-]+)"', module)[1]
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / lock).read_text(), re.MULTILINE))
    required = {name for t in read_build(ROOT).values() for name in t.requirements}
    assert required <= locked, f"not in {lock}: {required - locked}"


GOOD_BUILD = """
load("@rules_python//python:defs.bzl", "py_library", "py_test")
py_library(name = "actcl_tf", srcs = ["actcl_tf/__init__.py"])
py_library(name = "config", srcs = ["actcl_tf/config.py"], deps = [":actcl_tf"])
py_library(
    name = "models",
    srcs = glob(["actcl_tf/models/*.py"]),
    deps = [":actcl_tf", ":config", requirement("absl-py"), requirement("numpy")],
)
py_library(name = "contrast", srcs = ["actcl_tf/contrast.py"], deps = [":actcl_tf"])
py_library(name = "tools/more", srcs = ["tools/more.py"])
py_binary(name = "tools/run", srcs = ["tools/run.py"],
    deps = [":tools/more", ":actcl_tf", ":models"])
"""
GOOD_TREE = {
    "actcl_tf/__init__.py": "",
    "actcl_tf/config.py": "import dataclasses",
    "actcl_tf/models/__init__.py": "",
    "actcl_tf/models/layers.py": "from absl import logging\nfrom actcl_tf import config\n",
    "actcl_tf/models/heads.py": "def f():\n  import numpy.linalg\n  from . import layers\n",
    "actcl_tf/contrast.py": "",
    "tools/more.py": "",
    "tools/run.py": "import more\nfrom actcl_tf.models import layers",
}


def check_tree(folder: pathlib.Path, files: dict, build: str = GOOD_BUILD) -> list:
    for name, text in {**GOOD_TREE, **files, "BUILD": build}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return check(folder)


def test_a_good_tree_passes(tmp_path):
    assert check_tree(tmp_path, {}) == []


def test_what_the_locks_leave_out_may_be_imported_when_needed(tmp_path):
    assert check_tree(tmp_path, {"actcl_tf/contrast.py": "def f():\n  import torch\n"}) == []


@pytest.mark.parametrize(
    "files, expected",
    [
        ({"actcl_tf/new.py": ""}, "actcl_tf/new.py: in no target"),
        ({"actcl_tf/config.py": "import actcl_tf.models.heads"}, "config may not import models"),
        ({"actcl_tf/config.py": "from actcl_tf.models import heads"}, "models is no dep of config"),
        (
            {"actcl_tf/config.py": "def f():\n  from actcl_tf.models.heads import f"},
            "actcl_tf/config.py:2 imports actcl_tf.models.heads: models is no dep of config",
        ),
        (
            {"actcl_tf/models/heads.py": "from ..contrast import x"},
            "models may not import contrast",
        ),
        ({"actcl_tf/models/heads.py": "import tools.run"}, "models may not import tools"),
        ({"actcl_tf/models/heads.py": ""}, "target models: dep numpy is not used"),
        ({"actcl_tf/models/layers.py": ""}, "target models: dep config is not used"),
        (
            {"actcl_tf/models/heads.py": "import tensorflow as tf"},
            "lacks requirement('tensorflow')",
        ),
        ({"actcl_tf/models/heads.py": "from absl import flags"}, "flags are read in tools/ only"),
        ({"actcl_tf/models/heads.py": "from actcl_tf.modls import x"}, "there is no such module"),
        ({"tools/run.py": "from actcl_tf.models import heads"}, "dep tools/more is not used"),
        ({"actcl_tf/contrast.py": "import torch"}, "imports torch: only inside a function"),
        ({"actcl_tf/contrast.py": "import numpy"}, "contrast may not import numpy"),
        (
            {"actcl_tf/contrast.py": "importlib.import_module('actcl_tf.config')"},
            "contrast may not import config",
        ),
    ],
)
def test_a_wrong_source_is_found(tmp_path, files, expected):
    assert any(expected in problem for problem in check_tree(tmp_path, files))


@pytest.mark.parametrize(
    "old, new, expected",
    [
        ('["actcl_tf/config.py"]', '["actcl_tf/confg.py"]', "no such file: actcl_tf/confg.py"),
        ('["actcl_tf/config.py"]', 'glob(["actcl_tf/*.py"])', "contrast.py: in more than one"),
        ('["actcl_tf/contrast.py"]', "[]", "actcl_tf/contrast.py: in no target"),
        ('deps = [":actcl_tf", ":config"', 'deps = [":actcl_tf"', "config is no dep of models"),
        ('":actcl_tf", ":models"', '":actcl_tf"', "models is no dep of tools/run"),
        ('":actcl_tf", ":models"', '":actcl_tf", ":models", ":config"', "dep config is not used"),
        ('":tools/more", ', "", "tools/more is no dep of tools/run"),
        ('":actcl_tf", ":models"', '":models", ":modells"', "no such dep: modells"),
        (', requirement("numpy")', "", "lacks requirement('numpy')"),
        ('"numpy")', '"numpy"), requirement("av")', "target models: dep av is not used"),
        ('config.py"], deps = [', 'config.py"], deps = [":models", ', "deps lead back to it"),
        ('config.py"], deps = [', 'config.py"], deps = [":tools/run", ', "is a py_binary"),
        ('config.py"], deps = [":actcl_tf"]', 'config.py"]', "target actcl_tf cannot be reached"),
        ('["actcl_tf/contrast.py"]', '["actcl_tf/contrast.py", "tools/run.py"]', "mixes the parts"),
    ],
)
def test_a_wrong_build_is_found(tmp_path, old, new, expected):
    assert old in GOOD_BUILD
    problems = check_tree(tmp_path, {}, GOOD_BUILD.replace(old, new))
    assert any(expected in problem for problem in problems), problems


def test_light_parts_bring_no_tensorflow_along(tmp_path):
    heavy = "import tensorflow"
    files = {"actcl_tf/storage.py": heavy, "actcl_tf/config.py": "from actcl_tf import storage"}
    way = "actcl_tf/config.py: imports tensorflow by way of actcl_tf/config.py, actcl_tf/storage.py"
    assert way in check_tree(tmp_path, files)
    files["actcl_tf/config.py"] = "def f():\n  from actcl_tf import storage\n"
    assert way not in check_tree(tmp_path, files)
