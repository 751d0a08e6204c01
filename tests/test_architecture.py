"""The house rules that a machine can check: who may import whom, sizes, docstrings, and nothing of any one machine."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LAYERS = ("assets", "envs", "datagen", "policy", "benchmarks")  # imports run from right to left only
# Narrower than the direction: what a layer may see of the others, where that is not everything to its left.
NARROWED = {
    "assets": ("envs.spec",),
    "policy": ("envs.spec", "envs.interface", "datagen.storage", "datagen.windows", "datagen.sights"),
}
MAX_FILE_LINES, MAX_FUNCTION_LINES = 400, 80
TEXT_FILES = (".py", ".md", ".toml", ".lock", ".j2", ".txt", ".cfg", ".yml", ".yaml", ".json", "Makefile", "run")
FOREIGN = {
    "a path of some machine": re.compile(r"(?<![\w.~$)}<-])/(?:home|root|Users|work|workspace|mnt|opt|farm)/\w"),
    "a scratch folder": re.compile(r"(?<![\w.])/tmp" + r"/\w"),
    "a package registry": re.compile(
        r"pypi\.|python" + r"hosted|debian\.(?:org|net)|registry\.npm|anaconda\.(?:org|com)"
    ),
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def violations(root: Path) -> list[str]:
    """Every breach of the rules in a tree, as "file:line: what"."""
    found = []
    for path in source_files(root):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        rules = [imports, statements, sizes] + ([] if path.parent.name == "tests" else [docstrings])
        for rule in rules:
            found += [f"{path.relative_to(root)}:{line}: {what}" for line, what in rule(root, path, tree)]
    return found + foreign_words(root)


def source_files(root: Path) -> list[Path]:
    return sorted(path for folder in (*LAYERS, "tests") for path in (root / folder).rglob("*.py"))


def imports(root: Path, path: Path, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The direction of imports; tests see everything."""
    layer = path.relative_to(root).parts[0]
    for line, module in imported(root, tree):
        top = module.split(".")[0]
        if not module:
            yield line, "relative import: name the package"
        if top == "torch" and layer not in ("policy", "tests"):
            yield line, "torch is imported in policy alone"
        if layer == "tests" or top not in LAYERS or top == layer:
            continue
        allowed = NARROWED.get(layer)
        if allowed is not None and module not in allowed:
            yield line, f"{layer} may import only {', '.join(allowed)}, not {module}"
        if allowed is None and LAYERS.index(top) > LAYERS.index(layer):
            yield line, f"{layer} may not import {module}: it lies to its right"


def imported(root: Path, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, module) of every import, also within functions; `from envs import spec` counts as envs.spec."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "" if node.level else node.module
            for alias in node.names:
                inner = root.joinpath(*module.split("."), alias.name) if module else root
                is_module = bool(module) and (inner.with_suffix(".py").exists() or (inner / "__init__.py").exists())
                yield node.lineno, f"{module}.{alias.name}" if is_module else module


def statements(root: Path, path: Path, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Statements that hide what a file uses or what went wrong."""
    del root, path  # Unused: true of any file.
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            yield node.lineno, "star import"
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield node.lineno, "bare except"
        if isinstance(node, ast.Global):
            yield node.lineno, "mutable global"


def sizes(root: Path, path: Path, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """A file is one idea, a function fits a screen."""
    del root  # Unused: true of any tree.
    lines = len(path.read_text(encoding="utf-8").splitlines())
    if lines > MAX_FILE_LINES:
        yield lines, f"file of {lines} lines, at most {MAX_FILE_LINES}"
    for node in ast.walk(tree):
        if isinstance(node, Function) and (length := node.end_lineno - node.lineno + 1) > MAX_FUNCTION_LINES:
            yield node.lineno, f"function {node.name} of {length} lines, at most {MAX_FUNCTION_LINES}"


def docstrings(root: Path, path: Path, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Modules and what they offer say what they are."""
    del root, path  # Unused: true of any file.
    if not ast.get_docstring(tree):
        yield 1, "module without a docstring"
    for node in tree.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_") and not ast.get_docstring(node):
            yield node.lineno, f"{node.name} without a docstring"


def foreign_words(root: Path) -> list[str]:
    """Traces of one machine or network in any file that is part of the project."""
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [
            f for f in folders if f in (".ci", ".github") or not (f.startswith(".") or f in ("runs", "build"))
        ]
        folders[:] = [f for f in folders if not f.endswith(".egg-info") and f != "__pycache__"]
        for name in files:
            path = Path(folder, name)
            if not name.endswith(TEXT_FILES):
                continue
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
                found += [f"{path.relative_to(root)}:{number}: {what}" for what, p in FOREIGN.items() if p.search(line)]
    return found


def test_the_project_keeps_its_rules():
    assert violations(ROOT) == []


def test_the_rules_look_at_the_whole_project():
    seen = {path.relative_to(ROOT).as_posix() for path in source_files(ROOT)}
    assert {f"{layer}/__init__.py" for layer in LAYERS} | {"envs/spec.py", "tests/test_architecture.py"} <= seen


DOC = '"""What it is."""\n'
PLANTED = {
    "envs/a.py": (DOC + "import datagen.expert\n", "envs may not import datagen.expert"),
    "envs/b.py": (DOC + "def f():\n    '''Doc.'''\n    from benchmarks import run\n", "envs may not import benchmarks"),
    "assets/a.py": (DOC + "from envs import sim\n", "assets may import only envs.spec, not envs"),
    "assets/b.py": (DOC + "from envs.scene import build\n", "assets may import only envs.spec, not envs.scene"),
    "policy/a.py": (DOC + "import envs.sim\n", "policy may import only"),
    "policy/b.py": (DOC + "import assets.mesh\n", "policy may import only"),
    "datagen/a.py": (DOC + "import torch\n", "torch is imported in policy alone"),
    "datagen/b.py": (DOC + "from .storage import Demo\n", "relative import"),
    "datagen/c.py": (DOC + "from math import *\n", "star import"),
    "datagen/d.py": (DOC + "try:\n    pass\nexcept:\n    pass\n", "bare except"),
    "datagen/e.py": (DOC + "def f():\n    '''Doc.'''\n    global x\n", "mutable global"),
    "datagen/f.py": ("x = 1\n", "module without a docstring"),
    "datagen/g.py": (DOC + "def f():\n    pass\n", "f without a docstring"),
    "datagen/h.py": (DOC + "class C:\n    pass\n", "C without a docstring"),
    "datagen/i.py": (DOC + "x = 1\n" * MAX_FILE_LINES, "file of 401 lines"),
    "datagen/j.py": (DOC + "def f():\n    '''Doc.'''\n" + "    x = 1\n" * 80, "function f of 82 lines"),
    "datagen/k.py": (DOC + 'FILE = "/ho' + 'me/me/file"\n', "a path of some machine"),
    "README.md": ("see https://py" + "pi.org/project/x\n", "a package registry"),
    ".ci/run": ("cd /t" + "mp/x\n", "a scratch folder"),
}
INNOCENT = {
    "envs/spec.py": DOC,
    "envs/sim.py": DOC + "from assets import mesh\nimport numpy\n",
    "assets/mesh.py": DOC + "from envs import spec\nfrom envs.spec import x\n",
    "policy/agent.py": DOC + "import torch\nfrom envs import interface\nfrom datagen.storage import Demo\n",
    "envs/interface.py": DOC,
    "benchmarks/run.py": DOC + "from datagen import expert\nimport policy.agent\n\n\ndef _private():\n    pass\n",
    "README.md": "Results lie in runs/home/x, see ~/home/y and </home/z>.\n",
}


def plant(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_breach_is_found(tmp_path, name):
    text, what = PLANTED[name]
    plant(tmp_path, {**INNOCENT, name: text})
    (found,) = violations(tmp_path)
    assert found.startswith(f"{name}:")
    assert what in found


def test_an_innocent_tree_is_left_in_peace(tmp_path):
    plant(tmp_path, INNOCENT)
    assert violations(tmp_path) == []


def test_policies_load_without_the_simulator():
    code = (
        "import sys, policy, envs.spec, envs.interface, datagen.storage\n"
        "sys.exit(', '.join({'mujoco', 'dm_control', 'torch'} & sys.modules.keys()) or None)"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_lock_is_exact_and_holds_every_dependency():
    lines = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+( ; sys_platform == \"linux\")?", line) for line in lines)
    pairs = (line.split(" ; ")[0].split("==") for line in lines)
    locked = {canonicalize_name(name): version for name, version in pairs}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for text in (*project["dependencies"], *(text for extra in extras.values() for text in extra)):
        wanted = Requirement(text)
        assert locked[canonicalize_name(wanted.name)] in wanted.specifier
