"""The examples in the docstrings run, and give what they show."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("nsynth_core", "presets", "wavetables")


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def with_examples() -> list[str]:
    """Names of the modules that hold an example."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")) if ">>>" in text(path)]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    return [name.removesuffix(".__init__") for name in names]


@pytest.mark.parametrize("name", with_examples())
def test_examples_give_what_they_show(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where examples may write
    module = importlib.import_module(name)
    tests = [test for test in doctest.DocTestFinder(exclude_empty=True).find(module) if test.examples]
    assert tests, "its examples are in no docstring of its own"
    runner = doctest.DocTestRunner(verbose=False)
    said: list[str] = []
    for test in tests:
        runner.run(test, out=said.append)
    assert not runner.summarize(verbose=False).failed, "".join(said)


def test_there_are_examples() -> None:
    assert len(with_examples()) >= 40
