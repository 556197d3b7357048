"""The way from a fresh clone to an environment: the Python finder, the Makefile, the lock files."""

import ast
import importlib.metadata
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.build_rules import UNLOCKED, read_build

ROOT = pathlib.Path(__file__).resolve().parents[1]
FINDER = ROOT / "tools" / "find_python.sh"
PINNED = ("3.10.13", "3.11.7")
NEWEST = ("3.12.1", "3.13.0")
PYTHONS = (*PINNED, *NEWEST)

# Needed at run time although nothing of ours imports it by name.
NOT_IMPORTED = {
    "keras",  # as tf.keras
    "tf-keras",  # likewise, on the newest stack
    "tensorboard-plugin-profile",  # by TensorBoard, to show --profile_steps
    "setuptools",  # by TensorBoard
    "apache-beam",  # an extra, for preparing data on many machines
    "cryptography",  # by Dask, for a cluster of one machine
    "dask",  # by distributed
    "google-crc32c",  # by Apache Beam
    "pip",
    "pytest-xdist",
    "ruff",
    "wheel",
}


def write_script(path: pathlib.Path, text: str) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def write_python(path: pathlib.Path, prelude: str = "") -> pathlib.Path:
    """A command that is this Python, made to look like another one by the prelude."""
    code = f"import sys; {version_of(3, 11, 7)}; {prelude or 'pass'}; exec(sys.argv.pop(1))"
    return write_script(path, f'exec "{sys.executable}" -c "{code}" "$2" "$3"\n')


def version_of(*version: int) -> str:
    return f"sys.version_info = {version}"


def find_python(folder: pathlib.Path, *stack: str, **environment) -> subprocess.CompletedProcess:
    """Runs the finder where no commands but those of the folder and of the system's tools exist."""
    for tool in ("sh", "sed", "mktemp", "mkdir", "cp", "rm"):
        link = folder / tool
        if not link.exists():
            link.symlink_to(shutil.which(tool))
    return subprocess.run(
        [shutil.which("sh"), FINDER, *stack],
        env={"PATH": str(folder), **environment},
        capture_output=True,
        text=True,
    )


def test_finder_takes_the_first_that_runs_and_fits(tmp_path):
    write_script(
        tmp_path / "python3.11", "echo 'shim: python3.11: command not found' >&2; exit 127\n"
    )
    write_python(tmp_path / "python3.10", "sys.modules['ensurepip'] = None")
    write_python(tmp_path / "python3.12", version_of(3, 12, 1))
    write_python(tmp_path / "python3", "sys.executable = '/the/right/one'")
    write_python(tmp_path / "python")
    result = find_python(tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "/the/right/one\n", "")


def test_finder_prefers_the_variable_and_says_where_it_cannot_follow(tmp_path):
    write_python(tmp_path / "python3.11", "sys.executable = '/newest'")
    mine = write_python(tmp_path / "mine", "sys.executable = '/mine'")
    old = write_python(tmp_path / "old", version_of(3, 9, 2))
    assert find_python(tmp_path, PYTHON=str(mine)).stdout == "/mine\n"
    result = find_python(tmp_path, PYTHON=str(old))
    assert result.stdout == "/newest\n"
    assert "$PYTHON cannot be used" in result.stderr and "Python 3.9.2" in result.stderr


@pytest.mark.parametrize(
    "minor, fits, is_newest",
    [(9, 0, 0), (10, 1, 0), (11, 1, 0), (12, 1, 1), (13, 1, 1), (14, 0, 0)],
)
def test_finder_knows_the_versions(tmp_path, minor, fits, is_newest):
    python = write_python(tmp_path / "python3", version_of(3, minor, 0))
    without_uv = {"UV": "false"}
    assert (find_python(tmp_path, **without_uv).returncode == 0) == fits
    assert (find_python(tmp_path, PYTHON=str(python), **without_uv).returncode == 0) == fits
    assert (find_python(tmp_path, "newest", **without_uv).returncode == 0) == is_newest


def test_finder_takes_the_newest_stack_where_nothing_else_helps(tmp_path):
    write_python(tmp_path / "python3.12", version_of(3, 12, 1) + "; sys.executable = '/older'")
    write_python(tmp_path / "python3.13", version_of(3, 13, 0) + "; sys.executable = '/newer'")
    write_script(tmp_path / "uv", "echo 'error: no network' >&2; exit 2\n")
    result = find_python(tmp_path)
    assert (result.returncode, result.stdout) == (0, "/newer\n"), result.stderr
    assert result.stderr.endswith(
        "taking /newer, with the newest TensorFlow: uv cannot fetch one: no network\n"
    )
    assert find_python(tmp_path, PYTHON="python3.12").stdout == "/older\n"
    write_python(tmp_path / "python3.10", "sys.executable = '/pinned'")
    assert find_python(tmp_path).stdout == "/pinned\n"
    result = find_python(tmp_path, "newest")
    assert (result.stdout, result.stderr) == ("/newer\n", "")
    assert find_python(tmp_path, "newest", PYTHON="python3.10").stdout == "/newer\n"


def test_finder_says_what_was_found_and_what_is_needed(tmp_path):
    write_script(tmp_path / "python3.11", "echo 'shim: no such version' >&2; exit 127\n")
    write_python(tmp_path / "python3.10", "sys.modules['ensurepip'] = None")
    write_python(tmp_path / "python3", version_of(3, 13, 0) + "; sys.modules['ensurepip'] = None")
    result = find_python(tmp_path, PYTHON="nowhere")
    assert result.returncode == 1 and result.stdout == ""
    for expected in (
        "needed: CPython 3.10 or 3.11 (or else 3.12 or 3.13) with the modules venv and ensurepip",
        "nowhere (from $PYTHON): no such command",
        f"{tmp_path}/python3.11: does not run: shim: no such version",
        f"{tmp_path}/python3: Python 3.13.0\n",
        "but without the module ensurepip",
        "error: no usable Python found, and there is neither uv nor a Python 3 with venv",
        "to do: install Python 3.11 (on Debian and Ubuntu python3.11-venv), or name one: make",
    ):
        assert expected in result.stderr
    assert result.stderr.count("error: ") == 1
    (tmp_path / "empty").mkdir()
    assert "none of python3.13," in find_python(tmp_path / "empty").stderr


def write_uv(path: pathlib.Path, fetched: pathlib.Path) -> pathlib.Path:
    """A uv that fetches a Python, and writes its arguments to a file `said` beside that."""
    return write_script(
        path,
        f'echo "$*" >> {fetched.parent}/said\n'
        f'case "$*" in "python find --managed-python 3.11") echo {fetched} ;; esac\n',
    )


def test_finder_has_uv_fetch_one_where_there_is_none(tmp_path):
    write_python(tmp_path / "python3.12", version_of(3, 12, 1))
    fetched = write_python(tmp_path / "fetched" / "python", version_of(3, 11, 9))
    write_uv(tmp_path / "uv", fetched)
    result = find_python(tmp_path)
    assert (result.returncode, result.stdout) == (0, f"{sys.executable}\n"), result.stderr
    said = (fetched.parent / "said").read_text().splitlines()
    assert said == ["python install 3.11", "python find --managed-python 3.11"]
    assert f"{tmp_path}/python3.12: Python 3.12.1" in result.stderr
    assert result.stderr.endswith("fetching CPython 3.11 with uv\n")


# A Python 3.13 whose `-m venv FOLDER` makes another one, whose pip installs the file `a_uv` as uv.
NEW_PYTHON = """
case "$*" in
*SystemExit*|*sys.exit*) echo 'Python 3.13.0' >&2; exit 1 ;;
"-c "*) exit 0 ;;
"-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
*"pip "*" uv") [ -e HERE/a_uv ] || { echo 'ERROR: none found for uv' >&2; exit 1; }
  cp HERE/a_uv "${0%/*}/uv" ;;
*) exit 3 ;;
esac
"""


def test_finder_installs_uv_for_a_moment(tmp_path):
    write_script(tmp_path / "python3", NEW_PYTHON.replace("HERE", str(tmp_path)))
    fetched = write_python(tmp_path / "fetched" / "python", version_of(3, 11, 9))
    (tmp_path / "moment").mkdir()
    without = find_python(tmp_path, TMPDIR=str(tmp_path / "moment"))
    assert without.returncode == 1
    assert "and uv cannot be installed: none found for uv; to do: install" in without.stderr
    write_uv(tmp_path / "a_uv", fetched)
    result = find_python(tmp_path, TMPDIR=str(tmp_path / "moment"))
    assert (result.returncode, result.stdout) == (0, f"{sys.executable}\n"), result.stderr
    assert "installing uv for a moment, with python3\n" in result.stderr
    assert os.listdir(tmp_path / "moment") == []


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("error: Failed to install it\n  cause: Request failed\n  cause: no DNS", "it: no DNS;"),
        ("error: Failed to install it", "uv cannot fetch one: Failed to install it; to do"),
    ],
)
def test_finder_gives_the_reason_of_uv_in_one_line(tmp_path, said, shown):
    write_script(tmp_path / "uv", f"echo '{said}' >&2; exit 2\n")
    result = find_python(tmp_path)
    assert result.returncode == 1 and result.stdout == ""
    (line,) = [each for each in result.stderr.splitlines() if each.startswith("error: ")]
    assert shown in line and "make PYTHON=/path/to/python3.11" in line


# Stands for Python in a copy of the Makefile's surroundings: logs its arguments, makes the
# environment when asked to, and fails to install while a file `broken` is there.
FAKE_PYTHON = """
case "$1" in -c) case "$2" in *ensurepip*) echo "$0" ;; esac; exit 0 ;; esac
echo "$*" >> log
case "$*" in
*"-m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
*install*requirements.lock) [ ! -e broken ] ;;
esac
"""


@pytest.fixture
def make(tmp_path):
    """Runs make in a folder with our Makefile and a recording Python; returns what Python ran."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "tools/find_python.sh"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy2(ROOT / name, tmp_path / name)
    fake = write_script(tmp_path / "bin" / "python3.11", FAKE_PYTHON)

    def run(*arguments, fails=False, uv="no-uv", **variables):
        log = tmp_path / "log"
        log.write_text("")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
        environment.update(PYTHON=str(fake), TEST_WORKERS="2", UV=uv, GPU="0")
        environment.update(variables)
        result = subprocess.run(
            ["make", *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert (result.returncode != 0) == fails, result.stderr
        return log.read_text().splitlines()

    run.folder = tmp_path
    return run


def test_make_installs_once(make):
    first = make("venv")
    assert len(first) == 3
    assert first[0] == "-m venv --clear .venv"
    assert "--no-deps --require-hashes --requirement requirements.lock" in first[1]
    assert "--no-deps --no-build-isolation --editable ." in first[2]
    assert make("venv") == []
    later = (make.folder / ".venv" / ".installed").stat().st_mtime_ns + 1
    os.utime(make.folder / "requirements.lock", ns=(later, later))
    assert make("venv") == first[1:], "a new lock is installed into the environment that is there"
    shutil.rmtree(make.folder / ".venv")
    assert make("venv") == first


INSTALLED = (
    "--no-deps --require-hashes --requirement requirements.lock",
    "--no-deps --no-build-isolation --editable .",
)


def test_make_installs_with_uv_where_there_is_one(make):
    uv = write_script(make.folder / "bin" / "uv", 'echo "uv $*" >> log\n')
    of_uv = [f"uv pip install --python .venv/bin/python {arguments}" for arguments in INSTALLED]
    assert make("venv", uv=str(uv)) == ["-m venv --clear .venv", *of_uv]
    assert make("venv", uv=str(uv)) == []
    (make.folder / "requirements-beam.lock").touch()
    (beam,) = make("beam", uv=str(uv))
    assert beam.startswith("uv pip install") and beam.endswith("requirements-beam.lock")


def test_make_installs_with_pip_what_uv_cannot(make):
    uv = write_script(make.folder / "bin" / "uv", 'echo "uv $*" >> log; exit 2\n')
    _, first, second, third, fourth = make("venv", uv=str(uv))
    assert first.startswith("uv ") and third.startswith("uv ")
    of_pip = [f"-m pip --disable-pip-version-check install {arguments}" for arguments in INSTALLED]
    assert [second, fourth] == of_pip
    (make.folder / ".venv" / ".installed").unlink()
    (make.folder / "broken").touch()
    make("venv", uv=str(uv), fails=True)


def test_make_takes_up_an_interrupted_installation(make):
    (make.folder / "broken").touch()
    make("venv", fails=True)
    assert not (make.folder / ".venv" / ".installed").exists()
    make("pretrain", fails=True)
    (make.folder / "broken").unlink()
    commands = make("pretrain")
    assert "--requirement requirements.lock" in commands[0]
    assert commands[-1] == "tools/train.py --flagfile=configs/pretrain.cfg"
    assert make("pretrain") == commands[-1:]


def test_make_replaces_an_environment_that_does_not_run(make):
    make("venv")
    (make.folder / ".venv" / ".installed").unlink()
    write_script(make.folder / ".venv" / "bin" / "python", "exit 1\n")
    assert make("venv")[0] == "-m venv --clear .venv"


def test_make_takes_another_python_when_the_command_line_names_one(make):
    first = make("venv")
    other = write_script(
        make.folder / "python3.13",
        FAKE_PYTHON.replace("exit 0", 'case "$2" in *%d*) echo 3.13 ;; esac; exit 0'),
    )
    assert make("venv", PYTHON=str(other)) == [], "the environment's variable is for a first time"
    assert make("venv", f"PYTHON={other}") == first
    assert make("venv", f"PYTHON={other}") == []


def test_make_test_newest_has_an_environment_of_its_own(make):
    (make.folder / "requirements-beam.lock").touch()
    shown = subprocess.run(
        ["make", "-n", "test-newest"], cwd=make.folder, capture_output=True, text=True, check=True
    ).stdout
    assert "find_python.sh newest)" in shown and ".venv-newest/bin/python -m pytest" in shown
    assert " .venv/" not in shown


GPU_INSTALLED = "--no-deps --require-hashes --requirement requirements-gpu.lock"


def test_make_installs_nvidias_libraries_when_told_to(make):
    (make.folder / "requirements-gpu.lock").touch()
    assert len(make("venv")) == 3
    (gpu,) = make("venv", "GPU=1")
    assert gpu.endswith(GPU_INSTALLED)
    assert make("venv", "GPU=1") == [] == make("venv", "GPU=0")
    assert make("pretrain", "GPU=1") == ["tools/train.py --flagfile=configs/pretrain.cfg"]
    (make.folder / ".venv" / ".installed").unlink()
    assert make("venv", "GPU=1")[-1] == gpu, "an environment made anew has them too"


def makes_gpu(make, **variables) -> bool:
    """Whether a plain `make pretrain` would install NVIDIA's libraries."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    environment.pop("GPU", None)
    (make.folder / "requirements-gpu.lock").touch()
    return (
        GPU_INSTALLED
        in subprocess.run(
            ["make", "-n", "pretrain"],
            cwd=make.folder,
            env={**environment, "NVIDIA_DEVICE": str(make.folder / "nvidia0"), **variables},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )


@pytest.mark.skipif(
    os.uname()[0::4] != ("Linux", "x86_64"), reason="NVIDIA's packages are for Linux on x86-64"
)
def test_make_finds_out_whether_there_is_a_gpu(make):
    path = f"{make.folder}/bin{os.pathsep}{os.environ['PATH']}"
    tool = write_script(
        make.folder / "bin" / "nvidia-smi", "echo 'NVIDIA-SMI has failed'; exit 9\n"
    )
    assert not makes_gpu(make, PATH=path)
    write_script(tool, "echo 'GPU 0: NVIDIA A100 (UUID: GPU-1)'\n")
    assert makes_gpu(make, PATH=path)
    assert not makes_gpu(make, PATH=path, GPU="0")
    write_script(tool, "exit 9\n")
    assert makes_gpu(make, PATH=path, GPU="1")
    (make.folder / "nvidia0").touch()
    assert makes_gpu(make, PATH=path)


def test_make_says_how_to_do_without_a_gpu(make):
    make("venv")
    (make.folder / "requirements-gpu.lock").touch()
    write_script(make.folder / ".venv" / "bin" / "python", "exit 1\n")
    make("venv", "GPU=1", fails=True)
    assert not (make.folder / ".venv" / ".gpu_installed").exists()


def test_make_test_checks_style_and_runs_the_tests(make):
    (make.folder / "requirements-beam.lock").touch()
    *lint, beam, tests = make("test")[3:]
    assert lint == ["-m ruff check .", "-m ruff format --check ."]
    assert beam.endswith("--requirement requirements-beam.lock")
    assert tests == "-m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 10"
    assert make("test-slow")[-1].endswith("-m slow")


def test_continuous_integration_runs_make_test(make):
    shutil.copytree(ROOT / ".ci", make.folder / ".ci")
    assert os.access(make.folder / ".ci" / "run", os.X_OK)
    (make.folder / "GNUmakefile").write_text("test:\n\ttouch tested\n")
    subprocess.run([make.folder / ".ci" / "run"], cwd="/", check=True, stdout=subprocess.DEVNULL)
    assert (make.folder / "tested").exists()


def test_make_help_names_every_target():
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True).stdout
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    assert [line.split()[1] for line in shown.splitlines() if line.startswith("make ")] == (
        targets.split()
    )


def read_lock(name: str) -> list:
    """(requirement, hashes) of every row."""
    text = (ROOT / name).read_text().replace("\\\n", "")
    rows = [line.split(" --hash=") for line in text.splitlines() if not line.startswith("#")]
    return [(Requirement(row[0].strip()), row[1:]) for row in rows]


def applies(requirement: Requirement, python: str) -> bool:
    """Whether a requirement is one for a Python on Linux."""
    environment = {
        **default_environment(),
        "python_version": python.rpartition(".")[0],
        "python_full_version": python,
        "sys_platform": "linux",
    }
    return requirement.marker is None or requirement.marker.evaluate(environment)


def pins(name: str, python: str) -> dict:
    """Distribution -> version, as a lock file has it for a Python on Linux."""
    found = {}
    for requirement, _ in read_lock(name):
        if applies(requirement, python):
            assert requirement.name not in found, f"{name}: {requirement.name} twice on {python}"
            (specifier,) = requirement.specifier
            assert specifier.operator == "==", f"{name}: {requirement} is not exact"
            found[requirement.name] = specifier.version
    return found


def declared(key: str) -> list:
    """A list of requirements in pyproject.toml; its arrays are written as Python's are."""
    text = (ROOT / "pyproject.toml").read_text()
    array = re.search(rf"^{key} = (\[.*?\])$", text, re.MULTILINE | re.DOTALL)[1]
    return [Requirement(entry) for entry in ast.literal_eval(array)]


LOCKS = {
    "requirements.lock": ["dev"],
    "requirements-beam.lock": ["dev", "beam"],
    "requirements-gpu.lock": ["dev", "gpu"],
}


@pytest.mark.parametrize("name", LOCKS)
def test_locks_name_hashes_and_no_hosts(name):
    text = (ROOT / name).read_text()
    assert "://" not in text and "-index" not in text and "--find-links" not in text
    for requirement, hashes in read_lock(name):
        assert hashes, f"{requirement} has no hash"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}\s*", digest) for digest in hashes)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name, extras", LOCKS.items())
def test_locks_satisfy_the_project(name, extras, python):
    locked = pins(name, python)
    for requirement in [each for key in ("dependencies", *extras) for each in declared(key)]:
        if not applies(requirement, python):
            continue
        assert requirement.name in locked, f"{name} lacks {requirement}; run `make lock`"
        assert requirement.specifier.contains(locked[requirement.name]), requirement


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", LOCKS)
def test_other_locks_only_add_packages(name, python):
    assert pins("requirements.lock", python).items() <= pins(name, python).items()


@pytest.mark.parametrize("python", NEWEST if sys.version_info >= (3, 12) else PINNED)
def test_gpus_need_the_libraries_that_tensorflow_names(python):
    added = pins("requirements-gpu.lock", python)
    for name in pins("requirements.lock", python):
        del added[name]
    required = map(Requirement, importlib.metadata.requires("tensorflow"))
    named = {
        r.name: r.specifier
        for r in required
        if r.marker and r.marker.evaluate({"extra": "and-cuda"}) and r.name.startswith("nvidia-")
    }
    assert added.keys() == named.keys() and "nvidia-cudnn-cu12" in named
    assert all(named[name].contains(version) for name, version in added.items())


def test_the_newest_stack_is_of_one_release():
    for python in NEWEST:
        locked = pins("requirements-beam.lock", python)
        assert not {"tensorflow-io", "tensorflow-addons"} & set(locked)
        for name in ("tensorflow", "tf-keras", "tensorboard", "tensorflow-serving-api"):
            assert locked[name] == "2.21.0"
        assert int(locked["keras"].split(".")[0]) == 3, "which TensorFlow itself requires"


def test_the_pinned_stack_is_the_one_that_loads_together():
    expected = {
        "tensorflow": "2.15.1",
        "keras": "2.15.0",
        "tensorboard": "2.15.2",
        "tensorflow-io": "0.36.0",
        "tensorflow-addons": "0.23.0",
    }
    for python in PINNED:
        locked = pins("requirements-beam.lock", python)
        assert expected.items() <= locked.items()
        assert int(locked["protobuf"].split(".")[0]) < 5
        assert int(locked["setuptools"].split(".")[0]) < 81


def test_this_environment_is_the_locked_one():
    locked = pins("requirements.lock", ".".join(map(str, sys.version_info[:3])))
    wrong = []
    for name, version in locked.items():
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed = "nothing"
        if installed != version:
            wrong.append(f"{name}: locked {version}, installed {installed}")
    assert not wrong, "run the tests with `make test`, or `make venv` first: " + "; ".join(wrong)


# Of the development extra: a program that a benchmark compares with, and does without.
MEASURED_AGAINST = {"imageio-ffmpeg"}


def test_what_is_declared_is_what_is_used():
    targets = read_build(ROOT).values()
    used = {False: set(), True: set()}
    for target in targets:
        used[target.kind == "py_test" or target.name == "testing"].update(target.requirements)
    run_time = {
        canonicalize_name(r.name) for key in ("dependencies", "beam") for r in declared(key)
    }
    tests = {canonicalize_name(r.name) for r in declared("dev")}
    assert used[False] <= run_time | MEASURED_AGAINST, "imported, but not in pyproject.toml"
    assert used[True] <= run_time | tests, "imported by tests, but not in pyproject.toml"
    assert {r.name for r in declared("torch")} == UNLOCKED
    assert run_time | tests <= used[False] | used[True] | NOT_IMPORTED, "declared, but not used"
