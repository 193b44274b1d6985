"""Where a file comes from: what manifests and tables say of their origin, so that every file can be made again."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nsynth_core.blending.engine import Engine
    from nsynth_core.blending.instrument import Instrument

LIBRARIES = ("numpy", "scipy", "soxr", "soundfile")
PLACES = ("--output", "-o")  # options that say where a file goes; they change no byte of it
MANNERS = ("--force", "--quiet", "-q", "--json")  # options that say what is shown meanwhile


@dataclass(frozen=True)
class Origin:
    """What files say of their origin beside the facts of the work itself.

    author, licence: the user's words, None for none
    command: the command line that makes the file again, "" from Python
    written: False leaves all of it out of the tables' files

    >>> Origin(author="Me", licence="CC0-1.0").credits()
    {'author': 'Me', 'licence': 'CC0-1.0'}
    """

    author: str | None = None
    licence: str | None = None
    command: str = ""
    written: bool = True

    def credits(self, sounds: Sequence[str | Path] = ()) -> dict[str, str]:
        """Author and licence of what is made from `sounds`: see `credits`."""
        return credits(self.author, self.licence, sounds)

    def program(self) -> dict[str, str]:
        """The program and the command line."""
        program = {"program": f"make-wavetable {version()}"}
        return program | ({"command": self.command} if self.command else {})

    def completed(self, facts: Mapping[str, str]) -> dict[str, str]:
        """What a table's file says: `facts`, the command line and the program; nothing if it is not to be written."""
        if not self.written:
            return {}
        command = {"command": self.command} if self.command else {}
        return {**facts, **command, "program": f"make-wavetable {version()}"}


NO_ORIGIN = Origin()


def command(arguments: Sequence[str]) -> str:
    """The command line that makes a file again, without the options that change no byte of it.

    arguments: those of the program, without its name

    >>> command(["import", "my note.wav", "-o", "table.wav", "--quiet"])
    "make-wavetable import 'my note.wav'"
    """
    kept, remaining = [], iter(arguments)
    for argument in remaining:
        if argument in PLACES:
            next(remaining, None)
        elif argument not in MANNERS and not argument.startswith(("--output=", "-o")):
            kept.append(argument)
    return shlex.join(["make-wavetable", *kept])


def engine_name(engine: Engine) -> str:
    """The engine and the hash of its weights."""
    return f"{engine.name} {engine.version}"


def version() -> str:
    """The version of the installed program."""
    try:
        return metadata.version("make-wavetable")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def versions() -> dict[str, str]:
    """The versions of the program, of Python and of the libraries that decide the samples; and the machine."""
    from nsynth_core.harmonic.runtime import runtime_versions

    own = {"make-wavetable": version(), "python": platform.python_version()}
    libraries = {name: metadata.version(name) for name in LIBRARIES}
    return own | libraries | runtime_versions() | {"machine": platform.machine()}


def licence(sounds: Sequence[str | Path]) -> dict[str, str]:
    """The licences of built-in instruments, as {"licence": "..."}. Empty when one of `sounds` is the user's own: only
    the user knows its licence.

    >>> licence(["flute", "my.wav"])
    {}
    """
    import presets

    known = {entry.name: entry.licence for entry in presets.instruments()}
    if not all(sound in known for sound in sounds):
        return {}
    return {"licence": ", ".join(sorted({known[str(sound)] for sound in sounds}))}


def credits(author: str | None, licence_: str | None, sounds: Sequence[str | Path] = ()) -> dict[str, str]:
    """What a table's file says of its author and licence. The licences of the built-in `sounds` stay named beside the
    user's own.

    >>> credits("Me", None)
    {'author': 'Me'}
    """
    known = licence(sounds) if sounds else {}
    if licence_ and known:
        known = {"licence of the sounds": known["licence"]}
    return known | {key: word for key, word in (("author", author), ("licence", licence_)) if word}


def source(spec: str | Path, instrument: Instrument) -> dict[str, object]:
    """What a manifest says of a corner of a grid: its name, what was found out about it, its files' hashes."""
    import presets
    from nsynth_core.files import sha256
    from nsynth_core.notes import pitch_in_name
    from presets import bank
    from wavetables.instruments import describe

    facts: dict[str, object] = {"sound": str(spec)}
    if isinstance(spec, str):
        return facts | {"built_in": True, "sha256": {"bank": sha256(bank.path())}}
    path, _ = presets.given_pitch(spec)
    files = [path]
    if path.is_dir() or "*" in path.name:
        folder, pattern = (path, "*") if path.is_dir() else (path.parent, path.name)
        files = sorted(file for file in folder.glob(pattern) if pitch_in_name(file.stem) is not None)
    return facts | {"found": describe(instrument), "sha256": {file.name: sha256(file) for file in files}}
