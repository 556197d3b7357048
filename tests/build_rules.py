"""Reads BUILD and the sources, and says where they or the import rules disagree.

BUILD is valid Python, so it is read by running it with recorders in the place of Bazel's rules.
"""

import ast
import dataclasses
import importlib.util
import pathlib
import sys
import sysconfig

FOLDERS = ("actcl_tf", "tools", "tests")

# Which parts of the package, told by their folders, a part may import. Nothing may import tools or
# tests. A folder that holds other parts has an `__init__.py` that is everybody's, of actcl_tf.
_MEDIA = {"data/media", "data/media/containers"}
_INPUT = {*_MEDIA, "data/records", "data/input", "data/input/transforms"}
_TRAIN = {"train", "train/model", "train/placement", "train/callbacks", "train/runs"}
RULES = {
    "actcl_tf": set(),  # the package's own __init__.py, and what must come before TensorFlow
    "storage": set(),
    "config": {"storage"},
    "console": set(),
    "contrast": set(),
    "models": {"storage", "config"},
    "data/media/containers": {"storage"},
    "data/media": {"storage", "data/media/containers"},
    "data/records": {"storage", "config", "console", *_MEDIA},
    "data/catalogs": {"storage", "config", "data/media/containers"},
    "data/prepare": {"storage", "config", "console", *_MEDIA, "data/records", "data/catalogs"},
    "data/synthetic": {"storage", "config", "console"},
    "data/input/transforms": {"storage", "config", "data/records"},
    "data/input": {"storage", "config", "console", *_INPUT},
    "train/runs": {"storage", "config", "models"},
    "train/model": {"storage", "config", "contrast", "models"},
    "train/placement": {"storage", "config", "train/runs"},
    "train/callbacks": {"storage", "config", "console", "contrast", "models", *_TRAIN} - {"train"},
    "train": {"storage", "config", "console", "contrast", "models", *_INPUT, *_TRAIN},
    "pretrained": {"storage", "config", *_MEDIA},
    "export": {
        *("storage", "config", "console", "models", "pretrained", "train/runs"),
        *("data/records", "data/input", "data/input/transforms"),
    },
    "reporting": {"storage", "models", "data/synthetic"},
    "evaluate/features": {
        *("storage", "config", "console", "models", "pretrained", "evaluate/clips"),
        *_INPUT,
        *_TRAIN,
    },
    "evaluate/clips": {"storage", "config", "data/records"},
    "evaluate/metrics": {"config", "evaluate/features"},
    "evaluate/results": {"storage", "config", "reporting", "evaluate/metrics"},
    "evaluate/protocols": {
        *("storage", "config", "console", "models", "reporting", *_INPUT, *_TRAIN),
        *("evaluate/clips", "evaluate/features", "evaluate/metrics", "evaluate/results"),
    },
    "evaluate/monitor": {
        *("storage", "config", *_INPUT, *_TRAIN),
        *("evaluate/clips", "evaluate/features", "evaluate/metrics", "evaluate/protocols"),
        "evaluate/results",
    },
    "evaluate": {
        *("config", "console", "data/records", "evaluate/protocols"),
        *("evaluate/clips", "evaluate/features", "evaluate/results"),
    },
    "inspection": {
        *("storage", "config", "console", "contrast", "models", "reporting", *_INPUT, *_TRAIN),
    },
    "search": {
        *("storage", "config", "console", "pretrained", "reporting", *_MEDIA),
        "data/catalogs",
    },
    "study": {"storage", "config", "console", "reporting"},
    "benchmark": {
        *("config", "console", "data/input", "data/prepare", "train/placement", "train/runs"),
    },
    "benchmark/step": {
        *("benchmark", "storage", "config", "console", "contrast", "models", *_INPUT, *_TRAIN),
    },
    "benchmark/seeding": {"benchmark", "config", "console", "contrast", "reporting"},
    "benchmark/scaling": {
        *("benchmark", "benchmark/seeding", "config", "console", "contrast", "reporting"),
        *("train/model", "train/runs"),
    },
    "benchmark/serving": {
        *("benchmark", "config", "console", "models", "pretrained", "export", "train/runs"),
        *("data/records", "data/input"),
    },
    "benchmark/input": {
        *("benchmark", "storage", "config", "console", *_INPUT, "data/catalogs", "data/prepare"),
    },
}
RULES["tools"] = RULES["tests"] = set(RULES)
# What a part may import besides, where that is limited.
THIRD_PARTY_RULES = {
    "config": set(),
    "console": {"tqdm"},
    "contrast": {"tensorflow"},
    "data/media": {"av", "numpy", "pillow"},
    "data/media/containers": {"av"},
}
# Parts that start in a fraction of a second: nothing that they import brings TensorFlow along.
LIGHT = {"config", "console", "data/media", "data/media/containers"}

# Distributions whose name is not that of the module they bring.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "absl": "absl-py",
    "apache_beam": "apache-beam",
    "imageio_ffmpeg": "imageio-ffmpeg",
    "google.protobuf": "protobuf",
    "grpc": "grpcio",
    "tensorflow_serving": "tensorflow-serving-api",
    "sklearn": "scikit-learn",
}

# Extras that the locks leave out, so that BUILD cannot name them: imported by the function that
# needs them, never with the module.
UNLOCKED = {"torch"}

KNOWN_ATTRIBUTES = {"args", "data", "imports", "main", "size", "testonly", "visibility"}


@dataclasses.dataclass(frozen=True)
class Target:
    """One rule of BUILD: its own sources, own deps (without the colon) and requirements."""

    name: str
    kind: str
    srcs: tuple
    deps: tuple
    requirements: tuple
    main_module: str = ""


def read_build(root: pathlib.Path) -> dict:
    """Target name -> Target, for every rule of root/BUILD."""
    targets = {}

    def glob(include, exclude=()):
        def paths(patterns):
            return {p.relative_to(root).as_posix() for each in patterns for p in root.glob(each)}

        return sorted(paths(include) - paths(exclude))

    def recorder(kind):
        def record(name, srcs=(), deps=(), main_module="", **others):
            assert name not in targets, f"BUILD: two targets are called {name}"
            unknown = set(others) - KNOWN_ATTRIBUTES
            assert not unknown, f"BUILD: target {name}: attributes {unknown} are not known here"
            runs = main_module or others.get("main", f"{name}.py") in srcs
            assert runs or kind == "py_library", f"BUILD: target {name}: main is not in srcs"
            own = tuple(dep[1:] for dep in deps if dep.startswith(":"))
            required = tuple(dep[len("@pypi//") :] for dep in deps if dep.startswith("@pypi//"))
            assert len(own) + len(required) == len(deps), f"BUILD: target {name}: deps {deps}"
            targets[name] = Target(name, kind, tuple(srcs), own, required, main_module)

        return record

    def ignore(*_, **__):
        pass

    scope = {kind: recorder(kind) for kind in ("py_library", "py_binary", "py_test")}
    scope.update({"load": ignore, "package": ignore, "exports_files": ignore, "glob": glob})
    scope.update({"requirement": "@pypi//{}".format, "__builtins__": {}})
    exec(compile((root / "BUILD").read_text(), "BUILD", "exec"), scope)
    return targets


def find_sources(root: pathlib.Path) -> set:
    """Paths of all Python files, relative to root."""
    files = [p for folder in FOLDERS for p in (root / folder).rglob("*.py")] + [*root.glob("*.py")]
    # setup.py is setuptools' own, as pyproject.toml is.
    return {p.relative_to(root).as_posix() for p in files} - {"setup.py"}


def lines_of_functions(text: str) -> set:
    """The lines that run only when somebody calls a function."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, functions)]
    return {line for node in nodes for line in range(node.lineno + 1, node.end_lineno + 1)}


def module_path(module: str, sources: set) -> str:
    """The file of one of our modules, or ""."""
    stem = module.replace(".", "/")
    return next((path for path in (f"{stem}.py", f"{stem}/__init__.py") if path in sources), "")


def find_imports(path: str, text: str, sources: set) -> list:
    """(line, module) of every import of a file, also inside functions, as deep as it names one."""
    package = path.split("/")[:-1]
    found = []
    for node in ast.walk(ast.parse(text, path)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *filter(None, [node.module])])
            for alias in node.names:
                name = f"{base}.{alias.name}"
                is_module = module_path(name, sources) or name in DISTRIBUTIONS or base == "absl"
                found.append((node.lineno, name if is_module else base))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            names = [arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)]
            found += [(node.lineno, name) for name in names]
    # A program finds the modules beside it by their bare names.
    beside = package == ["tools"]
    found = [(n, f"tools.{m}" if beside and f"tools/{m}.py" in sources else m) for n, m in found]
    return sorted(set(found))


def parents(path: str, sources: set) -> set:
    """The __init__.py files that Python runs before the file."""
    folders = path.split("/")[:-1]
    names = {"/".join(folders[:n]) + "/__init__.py" for n in range(1, len(folders) + 1)}
    return (names & sources) - {path}


def part_of(path: str) -> str:
    """The part, in the words of RULES, that a file belongs to."""
    top, *folders = path.split("/")[:-1] or [path[: -len(".py")]]
    name = path.split("/")[-1][: -len(".py")]
    if top != "actcl_tf":
        return top
    folder = "/".join(folders)
    if name == "__init__" and any(part.startswith(f"{folder}/") for part in RULES):
        return "actcl_tf"
    if folder:
        return folder
    return "actcl_tf" if name in ("__init__", "cpu_kernels", "keras_2", "tensorflow_log") else name


def is_standard(module: str) -> bool:
    """Whether a module comes with Python."""
    if module in sys.builtin_module_names or module == "__future__":
        return True
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.origin:
        return False
    home = pathlib.Path(sysconfig.get_paths()["stdlib"]).resolve()
    inside = home in pathlib.Path(spec.origin).resolve().parents
    return spec.origin in ("built-in", "frozen") or (inside and "site-packages" not in spec.origin)


def distribution(module: str) -> str:
    """The distribution that brings a third-party module; "" for the standard library."""
    for name, known in DISTRIBUTIONS.items():
        if module == name or module.startswith(name + "."):
            return known
    top = module.split(".")[0]
    return "" if is_standard(top) else top.replace("_", "-")


def check_deps(targets: dict) -> list:
    """Every dep exists, is a library, and none leads back."""
    problems = []
    for target in targets.values():
        for dep in target.deps:
            if dep not in targets:
                problems.append(f"target {target.name}: no such dep: {dep}")
            elif targets[dep].kind != "py_library":
                problems.append(f"target {target.name}: dep {dep} is a {targets[dep].kind}")
        if any(target.name in reach(targets[d], targets) for d in target.deps if d in targets):
            problems.append(f"target {target.name}: its deps lead back to it")
    return problems


def reach(target: Target, targets: dict) -> set:
    """The target and all that it depends on, directly or not."""
    seen, left = set(), [target.name]
    while left:
        name = left.pop()
        if name not in seen and name in targets:
            seen.add(name)
            left += targets[name].deps
    return seen


def check_sources(targets: dict, sources: set) -> list:
    """Every file is in exactly one target, and no library mixes parts."""
    problems = []
    for path in sorted(sources | {src for target in targets.values() for src in target.srcs}):
        owners = [target.name for target in targets.values() if path in target.srcs]
        if path not in sources:
            problems.append(f"target {owners[0]}: no such file: {path}")
        elif not owners:
            problems.append(f"{path}: in no target")
        elif len(owners) > 1:
            problems.append(f"{path}: in more than one target: {', '.join(owners)}")
    for target in targets.values():
        parts = sorted({part_of(src) for src in target.srcs})
        if len(parts) > 1:
            problems.append(f"target {target.name}: mixes the parts {', '.join(parts)}")
    return problems


def check_imports(root: pathlib.Path, targets: dict, sources: set) -> list:
    """Imports are covered by deps, deps by imports, and both keep to the rules."""
    problems = []
    owner = {src: target.name for target in targets.values() for src in target.srcs}
    for target in targets.values():
        used = {target.main_module.split(".")[0]}
        reachable = reach(target, targets)
        for path in sorted(set(target.srcs) & sources):
            part = part_of(path)
            needed = parents(path, sources)
            for line, module in find_imports(path, (root / path).read_text(), sources):
                where = f"{path}:{line} imports {module}"
                named = module_path(module, sources)
                if named:
                    other, home = part_of(named), owner.get(named, "")
                    if other != part and other not in RULES[part] | {"actcl_tf"}:
                        problems.append(f"{where}: {part} may not import {other}")
                    if home and home not in (target.name, *target.deps):
                        problems.append(f"{where}: {home} is no dep of {target.name}")
                    used.add(home)
                    needed |= parents(named, sources)
                elif module.split(".")[0] in FOLDERS:
                    problems.append(f"{where}: there is no such module")
                else:
                    brought = distribution(module)
                    if brought in UNLOCKED:
                        if line not in lines_of_functions((root / path).read_text()):
                            problems.append(f"{where}: only inside a function")
                        continue
                    if brought and brought not in target.requirements:
                        problems.append(f"{where}: {target.name} lacks requirement({brought!r})")
                    if brought and brought not in THIRD_PARTY_RULES.get(part, {brought}):
                        problems.append(f"{where}: {part} may not import {brought}")
                    if module.startswith("absl.flags") and part != "tools":
                        problems.append(f"{where}: flags are read in tools/ only")
                    used.add(brought)
            missing = {owner.get(init, "") for init in needed} - reachable
            problems += [f"{path}: its package's target {m} cannot be reached" for m in missing]
            used |= {owner.get(init, "") for init in needed}
        for dep in sorted({*target.deps, *target.requirements} - used):
            problems.append(f"target {target.name}: dep {dep} is not used")
    return problems


def check_light(root: pathlib.Path, sources: set) -> list:
    """Files of LIGHT parts that bring TensorFlow along as they are imported, and by which way."""
    problems = []
    light = [path for path in sorted(sources) if part_of(path) in LIGHT]
    for first in light:
        came, left = {first: ""}, [first]
        while left:
            path = left.pop()
            text = (root / path).read_text()
            later = lines_of_functions(text)
            for line, module in find_imports(path, text, sources):
                if line in later:
                    continue
                if module.split(".")[0] == "tensorflow":
                    way = path
                    while came[path]:
                        path = came[path]
                        way = f"{path}, {way}"
                    problems.append(f"{first}: imports tensorflow by way of {way}")
                    left.clear()
                    break
                named = module_path(module, sources)
                for each in sorted(parents(named, sources) | {named}) if named else ():
                    if each not in came:
                        came[each] = path
                        left.append(each)
    return problems


def check(root: pathlib.Path) -> list:
    """All that is wrong with BUILD and the imports under root, one line each."""
    targets, sources = read_build(root), find_sources(root)
    problems = check_deps(targets) + check_sources(targets, sources)
    problems += check_imports(root, targets, sources)
    return problems + check_light(root, sources)
