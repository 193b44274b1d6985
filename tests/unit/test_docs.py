"""Documents: the Python of docs/python.md runs, and every command line in a document names options that exist."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer

from wavetables.cli import COMMANDS

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of a language in a document."""
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_blocks_of_python_run_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    code = blocks(ROOT / "docs" / "python.md", "python")
    assert len(code) >= 7
    for number, block in enumerate(code, 1):
        exec(compile(block, f"docs/python.md, block {number}", "exec"), names)


def command_lines(path: Path) -> list[list[str]]:
    """The words of each command line that a document shows, without comments, pipes and redirections."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    shown = re.findall(r"^ *(?:\$ )?(?:\S*/)?make-wavetable (.+)$", text, re.MULTILINE)
    shown += re.findall(r"`make-wavetable ([^`\n]+)`", text)
    lines = []
    for line in shown:
        words = shlex.split(re.split(r" [|>&] | \d?> |;", line)[0], comments=True)
        if words and words[0] in COMMANDS:
            lines.append(words)
    return lines


def options_of(command: str) -> set[str]:
    """Every spelling of the command's options."""
    module, function = COMMANDS[command]
    app = typer.Typer(add_completion=False)
    app.command()(getattr(import_module(f"wavetables.cli.{module}"), function))
    parameters = typer.main.get_command(app).params
    return {"-h", "--help", *(name for each in parameters for name in (*each.opts, *each.secondary_opts))}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_command_lines_name_options_that_exist(path: Path) -> None:
    for words in command_lines(path):
        given = {word.partition("=")[0] for word in words[1:] if re.match(r"--?[a-z]", word)}
        assert given <= options_of(words[0]), words


def test_the_readme_shows_command_lines() -> None:
    assert len(command_lines(ROOT / "README.md")) >= 3
