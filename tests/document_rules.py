"""Reads the documents and says where they disagree with the tools, the files and each other."""

import ast
import dataclasses
import importlib.util
import json
import pathlib
import re
import shlex
import textwrap

from tests import programs
from tests.build_rules import read_build

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDERS = ("actcl_tf", "configs", "tests", "tools")
TOOLS = sorted(
    f"tools/{path.name}"
    for path in (ROOT / "tools").glob("*.py")
    if "field_flags.run(" in path.read_text()
)
# Tools whose first argument is a command, and how many words follow each.
SUBCOMMANDS = {"tools/search.py": {"index": 1, "query": 0}}
# Commands of others, whose arguments are theirs to check.
FOREIGN = {
    "cd",
    "dask",
    "git",
    "pip",
    "tensorboard",
    "mkdir",
    "source",
    ".",
    "ls",
    "tail",
    "docker",
}

# Flags of absl, TensorBoard, uv and Docker.
FOREIGN_FLAGS = {"flagfile", "gpus", "help", "logdir", "upgrade"}

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


_FENCED = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def find_documents(root: pathlib.Path = ROOT) -> dict:
    """Path from root -> text of all documents, README.md first."""
    paths = [root / "README.md"]
    paths += sorted(path for folder in FOLDERS for path in (root / folder).rglob("*.md"))
    return {path.relative_to(root).as_posix(): path.read_text() for path in paths}


def find_blocks(text: str) -> list:
    """All fenced blocks of a Markdown text, those in lists too."""
    return [
        Block(m[2].strip(), textwrap.dedent(m[3]), text[: m.start()].count("\n") + 1)
        for m in _FENCED.finditer(text)
    ]


def prose_of(text: str) -> str:
    """A Markdown text without its fenced blocks."""
    return _FENCED.sub("", text)


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


def check_command(words: list, tools: list) -> list:
    """What is wrong with a command, apart from the flags of our tools."""
    program, arguments = pathlib.PurePath(words[0]).name, words[1:]
    makefile = (ROOT / "Makefile").read_text()
    if program == "make":
        names = [re.escape(arg.partition("=")[0]) for arg in arguments if not arg.startswith("-")]
        known = [re.search(rf"^{n}:|^{n} \?=|\$\({n}\)", makefile, re.MULTILINE) for n in names]
        return [f"make knows no {name}" for name, ok in zip(names, known, strict=True) if not ok]
    if program in ("python", "python3") and arguments:
        if arguments[0] == "-m":
            missing = importlib.util.find_spec(arguments[1]) is None
            files = [arg for arg in arguments if arg.partition("/")[0] in FOLDERS]
            gone = [f"no such file: {arg}" for arg in files if not (ROOT / arg).exists()]
            return [f"no module {arguments[1]}"] if missing else gone
        return [] if arguments[0] in ("-c", *tools) else [f"no such tool: {arguments[0]}"]
    if program == "bazel":
        labels = [arg[3:] for arg in arguments if arg.startswith("//:")]
        return [f"no such target: {x}" for x in labels if x not in read_build(ROOT)]
    return [] if program in FOREIGN else [f"a command that this test does not know: {program}"]


def check_texts(texts: dict, tools: list = TOOLS) -> list:
    """What is wrong with the commands, code, names and links in Markdown texts.

    Args:
      texts: path of each document -> its text.
      tools: the tools that there are; each is asked for its flags.
    """
    problems, calls = [], {}
    for name, text in texts.items():
        for block in find_blocks(text):
            where = f"{name} line {block.line}"
            if block.info.split()[:1] == ["python"]:
                problems += [f"{where}: {p}" for p in check_python(block.text)]
            elif block.info.split()[:1] == ["sh"]:
                for words in [words for line in block.commands for words in split_command(line)]:
                    problems += [f"{where}: {problem}" for problem in check_command(words, tools)]
                    if len(words) > 1 and words[1] in tools:
                        calls.setdefault(words[1], []).append((where, words[2:]))
    known = set(FOREIGN_FLAGS)
    lists = {tool: [arguments for _, arguments in calls.get(tool, [])] for tool in tools}
    for tool, (found, answers) in parse_flags(lists).items():
        known.update(found)
        for (where, _), (error, _) in zip(calls.get(tool, []), answers, strict=True):
            problems += [f"{where}: {tool}: {error}"] if error else []
    for name, text in texts.items():
        prose = prose_of(text)
        problems += [f"{name}: {p}" for p in check_names(prose, known, tools)]
        problems += [f"{name}: {p}" for p in check_links(name, texts)]
    return problems


def check_names(prose: str, known_flags: set, tools: list) -> list:
    """What of flags, make targets and paths in a text's code spans does not exist."""
    problems = []
    for span in re.findall(r"`([^`\n]+)`", prose):
        flags = re.findall(r"(?<!\S)--(?:no)?(\w+)", span)
        whole = re.findall(r"(?<!\S)--(\w+)", span)
        problems += [
            f"`{span}`: no tool has the flag --{w}"
            for f, w in zip(flags, whole, strict=True)
            if not {f, w} & known_flags
        ]
        if re.fullmatch(r"make [a-z-]+", span):
            problems += check_command(span.split(), tools)
    paths = re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]*)", prose)
    return problems + [f"no such file: {path}" for path in paths if not (ROOT / path).exists()]


def check_python(code: str) -> list:
    """What is wrong with a printed program: its syntax, and its imports.

    A module that does not exist is wrong, and TensorFlow before the package, which chooses its
    kernels.
    """
    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        return [str(error)]
    modules = [n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    whole = [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
    names = {m.split(".")[0] for m in modules + whole}
    problems = [f"no module {m}" for m in sorted(names) if importlib.util.find_spec(m) is None]
    order = [name for name in whole if name in ("actcl_tf", "tensorflow")]
    if order == ["tensorflow", "actcl_tf"]:
        problems.append("imports tensorflow before actcl_tf")
    return problems


def anchors_of(text: str) -> set:
    """The anchors of a document's headings, as GitHub makes them."""
    found = set()
    for heading in re.findall(r"^#+ +(.+?) *$", prose_of(text), re.MULTILINE):
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        again = (f"{anchor}-{number}" for number in range(1, 100))
        found.add(anchor if anchor not in found else next(a for a in again if a not in found))
    return found


def links_of(text: str) -> list:
    """The targets of a document's links and images, without those to other sites."""
    targets = re.findall(r"\]\(([^)\s]+)\)", prose_of(text))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def resolve(name: str, target: str) -> str:
    """The path from root that a link of a document leads to; "" where it leaves the project."""
    path = (ROOT / name).parent / target.partition("#")[0] if target[0] != "#" else ROOT / name
    path = path.resolve()
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else ""


def check_links(name: str, texts: dict) -> list:
    """Which links of a document lead nowhere."""
    problems = []
    for target in links_of(texts[name]):
        path, anchor = resolve(name, target), target.partition("#")[2]
        if not path or not (path in texts or (ROOT / path).exists()):
            problems.append(f"({target}): no such file: {path or target}")
        elif anchor and anchor not in anchors_of(texts.get(path, "")):
            problems.append(f"({target}): {path} has no heading of that name")
    return problems
