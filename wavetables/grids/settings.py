"""NSynth's own settings.json (magenta-demos, Open NSynth Super) as a preset.

Its sounds are NAME_PITCH.wav files in audio_input/ beside it, as NSynth's scripts have them, folders of that name, or
built-in instruments.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nsynth_core.errors import UserError

if TYPE_CHECKING:
    from presets.schema import Preset

RATE = 16_000  # Hz, of the lengths in settings


def is_settings(name: str | Path) -> bool:
    """True for the name of a settings.json.

    >>> is_settings("settings.json"), is_settings("grid5")
    (True, False)
    """
    return str(name).lower().endswith(".json")


def read(path: Path) -> Preset:
    """The preset that a settings.json stands for: its square of sounds row by row from the top, with NSynth's weights.
    Of pads with several sounds a corner it has the first of each.

    Raises UserError: the file is missing or holds no settings, a sound is missing, or a value is out of range.
    """
    from presets.schema import parse_settings
    from wavetables.formats.nsynth_settings import read_settings

    settings = read_settings(path)
    columns = [column if settings.downwards else column[::-1] for column in settings.matrix]
    names = [name for row in zip(*columns, strict=True) for name in row]
    return parse_settings(
        {
            "title": f"{settings.name}: {', '.join(dict.fromkeys(names))}"[:300],
            "why": "an NSynth grid of your own",
            "corners": tuple(_sound(path.parent, name) for name in names),
            "mixes": settings.resolution,
            "pitches": tuple(map(float, settings.pitches)),
            "seconds": settings.length / RATE,
            "weights": "nsynth",
        },
        str(path),
    )


def choices(path: Path) -> tuple[tuple[str | Path, ...], ...]:
    """All sounds of each corner of pads, in the order of `read`; empty for a grid. Errors as in `read`."""
    from wavetables.formats.nsynth_settings import read_settings

    return tuple(tuple(_sound(path.parent, name) for name in names) for names in read_settings(path).choices)


def title(path: Path) -> str:
    """The grid's name. Errors as in `read`."""
    from wavetables.formats.nsynth_settings import read_settings

    return read_settings(path).name


def _sound(folder: Path, name: str) -> str | Path:
    import presets

    for below in (folder / "audio_input" / name, folder / name):
        if below.is_dir():
            return below
    for notes in (folder / "audio_input", folder):
        if notes.is_dir() and any(notes.glob(f"{name}_*.wav")):
            return notes / f"{name}_*.wav"
    if name in {entry.name for entry in presets.instruments()}:
        return name
    raise UserError(f"{folder / 'audio_input'}: no {name}_PITCH.wav there, and no built-in instrument has that name")
