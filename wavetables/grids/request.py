"""What a grid is made of: a preset by name or file, NSynth's settings.json, or sounds for its corners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nsynth_core.errors import UsageError
from wavetables.grids import settings
from wavetables.instruments import source_name

if TYPE_CHECKING:
    from presets.schema import Preset

Choices = tuple[tuple[str | Path, ...], ...]


@dataclass(frozen=True)
class Request:
    """A preset and the name of its grid.

    choices: of settings for pads with several sounds a corner, the sounds of each corner (top left, top right, bottom
        left, bottom right); else empty
    """

    preset: Preset
    name: str
    choices: Choices = ()

    def changed(self, **changes: object) -> Request:
        """The same with some keys of the preset changed. Raises UsageError for an illegal value.

        >>> read_request("grid5").changed(pitches=(48.0,)).preset.pitches
        (48.0,)
        """
        import presets

        return replace(self, preset=presets.changed(self.preset, **changes)) if changes else self


def read_request(what: str | Path | Sequence[str | Path]) -> Request:
    """The request that `what` names.

    what: the name of a built-in preset; a preset file (.toml); NSynth's settings.json; or 2, 4, 9, 16 ... 64 sounds for
        the corners of the default preset, row by row. A sound is a file, a folder of NAME_PITCH files, or a built-in
        instrument.
    Raises UsageError for a name that is none and for another number of sounds; UserError for a missing or bad file.

    >>> read_request("grid5").name, read_request(["flute", "choir"]).preset.corners
    ('grid5', ('flute', 'choir'))
    """
    names = [what] if isinstance(what, (str, Path)) else list(what)
    if len(names) == 1:
        return _named(names[0])
    import presets
    from presets.corners import CORNERS

    if len(names) not in CORNERS:
        raise UsageError(f"grid takes one preset, two sounds, or a square of them (4, 9, 16), not {len(names)} names")
    corners = tuple(presets.corner(name) if isinstance(name, str) else name for name in names)
    title = f"Between {', '.join(map(source_name, names))}"[:300]
    preset = presets.changed(presets.load(presets.DEFAULT), corners=corners, title=title, why="sounds of your own")
    name = "-".join(map(source_name, names[:4]))
    return Request(preset, name if len(names) <= 4 else f"{name}-and-{len(names) - 4}-more")


def _named(name: str | Path) -> Request:
    import presets

    if settings.is_settings(name):
        path = Path(name)
        return Request(settings.read(path), settings.title(path), settings.choices(path))
    return Request(presets.load(name), source_name(name))
