"""Presets: named recipes of a pitch x mix grid, one TOML file each, and the list of built-in instruments.

Every file is read through importlib.resources, so presets work from a checkout, a wheel and a zip alike. pydantic is
imported only when a preset is read.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from nsynth_core.errors import UsageError, UserError

if TYPE_CHECKING:
    from nsynth_core.blending.coder import Coder
    from nsynth_core.blending.instrument import Instrument
    from presets.schema import InstrumentEntry, Preset

DEFAULT = "grid5"
_INSTRUMENTS = "instruments.toml"


def names() -> list[str]:
    """The built-in presets' names: the default first, then alphabetically."""
    found = [
        entry.name.removesuffix(".toml")
        for entry in resources.files("presets").iterdir()
        if entry.name.endswith(".toml") and entry.name != _INSTRUMENTS
    ]
    return sorted(found, key=lambda name: (name != DEFAULT, name))


@lru_cache(maxsize=1)
def instruments() -> tuple[InstrumentEntry, ...]:
    """The built-in instruments, in the order of instruments.toml."""
    from presets.schema import parse_instruments

    return parse_instruments(resources.files("presets").joinpath(_INSTRUMENTS).read_bytes(), _INSTRUMENTS)


def load(name_or_path: str | Path) -> Preset:
    """The built-in preset of that name, or the preset in the user's own TOML file.

    A Path, or text that ends in .toml, is a file. Its corners may be sound files or folders beside or below it.
    Raises UsageError when there is no preset of that name, UserError when the file is missing or breaks the schema.
    """
    from presets.schema import parse, read

    if isinstance(name_or_path, Path) or name_or_path.lower().endswith(".toml"):
        path = Path(name_or_path)
        return parse(read(path), path.stem, str(path), path.parent)
    if name_or_path not in names():
        hint = (
            did_you_mean(name_or_path, names()) or "'make-wavetable presets' lists them; your own end in .toml or .json"
        )
        raise UsageError(f"no preset is named {name_or_path!r}; {hint}")
    data = resources.files("presets").joinpath(f"{name_or_path}.toml").read_bytes()
    return parse(data, name_or_path, f"{name_or_path}.toml", None)


def changed(preset: Preset, **changes: object) -> Preset:
    """`preset` with some keys changed, checked again. Raises UsageError."""
    from presets.schema import change

    return change(preset, changes)


def corner(spec: str) -> str | Path:
    """A corner named on the command line: a built-in instrument, else a sound file (perhaps with its pitch) or folder.

    Raises UsageError for a word that is neither, UserError for a missing file.
    """
    known = [entry.name for entry in instruments()]
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
    from nsynth_core.notes import parse_pitch

    path = sound.with_name(name)
    if path.is_dir():
        raise UsageError(f"{sound}: the notes in a folder have pitches of their own; leave out @{text}")
    return path, parse_pitch(text)


def load_instrument(name: str, coder: Coder) -> Instrument:
    """The built-in instrument of that name, for any coder."""
    from presets import bank

    return bank.load_instrument(name, coder)


def did_you_mean(word: str, known: list[str]) -> str:
    """ "did you mean X or Y?" of the names in `known` closest to `word`, "" where none is close."""
    import difflib

    near = difflib.get_close_matches(word, known, 3, 0.6)
    return f"did you mean {' or '.join(near)}?" if near else ""
