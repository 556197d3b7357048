"""Holds the documents and the configuration files against the tools.

A fenced block opened with ```sh run (or ```python run) is run as printed, with training cut short;
of all others the flags, files, make targets and imports are checked.
"""

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from actcl_tf import config
from tests import programs
from tests.document_rules import (
    ROOT,
    TOOLS,
    check_texts,
    find_blocks,
    find_documents,
    links_of,
    parse_flags,
    resolve,
    split_command,
)

CONFIGS = sorted((ROOT / "configs").glob("*.cfg"))
FIGURES = ROOT / "configs" / "figures"
HEADER = ("Reproduces", "Hardware", "Time", "Expect", "Command")
README_LINES = 250
FIGURE_BYTES = 200_000
README_FIGURE_BYTES = 150_000

# Programs that serve, or take minutes, or are of no use to one who has videos.
NOT_RUN = {
    *("tools/benchmark.py", "tools/data_service.py", "tools/make_synthetic.py", "tools/study.py"),
}
# Added to a printed training command, so that it takes seconds.
SHORT = (
    "--steps=2 --batch_size=4 --dictionary_size=4 --pool_size=8 --warmup_steps=0 --num_frames=4 "
    "--image_size=32 --video_encoder=resnet3d_6 --video_width=0.125 --audio_encoder=resnet2d_6 "
    "--audio_width=0.125 --hidden_size=16 --embedding_size=8 --eval_every=0"
)


def run_blocks(documents: dict, folder: pathlib.Path) -> list:
    """Runs the marked blocks, in their order, in a folder that looks like a fresh clone.

    Args:
      documents: path of each document -> its text.
      folder: an empty one.

    Returns:
      The blocks that were run.
    """
    for name in ("actcl_tf", "configs", "tools"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv" / "bin").mkdir(parents=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"}
    marked = marked_blocks(documents)
    with programs.python_for_scripts(folder / ".venv" / "bin" / "python"):
        for name, block in marked:
            if block.info.startswith("sh"):
                lines = [f"{c} {SHORT}" if "tools/train.py" in c else c for c in block.commands]
                command = ["bash", "-euo", "pipefail", "-c", "\n".join(lines)]
            else:
                command = [".venv/bin/python", "-c", block.text]
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, (
                f"{name} line {block.line}:\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
            )
    return [block for _, block in marked]


def marked_blocks(documents: dict) -> list:
    """(document, block) of all blocks that are to be run."""
    return [
        (name, block)
        for name, text in documents.items()
        for block in find_blocks(text)
        if block.info.split()[1:] == ["run"]
    ]


def make_videos(folder: pathlib.Path, name: str) -> None:
    """A user's folder of videos: one subfolder a class, a few short files each."""
    from actcl_tf.data.synthetic import synthetic

    synthetic.write_dataset(
        folder / "made", num_train=16, num_test=1, size=32, progress=False, num_workers=2
    )
    shutil.copytree(folder / "made" / "train", folder / name)


def test_documents_are_right():
    problems = check_texts(find_documents())
    assert not problems, "\n".join(["The documents:", *problems])


def test_readme_is_short_and_leads_to_every_document():
    documents = find_documents()
    assert documents["README.md"].count("\n") <= README_LINES
    linked = {resolve("README.md", target) for target in links_of(documents["README.md"])}
    assert linked >= documents.keys() - {"README.md"}


def test_figures_are_small_and_shown():
    shown = {resolve(name, t) for name, text in find_documents().items() for t in links_of(text)}
    on_readme = {resolve("README.md", t) for t in links_of((ROOT / "README.md").read_text())}
    for path in FIGURES.iterdir():
        name = path.relative_to(ROOT).as_posix()
        assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n", f"{name} is no PNG file"
        most = README_FIGURE_BYTES if name in on_readme else FIGURE_BYTES
        assert path.stat().st_size <= most, f"{name} has more than {most} bytes"
        assert name in shown, f"no document shows {name}"


def test_each_tool_but_some_is_in_a_block_that_is_run():
    text = "".join(block.text for _, block in marked_blocks(find_documents()))
    assert set(re.findall(r"tools/\w+\.py", text)) == set(TOOLS) - NOT_RUN


# Quick tests parse every flag of every document, and run each tool in a test of its own.
@pytest.mark.slow
def test_commands_of_the_documents_run(tmp_path):
    documents = find_documents()
    text = "".join(block.text for _, block in marked_blocks(documents))
    for name in {m.rstrip("/") for m in re.findall(r"--input=(\S+)", text)}:
        make_videos(tmp_path, name)
    run_blocks(documents, tmp_path)


# One that starts quickly, where all would take long.
ONE_TOOL = ["tools/make_synthetic.py"]


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
        ("```python\nimport tensorflow as tf\n\nimport actcl_tf\n```\n", "before actcl_tf"),
        ("Use `--sed`.\n", "no tool has the flag --sed"),
        ("See `tools/tain.py`.\n", "no such file: tools/tain.py"),
        ("See [this](configs/none.cfg).\n", "no such file: configs/none.cfg"),
        ("Say `make pretend`.\n", "make knows no pretend"),
        ("See [this](#none).\n", "README.md has no heading of that name"),
        ("See [this](tools/README.md#none).\n", "has no heading of that name"),
        ("See [this](../README.md).\n", "no such file: ../README.md"),
        ("![A figure](configs/figures/none.png)\n", "no such file: configs/figures/none.png"),
        ("- In a list:\n\n  ```sh\n  make pretend\n  ```\n", "make knows no pretend"),
        ("```sh\npython -m pytest tests/none_test.py\n```\n", "no such file: tests/none_test.py"),
    ],
)
def test_a_wrong_text_is_found(text, expected):
    problems = check_texts({"README.md": text}, ONE_TOOL)
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


def test_a_right_text_passes():
    text = (
        "# A heading: of `words`\nUse `--seed`, `make test`, `tools/train.py`.\n"
        "[Here](#a-heading-of-words), [there](configs/pretrain.cfg), [far](https://a.b/c)\n"
        "```sh\n# a comment\n$ make pretrain PYTHON=python3.11\n"
        "cd x && python tools/make_synthetic.py \\\n  --output=y  # short\n```\n"
        "```python\nimport actcl_tf\nimport tensorflow as tf\n```\n"
    )
    assert check_texts({"README.md": text}, ONE_TOOL) == []


def test_marked_blocks_run_in_order_and_failures_show(tmp_path):
    text = "```sh run\necho 1 > a\n```\n```sh\nfalse\n```\n```python run\nassert open('a')\n```\n"
    assert len(run_blocks({"README.md": text}, tmp_path)) == 2
    (tmp_path / "other").mkdir()
    with pytest.raises(AssertionError, match=r"README.md line 1:[^$]*oops"):
        wrong = "```sh run\necho oops; false\ntrue\n```\n"
        run_blocks({"README.md": wrong}, tmp_path / "other")


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
    results = (ROOT / "configs" / "README.md").read_text()
    for path in CONFIGS:
        problems += [] if path.name in results else [f"{path.name}: not in configs/README.md"]
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
        for (name, _), (error, values) in zip(calls[tool], answers, strict=True):
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
