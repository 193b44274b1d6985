"""The house: imports run one way and in no circle, functions fit a screen, and modules stay short."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

pytest.importorskip("importlinter", reason="import-linter comes with the extra test")
import grimp
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[2]
PACKAGES = ("nsynth_core", "presets", "wavetables")
LONGEST_FUNCTION, LONGEST_MODULE = 60, 300
MODULES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def test_the_contracts_of_pyproject_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(str(ROOT / "pyproject.toml"), no_cache=True) == 0


def test_no_circle_of_imports() -> None:
    """Imports inside functions count; those for type checkers alone do not."""
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True, cache_dir=None)
    circles = {
        tuple(sorted((module, imported)))
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
        if graph.chain_exists(imported, module)
    }
    assert circles == set()


def test_modules_are_short() -> None:
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert {name for name, length in lengths.items() if length > LONGEST_MODULE} == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_functions_fit_a_screen(path: Path) -> None:
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    functions = [node for node in nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    lengths = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in functions}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION} == {}
