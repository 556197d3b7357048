"""The wheel in an environment of its own: the library and the commands, without the repository."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
SOURCES = ("actcl_tf", "configs", "tools", "LICENSE", "README.md", "pyproject.toml", "setup.py")
TINY = (
    "--steps=2 --batch_size=4 --dictionary_size=4 --pool_size=8 --warmup_steps=0 --num_frames=4 "
    "--image_size=32 --video_encoder=resnet3d_6 --video_width=0.125 --audio_encoder=resnet2d_6 "
    "--audio_width=0.125 --eval_split="
)


def declared_commands() -> dict:
    """Command -> the program of tools/ that it runs."""
    text = (ROOT / "pyproject.toml").read_text()
    section = re.search(r"^\[project.scripts\]\n(.*?)\n\n", text, re.MULTILINE | re.DOTALL)[1]
    row = re.compile(r'(actcl-[a-z-]+) = "actcl_tf_tools\.command:(\w+)"')
    return {row.fullmatch(line)[1]: row.fullmatch(line)[2] for line in section.splitlines()}


def test_every_program_has_a_command():
    programs = {
        p.stem for p in (ROOT / "tools").glob("*.py") if "field_flags.run(" in p.read_text()
    }
    declared = declared_commands()
    assert sorted(declared.values()) == sorted(programs)
    text = (ROOT / "tools" / "command.py").read_text()
    for name in programs:
        assert f'\n{name} = functools.partial(_run, "{name}.py")\n' in text
    documented = (ROOT / "tools" / "README.md").read_text()
    for command, name in declared.items():
        assert command == f"actcl-{name.replace('_', '-')}" or f"`{command}`" in documented


class Installed:
    """The wheel in an environment that has our requirements of the one that runs the tests."""

    def __init__(self, folder: pathlib.Path):
        source, self.bin = folder / "source", folder / "environment" / "bin"
        self.work = folder / "work"
        for name in SOURCES:
            if (ROOT / name).is_dir():
                shutil.copytree(
                    ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                shutil.copy2(ROOT / name, source / name)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        offline = ("--no-deps", "--no-index")
        self.call(*pip, "wheel", *offline, "--no-build-isolation", "--wheel-dir", folder, source)
        self.call(sys.executable, "-m", "venv", "--without-pip", self.bin.parent)
        (wheel,) = folder.glob("actcl_tf-*.whl")
        self.call(*pip, "--python", self.bin / "python", "install", *offline, wheel)
        shutil.rmtree(source)
        purelib = self.call(
            self.bin / "python", "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"
        )
        paths = sorted({sysconfig.get_paths()[each] for each in ("purelib", "platlib")})
        (pathlib.Path(purelib.strip()) / "requirements.pth").write_text("\n".join(paths))
        self.work.mkdir()

    def call(self, *words, **others) -> str:
        """What a command prints, with the environment's commands on the PATH; it must succeed."""
        result = self.run(*words, **others)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def run(self, *words, **others) -> subprocess.CompletedProcess:
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        kept["PATH"] = f"{self.bin}{os.pathsep}{kept['PATH']}"
        cwd = self.work if self.work.exists() else None
        return subprocess.run(words, env=kept, cwd=cwd, capture_output=True, text=True, **others)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return Installed(tmp_path_factory.mktemp("wheel"))


def test_the_library_and_every_command_are_there(installed):
    where = installed.call(
        installed.bin / "python", "-c", "import actcl_tf as a; print(a.__file__)"
    )
    assert where.startswith(str(installed.bin.parent))
    commands = {path.name for path in installed.bin.glob("actcl-*")}
    assert commands == set(declared_commands())
    top = {path.name for path in pathlib.Path(where).parents[1].iterdir() if path.is_dir()}
    assert {each for each in top if not each.endswith(".dist-info")} == {
        "actcl_tf",
        "actcl_tf_tools",
    }


def test_help_and_refusals_are_those_of_the_programs(installed):
    shown = installed.call("actcl-prepare", "--help")
    assert "\n  actcl-prepare --input=FOLDER_OF_ANY_VIDEOS --output=DATA_DIR\n" in shown
    assert "--jpeg_quality" in shown
    measured = installed.call("actcl-evaluate", "--help")
    assert "of an export (--output of actcl-export)" in " ".join(measured.split())
    assert not re.search(r"\btools/\w+\.py", shown + measured)
    refused = installed.run("actcl-train", "--flagfile=configs/pretrain.cfg", "--temperature=0")
    assert refused.returncode == 2
    assert refused.stderr == "error: --temperature=0.0: must be greater than 0.0\n"
    absent = installed.run("actcl-search", "query", "--index=none", "--audio=a.wav")
    assert "make one with actcl-search index" in absent.stderr


def test_configurations_are_installed_and_those_of_the_working_folder_come_first(installed):
    grid = installed.run("actcl-study", "--flagfile=configs/study_grid.cfg", "--vary=keys=3")
    assert "--keys is no flag" in grid.stderr, "a flag file of a flag file is found as well"
    missing = installed.run("actcl-train", "--flagfile=configs/none.cfg")
    assert missing.returncode == 2 and "configs/none.cfg" in missing.stderr
    (installed.work / "configs").mkdir()
    (installed.work / "configs" / "pretrain.cfg").write_text("--temperature=-7\n")
    mine = installed.run("actcl-train", "--flagfile=configs/pretrain.cfg")
    assert "--temperature=-7.0" in mine.stderr
    shutil.rmtree(installed.work / "configs")


@pytest.mark.slow
def test_the_printed_commands_lead_from_no_data_to_an_export(installed):
    def follow(command):
        said = installed.call("bash", "-c", command)
        return re.search(r"^next: (.*)$", said, re.MULTILINE | re.IGNORECASE)[1]

    prepare = follow("actcl-make-synthetic --output=videos --num_train=16 --num_test=4")
    assert prepare.startswith("actcl-prepare ")
    train = follow(prepare)
    assert train.startswith("actcl-train ")
    export = follow(f"{train} {TINY} --run_dir=run")
    assert export.startswith("actcl-export ")
    search = installed.call("bash", "-c", export)
    assert "actcl-search index" in search
    assert (installed.work / "run" / "saved_model").is_dir()
