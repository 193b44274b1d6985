"""The documents: every command line in them parses, every path and module exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from wavetables.cli import _app

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = {"presets/NAME.toml"}  # paths that the reader makes


def command_lines() -> list[tuple[str, str]]:
    """(document, command line) of each example in a code block or between backticks."""
    found = []
    for document in DOCUMENTS:
        for line in re.findall(
            r"(?:^ {4}|`|&& )(?:\.venv/bin/)?make-wavetable (.+?)(?:`|&&|$)", document.read_text("utf-8"), re.M
        ):
            plain = re.sub(r"\s#.*|(?:\\\|)[\w.]+|\[[^]]*\]|\.\.\.", "", line).strip()  # remarks, choices, [optional]
            if re.match(r"[a-z]", plain):
                found.append((document.name, plain))
    return found


@pytest.mark.parametrize(("document", "line"), command_lines())
def test_a_command_line_parses(document, line):
    words = shlex.split(line)
    name, *arguments = words
    command = typer.main.get_command(_app([name]))
    context = command.make_context("make-wavetable", words)
    if arguments:  # `make-wavetable watch` in a text names the command alone
        command.get_command(context, name).make_context(name, arguments, parent=context)


def test_the_documents_show_commands():
    assert len(command_lines()) > 60
    assert {line.split()[0] for _, line in command_lines()} >= {"blend", "convert", "grid", "import", "pack", "train"}


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for link in re.findall(r"!?\]\(([^)\s]+)\)", document.read_text("utf-8")):
        if re.match(r"[a-z]+:", link):  # another site
            continue
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_paths_and_modules_exist(document):
    text = document.read_text("utf-8")
    for path in re.findall(r"`((?:nsynth_core|wavetables|presets|tests|docs)/[\w/.-]*)`", text):
        assert path in EXAMPLES or (ROOT / path).exists(), path
    for name in re.findall(r"`((?:nsynth_core|wavetables|presets)(?:\.\w+)+)`", text):
        place = ROOT / name.replace(".", "/")
        module = place if place.is_dir() or place.with_suffix(".py").exists() else place.parent
        source = module.with_suffix(".py") if module.with_suffix(".py").exists() else module / "__init__.py"
        assert source.exists(), name
        assert module is place or place.name in source.read_text("utf-8"), name
