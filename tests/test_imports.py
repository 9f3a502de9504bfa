"""What an import costs, which way imports point, and that everything public says what it is."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import swapfast as sf
from swapfast import _core
from swapfast.core import area_table, images, mapping_table, memcg_table, scope_table, slot_pins

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "swapfast"

# These may import what only some installations have when they are loaded.
ABOVE = {"__main__", "cli", "compare", "contention", "plots", "report", "scenario", "screen"}
ABOVE |= {"testing"}
OPTIONAL = {
    "click",
    "distributed",
    "hypothesis",
    "matplotlib",
    "pandas",
    "polars",
    "pydantic",
    "pytest",
    "rich",
    "zstandard",
}


def sources() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if p.parent.name != "data")


def module_of(path: Path) -> str:
    """The part of the package that a file belongs to: "machine", "cli", ..."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def in_type_checking(tree: ast.Module) -> set[ast.AST]:
    """What only the type checker reads."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            found.update(ast.walk(node))
    return found


def imported(path: Path, top_only: bool = False) -> Iterator[str]:
    """Dotted names that a file imports when it runs."""
    tree = ast.parse(path.read_text())
    skipped = in_type_checking(tree)
    for node in tree.body if top_only else ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


# ---------------------------------------------------------------- what an import loads


def loaded_by(statement: str) -> set[str]:
    """Modules with a file that a statement loads in a fresh interpreter."""
    code = (
        "import sys, json; before = set(sys.modules)\n"
        f"{statement}\n"
        "new = set(sys.modules) - before\n"
        "print(json.dumps([n for n in new if getattr(sys.modules[n], '__file__', None)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout))


def test_import_swapfast_loads_numpy_and_nothing_else_of_others() -> None:
    new = loaded_by("import swapfast")
    tops = {name.split(".")[0] for name in new}
    assert tops - set(sys.stdlib_module_names) == {"numpy", "swapfast"}
    mine = {name.split(".")[1] for name in new if name.startswith("swapfast.")}
    assert mine.isdisjoint({"cli", "ltp", "scenario", "traces", "replay", "validate", "plots"})


@pytest.mark.parametrize("name", ["traces", "replay", "validate", "ltp", "swapfile"])
def test_parts_below_the_command_line_need_no_more(name: str) -> None:
    tops = {n.split(".")[0] for n in loaded_by(f"import swapfast.{name}")}
    assert tops - set(sys.stdlib_module_names) == {"numpy", "swapfast"}


def test_importing_the_command_line_needs_nothing_until_it_runs() -> None:
    tops = {n.split(".")[0] for n in loaded_by("import swapfast.cli")}
    assert not tops & OPTIONAL


def test_the_probe_sees_what_is_loaded() -> None:
    assert "fractions" in loaded_by("import fractions")


# ---------------------------------------------------------------- which way imports point


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """What import-linter says with the contracts of pyproject.toml."""
    pytest.importorskip("importlinter", reason="`make test` installs import-linter")
    code = (
        "from importlinter.cli import lint_imports as lint; raise SystemExit(lint(no_cache=True))"
    )
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)


def test_imports_point_down_and_in_no_circle() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_circle_of_annotations_is_one(tmp_path: Path) -> None:
    contracts = (ROOT / "pyproject.toml").read_text().split("[tool.importlinter]")[1]
    first = contracts.split("[[tool.importlinter.contracts]]")[1]
    settings = contracts.split("[[")[0]
    text = f"[tool.importlinter]{settings}[[tool.importlinter.contracts]]{first}"
    (tmp_path / "pyproject.toml").write_text(text)
    house = tmp_path / "swapfast" / "kernel"
    house.mkdir(parents=True)
    (house.parent / "__init__.py").touch()
    (house / "__init__.py").touch()
    (house / "a.py").write_text("from swapfast.kernel import b\n")
    (house / "b.py").write_text("A = 1\n")
    assert lint(tmp_path).returncode == 0
    (house / "b.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from swapfast.kernel.a import A\n"
    )
    done = lint(tmp_path)
    assert done.returncode == 1 and "BROKEN" in done.stdout, done.stdout


def test_from_the_package_itself_only_modules_are_imported() -> None:
    """import-linter takes a compiled module for the package, and looks away there."""
    modules = {p.name.split(".")[0] for p in PACKAGE.iterdir()} | {"__version__"}
    for path in sources():
        for name in imported(path):
            parts = name.split(".")
            if parts[0] == "swapfast" and len(parts) == 2:
                assert parts[1] in modules, f"{path}: {name} is not a module"


def test_third_parties_are_imported_where_they_are_used() -> None:
    """numpy anywhere; the others above the machine, or within the function that needs them."""
    for path in sources():
        if module_of(path) in ABOVE:
            continue
        tops = {n.split(".")[0] for n in imported(path, top_only=True)}
        assert not tops & OPTIONAL, f"{path}: {tops & OPTIONAL}"


# ---------------------------------------------------------------- docstrings


def undocumented(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    if ast.get_docstring(tree) is None and path.read_text().strip():
        yield f"{path.relative_to(ROOT)}"
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in tree.body:
        if not isinstance(node, kinds) or node.name.startswith("_"):
            continue
        members = [n for n in node.body if isinstance(n, kinds) and not n.name.startswith("_")]
        for one in [node, *(members if isinstance(node, ast.ClassDef) else [])]:
            setter = any(ast.unparse(d).endswith(".setter") for d in one.decorator_list)
            if ast.get_docstring(one) is None and not setter:
                yield f"{path.relative_to(ROOT)}:{one.lineno} {one.name}"


def test_everything_public_has_a_docstring() -> None:
    assert [entry for path in sources() for entry in undocumented(path)] == []


def test_the_core_has_docstrings() -> None:
    tables = (area_table, images, slot_pins, mapping_table, memcg_table, scope_table)
    compiled = [getattr(_core.Core, n) for n in vars(_core.Core) if not n.startswith("_")]
    for module in (_core, *tables):
        compiled += [
            f
            for name, f in vars(module).items()
            if not name.startswith("_") and type(f).__name__ == "cython_function_or_method"
        ]
    assert len(compiled) > 60
    assert [f for f in compiled if not f.__doc__] == []


def test_all_names_exist_and_are_what_one_imports() -> None:
    assert len(set(sf.__all__)) == len(sf.__all__)
    for name in sf.__all__:
        value = getattr(sf, name)
        assert isinstance(value, int | dict) or value.__doc__, name
