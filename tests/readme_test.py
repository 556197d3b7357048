"""Holds README.md and the configuration files against the tools.

A fenced block opened with ```sh run (or ```python run) is run as printed, with training cut short;
of all others the flags, files, make targets and imports are checked.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess

import pytest

from actcl_tf import config
from tests import programs
from tests.build_rules import read_build

ROOT = pathlib.Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
CONFIGS = sorted((ROOT / "configs").glob("*.cfg"))
TOOLS = sorted(
    f"tools/{path.name}" for path in (ROOT / "tools").glob("*.py") if "app.run(" in path.read_text()
)
HEADER = ("Reproduces", "Hardware", "Time", "Expect", "Command")

# Tools whose first argument is a command, and how many words follow each.
SUBCOMMANDS = {"tools/search.py": {"index": 1, "query": 0}}
# Commands of others, whose arguments are theirs to check.
FOREIGN = {"cd", "git", "pip", "tensorboard", "mkdir", "source", ".", "ls", "tail", "docker"}
# Added to a printed training command, so that it takes seconds.
SHORT = (
    "--steps=2 --batch_size=4 --dictionary_size=4 --pool_size=8 --warmup_steps=0 --num_frames=4 "
    "--image_size=32 --video_encoder=resnet3d_6 --video_width=0.125 --audio_encoder=resnet2d_6 "
    "--audio_width=0.125 --hidden_size=16 --embedding_size=8 --eval_every=0"
)


# Defines the flags of a tool and parses lists of arguments.
PARSER = """
import json, pathlib, runpy, sys
from absl import flags
from absl.testing import flagsaver
tool, argument_lists, known = json.loads(sys.argv[1])
sys.path.insert(0, str(pathlib.Path(tool).resolve().parent))
runpy.run_path(tool, run_name="checked")
answers = []
for arguments in argument_lists:
    if "--" in arguments:  # What comes after it is for another program.
        arguments = arguments[: arguments.index("--")]
    with flagsaver.flagsaver():
        try:
            rest = flags.FLAGS([tool, *arguments])[1:]
            if known is not None:
                right = rest and known.get(rest[0]) == len(rest) - 1
                error = "" if right else f"no command of {tool}: {rest}"
            else:
                error = f"arguments that are no flags: {rest}" if rest else ""
        except (flags.Error, OSError) as problem:
            error = str(problem)
        answers.append([error, {name: flags.FLAGS[name].value for name in flags.FLAGS}])
print("\\n" + json.dumps([list(flags.FLAGS), answers], default=str))
"""


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block: what stands behind the fence, its text, and where it starts."""

    info: str
    text: str
    line: int

    @property
    def commands(self) -> list:
        """The block's shell commands, one string each, without comments and prompts."""
        lines = self.text.replace("\\\n", " ").splitlines()
        lines = [re.sub(r"^\s*\$ ", "", line).strip() for line in lines]
        return [line for line in lines if line and not line.startswith("#")]


def find_blocks(text: str) -> list:
    """All fenced blocks of a Markdown text."""
    fence = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [
        Block(m[1].strip(), m[2], text[: m.start()].count("\n") + 1) for m in fence.finditer(text)
    ]


def parse_flags(calls: dict, folder: pathlib.Path = ROOT) -> dict:
    """The flags of tools, and what they make of lists of arguments.

    Args:
      calls: tool -> lists of arguments.
      folder: where they run.

    Returns:
      Tool -> (all its flags, for each list of arguments (error or "", flag values)).
    """
    found = {}
    for tool, argument_lists in calls.items():
        asked = json.dumps([tool, argument_lists, SUBCOMMANDS.get(tool)])
        done = programs.run("-c", PARSER, asked, cwd=folder)
        assert done.returncode == 0, f"{tool} defines no flags: {done.stderr[-2000:]}"
        found[tool] = json.loads(done.stdout.splitlines()[-1])
    return found


def split_command(command: str) -> list:
    """The single commands of a shell line, as lists of words without assignments."""
    words = shlex.split(command, comments=True)
    singles, current = [], []
    for word in [*words, ";"]:
        if word.rstrip(";") in ("&&", "||", "|", "&", "") or word.endswith(";"):
            current += [word.rstrip(";")] if word.rstrip(";&|") else []
            singles.append(current)
            current = []
        else:
            current.append(word)
    is_assignment = re.compile(r"\w+=").match
    singles = [single[sum(bool(is_assignment(w)) for w in single[:1]) :] for single in singles]
    return [single for single in singles if single]


def check_command(words: list) -> list:
    """What is wrong with a command, apart from the flags of our tools."""
    program, arguments = pathlib.PurePath(words[0]).name, words[1:]
    makefile = (ROOT / "Makefile").read_text()
    if program == "make":
        names = [re.escape(arg.partition("=")[0]) for arg in arguments if not arg.startswith("-")]
        known = [re.search(rf"^{n}:|^{n} \?=|\$\({n}\)", makefile, re.MULTILINE) for n in names]
        return [f"make knows no {name}" for name, ok in zip(names, known) if not ok]
    if program in ("python", "python3") and arguments:
        if arguments[0] == "-m":
            missing = importlib.util.find_spec(arguments[1]) is None
            return [f"no module {arguments[1]}"] if missing else []
        return [] if arguments[0] in ("-c", *TOOLS) else [f"no such tool: {arguments[0]}"]
    if program == "bazel":
        labels = [arg[3:] for arg in arguments if arg.startswith("//:")]
        return [f"no such target: {x}" for x in labels if x not in read_build(ROOT)]
    return [] if program in FOREIGN else [f"a command that this test does not know: {program}"]


def check_text(text: str) -> list:
    """What is wrong with the commands, code and names in a Markdown text."""
    problems, calls = [], {}
    for block in find_blocks(text):
        where = f"line {block.line}"
        if block.info.split()[:1] == ["python"]:
            problems += [f"{where}: {p}" for p in check_python(block.text)]
        elif block.info.split()[:1] == ["sh"]:
            for words in [words for line in block.commands for words in split_command(line)]:
                problems += [f"{where}: {problem}" for problem in check_command(words)]
                if len(words) > 1 and words[1] in TOOLS:
                    calls.setdefault(words[1], []).append((where, words[2:]))
    all_flags = set()
    lists = {tool: [arguments for _, arguments in calls.get(tool, [])] for tool in TOOLS}
    for tool, (found, answers) in parse_flags(lists).items():
        all_flags.update(found)
        for (where, _), (error, _) in zip(calls.get(tool, []), answers):
            problems += [f"{where}: {tool}: {error}"] if error else []
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    for span in re.findall(r"`([^`\n]+)`", prose):
        flags = re.findall(r"(?<!\S)--(?:no)?(\w+)", span)
        whole = re.findall(r"(?<!\S)--(\w+)", span)
        known = all_flags | {"upgrade"}
        problems += [
            f"`{span}`: no tool has the flag --{w}"
            for f, w in zip(flags, whole)
            if not {f, w} & known
        ]
        if re.fullmatch(r"make [a-z-]+", span):
            problems += check_command(span.split())
    names = re.findall(r"(?:`|\]\()((?:actcl_tf|tools|tests|configs)/[\w./-]*)", prose)
    problems += [f"no such file: {name}" for name in names if not (ROOT / name).exists()]
    return problems


def check_python(code: str) -> list:
    """What is wrong with a printed program: its syntax, and imports of ours that do not exist."""
    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        return [str(error)]
    modules = [n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    modules += [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
    return [f"no module {m}" for m in modules if importlib.util.find_spec(m.split(".")[0]) is None]


def run_blocks(text: str, folder: pathlib.Path) -> int:
    """Runs the marked blocks, in their order, in a folder that looks like a fresh clone."""
    for name in ("actcl_tf", "configs", "tools"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv" / "bin").mkdir(parents=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"}
    marked = [block for block in find_blocks(text) if block.info.split()[1:] == ["run"]]
    with programs.python_for_scripts(folder / ".venv" / "bin" / "python"):
        for block in marked:
            if block.info.startswith("sh"):
                lines = [f"{c} {SHORT}" if "tools/train.py" in c else c for c in block.commands]
                command = ["bash", "-euo", "pipefail", "-c", "\n".join(lines)]
            else:
                command = [".venv/bin/python", "-c", block.text]
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, (
                f"README.md line {block.line}:\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
            )
    return len(marked)


def make_videos(folder: pathlib.Path, name: str) -> None:
    """A user's folder of videos: one subfolder a class, a few short files each."""
    from actcl_tf.data import synthetic

    synthetic.write_dataset(
        folder / "made", num_train=16, num_test=1, size=32, progress=False, num_workers=2
    )
    shutil.copytree(folder / "made" / "train", folder / name)


def test_readme_is_right():
    problems = check_text(README.read_text())
    assert not problems, "\n".join(["README.md:", *problems])


def test_readme_commands_run(tmp_path):
    text = README.read_text()
    run = "".join(re.findall(r"^```sh run\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    for name in {m.rstrip("/") for m in re.findall(r"--input=(\S+)", run)}:
        make_videos(tmp_path, name)
    assert run_blocks(text, tmp_path) > 0, "README.md marks no block as ```sh run"


@pytest.fixture
def one_tool(monkeypatch):
    """Leaves one tool to be known: one that starts quickly."""
    monkeypatch.setattr(f"{__name__}.TOOLS", ["tools/make_synthetic.py"])


@pytest.mark.parametrize(
    "text, expected",
    [
        ("```sh\nmake pretend\n```\n", "make knows no pretend"),
        ("```sh\nmake pretrain PYTHN=3\n```\n", "make knows no PYTHN"),
        ("```sh\npython tools/tain.py --seed=3\n```\n", "no such tool: tools/tain.py"),
        ("```sh\npython tools/make_synthetic.py \\\n  --sed=3\n```\n", "flag 'sed'"),
        ("```sh\nA=1 .venv/bin/python tools/make_synthetic.py --seed=x\n```\n", "--seed=x"),
        ("```sh\npython tools/make_synthetic.py --flagfile=configs/none.cfg\n```\n", "none.cfg"),
        ("```sh\npython tools/make_synthetic.py --output=a b\n```\n", r"no flags: \['b'\]"),
        ("```sh\npython -m pyteste\n```\n", "no module pyteste"),
        ("```sh\nfrobnicate\n```\n", "does not know: frobnicate"),
        ("```sh\ncd x && make pretend; make tests\n```\n", "make knows no tests"),
        ("```sh\nbazel run //:tools/tain -- --seed=1\n```\n", "no such target: tools/tain"),
        ("```python\nimport tensorflou\n```\n", "no module tensorflou"),
        ("```python\nx = = 1\n```\n", "invalid syntax"),
        ("Use `--sed`.\n", "no tool has the flag --sed"),
        ("See `tools/tain.py`.\n", "no such file: tools/tain.py"),
        ("See [this](configs/none.cfg).\n", "no such file: configs/none.cfg"),
        ("Say `make pretend`.\n", "make knows no pretend"),
    ],
)
def test_a_wrong_text_is_found(text, expected, one_tool):
    problems = check_text(text)
    assert any(re.search(expected, problem) for problem in problems), problems


def test_a_missing_flag_is_found():
    lists = [["--checkpoint=a"], ["--checkpoint=a", "--output=b"]]
    _, answers = parse_flags({"tools/export.py": lists})["tools/export.py"]
    assert "--output must have a value" in answers[0][0]
    assert not answers[1][0]


def test_commands_of_a_tool_are_checked():
    lists = [["index", "a", "--index=b"], ["index"], ["query", "a"], ["find"], [], ["query"]]
    _, answers = parse_flags({"tools/search.py": lists})["tools/search.py"]
    errors = [error for error, _ in answers]
    assert errors[0] == errors[5] == ""
    assert all("no command of tools/search.py" in error for error in errors[1:5])


def test_a_right_text_passes(one_tool):
    text = (
        "Use `--seed`, `make test`, `tools/train.py`.\n"
        "```sh\n# a comment\n$ make pretrain PYTHON=python3.11\n"
        "cd x && python tools/make_synthetic.py \\\n  --output=y  # short\n```\n"
        "```python\nimport tensorflow as tf\n```\n"
    )
    assert check_text(text) == []


def test_marked_blocks_run_in_order_and_failures_show(tmp_path):
    text = "```sh run\necho 1 > a\n```\n```sh\nfalse\n```\n```python run\nassert open('a')\n```\n"
    assert run_blocks(text, tmp_path) == 2
    (tmp_path / "other").mkdir()
    with pytest.raises(AssertionError, match=r"README.md line 1:[^$]*oops"):
        run_blocks("```sh run\necho oops; false\ntrue\n```\n", tmp_path / "other")


def header(path: pathlib.Path) -> dict:
    """Key -> text of the comment lines at the head of a configuration file."""
    fields, key = {}, ""
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        found = re.match(rf"# ({'|'.join(HEADER)}): *(.*)", line)
        key = found[1] if found else key if line.strip() != "#" else ""
        fields[key] = f"{fields.get(key, '')} {found[2] if found else line[1:].strip()}".strip()
    return fields


def test_configs_are_documents_and_their_flags_parse():
    assert ROOT / "configs" / "pretrain.cfg" in CONFIGS
    calls, problems = {}, []
    for path in CONFIGS:
        fields = header(path)
        missing = [key for key in HEADER if not fields.get(key)]
        problems += [f"{path.name}: its head lacks '# {key}: ...'" for key in missing]
        flagfile = f"--flagfile=configs/{path.name}"
        commands = split_command(fields.get("Command", "").replace("\\", ""))
        commands = [words for words in commands if len(words) > 1 and words[1] in TOOLS]
        if not any(flagfile in words for words in commands):
            problems.append(f"{path.name}: Command must have 'python tools/TOOL.py {flagfile}'")
        for words in commands:
            calls.setdefault(words[1], []).append((path.name, words[2:]))
    parsed = parse_flags({tool: [words for _, words in calls[tool]] for tool in calls})
    for tool, (_, answers) in parsed.items():
        for (name, _), (error, values) in zip(calls[tool], answers):
            problems += [f"{name}: {error}"] if error else []
            if not error:
                problems += [f"{name}: {problem}" for problem in contradictions(values)]
    assert not problems, "\n".join(problems)


def contradictions(values: dict) -> list:
    """The complaint of the configuration about parsed flags, if it has one."""
    names = [f.name for section in config.SECTIONS.values() for f in dataclasses.fields(section)]
    if not values.keys() >= set(names):
        return []  # This tool takes no configuration.
    try:
        config.from_flat({name: values[name] for name in names})
    except config.ConfigError as error:
        return [str(error)]
    return []
