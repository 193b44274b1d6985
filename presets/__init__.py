"""Presets: named recipes of a pitch x mix grid, one TOML file each, and the list of built-in instruments.

Every file is read through importlib.resources, so presets work from a checkout, a wheel and a zip alike. pydantic is
imported only when a preset is read.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from nsynth_core.errors import UsageError, did_you_mean
from presets.corners import corner, corner_beside, given_pitch

if TYPE_CHECKING:
    from nsynth_core.blending.coder import Coder
    from nsynth_core.blending.instrument import Instrument
    from presets.builtin import InstrumentEntry
    from presets.schema import Preset

__all__ = [
    "DEFAULT",
    "changed",
    "corner",
    "corner_beside",
    "did_you_mean",
    "given_pitch",
    "instruments",
    "load",
    "load_instrument",
    "names",
]

DEFAULT = "grid5"
_INSTRUMENTS = "instruments.toml"


def names() -> list[str]:
    """The built-in presets' names: the default first, then alphabetically."""
    preset_names = [
        entry.name.removesuffix(".toml")
        for entry in resources.files("presets").iterdir()
        if entry.name.endswith(".toml") and entry.name != _INSTRUMENTS
    ]
    return sorted(preset_names, key=lambda name: (name != DEFAULT, name))


def instruments() -> tuple[InstrumentEntry, ...]:
    """The built-in instruments, in the order of instruments.toml."""
    from presets.builtin import instruments as listed

    return listed()


def load(name_or_path: str | Path) -> Preset:
    """The built-in preset of that name, or the preset in the user's own TOML file.

    A Path, or text that ends in .toml, is a file. Its corners may be sound files or folders beside or below it.
    Raises UsageError when there is no preset of that name, UserError when the file is missing or breaks the schema.
    """
    from presets.checking import read
    from presets.schema import parse

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


def load_instrument(name: str, coder: Coder) -> Instrument:
    """The built-in instrument of that name, for any coder."""
    from presets import bank

    return bank.load_instrument(name, coder)
