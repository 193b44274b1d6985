"""Checks of what the user asked for, before any work starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from nsynth_core.errors import UsageError, UserError


def pitch_of(text: str | None) -> float | None:
    """The MIDI pitch of --pitch; None where it is not given. Raises UsageError."""
    if text is None:
        return None
    from nsynth_core.notes import parse_pitch

    return parse_pitch(text)


def check_choice(word: str, legal: Iterable[str], what: str) -> str:
    """`word` when it is legal. Raises UsageError that names the closest.

    >>> check_choice("envelope", ("crossfade", "envelope"), "engine")
    'envelope'
    """
    words = tuple(legal)
    if word in words:
        return word
    import difflib

    near = difflib.get_close_matches(word, words, 1)
    hint = f"did you mean {near[0]}?" if near else f"legal: {', '.join(words)}"
    raise UsageError(f"no {what} is named {word!r}; {hint}")


def check_number(value: float, low: float, high: float, option: str) -> float:
    """`value` when it is a number within low..high. Raises UsageError."""
    if not low <= value <= high:
        raise UsageError(f"{option} {value:g} is outside {low:g}..{high:g}")
    return value


def check_unused(options: Mapping[str, object], why: str) -> None:
    """Raise UsageError for the first of `options` (name to value) that is given although it would do nothing."""
    given = [name for name, value in options.items() if value is not None and value is not False]
    if given:
        raise UsageError(f"{given[0]}: {why}; leave it out")


def check_note_suffix(path: Path) -> None:
    """Raise UsageError when `path` does not name a sound file that can be written."""
    from nsynth_core.audio import WRITTEN_SUFFIXES

    if path.suffix.lower() not in WRITTEN_SUFFIXES:
        raise UsageError(f"-o {path}: end the name in {', '.join(WRITTEN_SUFFIXES[:-1])} or {WRITTEN_SUFFIXES[-1]}")


def check_folder(folder: Path, force: bool) -> None:
    """Raise UserError when `folder` cannot become the folder of outputs: a file, in use, or below a file."""
    for place in (folder, *folder.parents):
        if place.exists():
            if not place.is_dir():
                raise UserError(f"{place} is a file, so {folder} cannot be a folder; choose another -o")
            break
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise UserError(f"{folder} exists already and is not empty; choose another -o or add --force")


def check_credits(author: str | None, licence: str | None, provenance: bool) -> None:
    """Raise UsageError for an author or a licence that --no-provenance leaves out."""
    check_unused({} if provenance else {"--author": author, "--licence": licence}, "--no-provenance leaves it out")
