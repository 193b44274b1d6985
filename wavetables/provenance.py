"""What a manifest and a table say of their origin, so that every file can be made again."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from nsynth_core.files import sha256

if TYPE_CHECKING:
    from nsynth_core.blending.engine import Engine
    from nsynth_core.blending.instrument import Instrument

LIBRARIES = ("numpy", "scipy", "soxr", "soundfile")
PLACES = ("--output", "-o")  # where a file is written and what is said meanwhile change no byte of it
MANNERS = ("--force", "--quiet", "-q", "--json")


def command(arguments: Sequence[str]) -> str:
    """The command line that makes a file again, without the place it is written to: the same file, the same text."""
    kept, given = [], iter(arguments)
    for argument in given:
        if argument in PLACES:
            next(given, None)
        elif argument not in MANNERS and not argument.startswith(("--output=", "-o")):
            kept.append(argument)
    return shlex.join(["make-wavetable", *kept])


def engine_name(engine: Engine) -> str:
    """The engine and the hash of its weights."""
    return f"{engine.name} {engine.version}"


def licence(sounds: Sequence[str | Path]) -> dict[str, str]:
    """The licences of built-in instruments; empty when one of the sounds is the user's own: only he knows its
    licence."""
    import presets

    known = {entry.name: entry.licence for entry in presets.instruments()}
    if not all(sound in known for sound in sounds):
        return {}
    return {"licence": ", ".join(sorted({known[str(sound)] for sound in sounds}))}


def version() -> str:
    """The version of the installed program."""
    try:
        return metadata.version("make-wavetable")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def credits(author: str | None, licence_: str | None, sounds: Sequence[str | Path] = ()) -> dict[str, str]:
    """What a table's file says of its author and licence. The licences of the built-in `sounds` stay named beside the
    user's own."""
    known = licence(sounds) if sounds else {}
    if licence_ and known:
        known = {"licence of the sounds": known["licence"]}
    return known | {key: word for key, word in (("author", author), ("licence", licence_)) if word}


def versions() -> dict[str, str]:
    """The program, Python and the libraries whose numbers are in the samples."""
    from nsynth_core.harmonic.runtime import runtime_versions

    found = {"make-wavetable": version(), "python": platform.python_version()}
    libraries = {name: metadata.version(name) for name in LIBRARIES}
    return found | libraries | runtime_versions() | {"machine": platform.machine()}


def source(spec: str | Path, instrument: Instrument) -> dict[str, object]:
    """A corner of a grid: what it is, what was found out about it, and the bytes it came from."""
    import presets
    from nsynth_core.notes import pitch_in_name
    from presets import bank

    facts: dict[str, object] = {"sound": str(spec)}
    if isinstance(spec, str):
        return facts | {"built_in": True, "sha256": {"bank": sha256(bank.path())}}
    path, _ = presets.given_pitch(spec)
    files = [path]
    if path.is_dir() or "*" in path.name:
        folder, pattern = (path, "*") if path.is_dir() else (path.parent, path.name)
        files = sorted(each for each in folder.glob(pattern) if pitch_in_name(each.stem) is not None)
    return facts | {"found": list(instrument.said), "sha256": {each.name: sha256(each) for each in files}}
