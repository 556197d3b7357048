"""Nothing that strangers may have written is run: no pickle, no eval, no shell in our code."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]

# Modules that run, or may run, what they read.
MODULES = {
    *("pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"),
    *("yaml", "jsonpickle", "code", "runpy"),
}
# Calls that do.
CALLS = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load"),
    *("yaml.unsafe_load", "pd.read_pickle", "pandas.read_pickle", "tf.py_func"),
    *("load_model", "enable_unsafe_deserialization"),
}

# Reviewed: what is found, file -> {what: why it is safe}.
REVIEWED = {
    "actcl_tf/models/weights_file.py": {
        "import pickle": "for the name of the error that torch.load(weights_only=True) raises",
    },
    "tools/command.py": {"import runpy": "for the programs beside it, whose names stand there"},
}


def is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def dangerous_call(node: ast.Call) -> str:
    """What is wrong with a call; empty where nothing is."""
    name = ast.unparse(node.func)
    words = {keyword.arg: keyword.value for keyword in node.keywords}
    # By its whole name, as model.eval and re.compile are others; Keras models by any.
    if name in CALLS or name.endswith(".load_model"):
        return f"{name}()"
    if "allow_pickle" in words and not is_false(words["allow_pickle"]):
        return f"{name}(allow_pickle)"
    if name in ("np.load", "numpy.load") and len(node.args) > 2:
        return f"{name}(allow_pickle)"
    if name == "torch.load" and not is_true(words.get("weights_only", ast.Constant(None))):
        return "torch.load without weights_only=True"
    if "shell" in words and not is_false(words["shell"]):
        return f"{name}(shell)"
    if "safe_mode" in words and not is_true(words["safe_mode"]):
        return f"{name}(safe_mode)"
    return ""


def dangers(source: str) -> list[str]:
    """What in a source may run what it reads."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        else:
            names = []
        found += [f"import {name}" for name in names if name.split(".")[0] in MODULES]
        if isinstance(node, ast.Call) and (danger := dangerous_call(node)):
            found.append(danger)
    return found


def test_our_code_runs_nothing_that_it_reads():
    sources = [path for part in ("actcl_tf", "tools") for path in (ROOT / part).rglob("*.py")]
    assert len(sources) > 100
    found = {str(path.relative_to(ROOT)): dangers(path.read_text("utf-8")) for path in sources}
    assert {path: set(what) for path, what in found.items() if what} == {
        path: set(what) for path, what in REVIEWED.items()
    }


@pytest.mark.parametrize(
    "source, expected",
    [
        ("", []),
        ("import pickle", ["import pickle"]),
        ("def f():\n  from cloudpickle import loads", ["import cloudpickle"]),
        ("from . import pickle", []),
        ("eval(text)", ["eval()"]),
        ("exec(text)", ["exec()"]),
        ("model.eval(); re.compile(text); model.compile(x)", []),
        ("os.system(text)", ["os.system()"]),
        ("subprocess.run(text, shell=True)", ["subprocess.run(shell)"]),
        ("subprocess.run(text, shell=flag)", ["subprocess.run(shell)"]),
        ("subprocess.run([text], shell=False)", []),
        ("np.load(path)", []),  # NumPy's default refuses objects.
        ("np.load(path, allow_pickle=False)", []),
        ("np.load(path, allow_pickle=True)", ["np.load(allow_pickle)"]),
        ("np.load(path, None, True)", ["np.load(allow_pickle)"]),
        ("torch.load(path)", ["torch.load without weights_only=True"]),
        ("torch.load(path, weights_only=False)", ["torch.load without weights_only=True"]),
        ("torch.load(path, weights_only=True)", []),
        ("yaml.load(text)", ["yaml.load()"]),
        ("tf.keras.models.load_model(path)", ["tf.keras.models.load_model()"]),
        ("x.read(path, safe_mode=False)", ["x.read(safe_mode)"]),
    ],
)
def test_each_way_of_running_what_is_read_is_found(source, expected):
    assert dangers(source) == expected
