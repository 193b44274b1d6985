"""Corners of a grid: a built-in instrument, or a sound whose name may end in its pitch."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from nsynth_core.errors import UsageError, UserError, did_you_mean
from nsynth_core.notes import parse_pitch

CORNERS = (2, 4, 9, 16, 25, 36, 49, 64)  # how many sounds a blend or a grid has: a line, or a square


def corner(spec: str) -> str | Path:
    """A corner named on the command line: a built-in instrument, else a sound file (perhaps with its pitch) or folder.

    Raises UsageError for a word that is neither, UserError for a missing file.
    """
    known = _instrument_names()
    if spec in known:
        return spec
    path = Path(spec)
    if given_pitch(path)[0].exists():
        return path
    if path.suffix or len(path.parts) > 1:
        raise UserError(f"{spec}: no such file or folder")
    hint = did_you_mean(spec, known) or "'make-wavetable presets' lists them"
    raise UsageError(f"no instrument or file is named {spec!r}; {hint}")


def given_pitch(sound: Path) -> tuple[Path, float | None]:
    """A sound file and the MIDI pitch that is given behind its name: "noise.wav@C3"; None where none is.

    A file whose own name holds an @ is taken as it is. Raises UsageError when what follows the @ is no pitch.
    """
    name, _, text = sound.name.rpartition("@")
    if not name or sound.exists() or not sound.with_name(name).exists():
        return sound, None
    path = sound.with_name(name)
    if path.is_dir():
        raise UsageError(f"{sound}: the notes in a folder have pitches of their own; leave out @{text}")
    return path, parse_pitch(text)


def corner_beside(text: str, context: Any) -> str | Path:
    """The corner that a file names: a built-in instrument, or a sound beside or below the file.

    context: pydantic's, which holds the file's own "folder"; None allows only instruments
    Raises ValueError: there is no such instrument or sound, or it lies outside the folder.

    >>> corner_beside("flute", None)
    'flute'
    """
    known = _instrument_names()
    if text in known:
        return text
    folder: Path | None = (context or {}).get("folder")
    parts = PurePosixPath(text.replace("\\", "/")).parts
    if text.startswith(("/", "\\", "~")) or ".." in parts:
        raise ValueError(f"{text!r} leaves the folder of this file; put the sound beside or below it")
    from presets.checking import check_name

    for part in parts:
        check_name(part)
    if folder is not None and parts and given_pitch(folder.joinpath(*parts))[0].exists():
        return folder.joinpath(*parts)
    if folder is not None and (len(parts) > 1 or "." in text):
        raise ValueError(f"{text!r}: no such sound beside this file")
    hint = did_you_mean(text, known) or "'make-wavetable presets' lists them"
    raise ValueError(f"{text!r}: no instrument has that name; {hint}")


def _instrument_names() -> list[str]:
    """Read when asked: pydantic takes longer to import than most commands take to find a mistake."""
    from presets.builtin import instruments

    return [entry.name for entry in instruments()]
