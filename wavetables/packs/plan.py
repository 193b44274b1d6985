"""What a pack is to hold: plain values, sent to workers as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from nsynth_core import cache
from nsynth_core.blending.coder import Coder
from nsynth_core.blending.instrument import Instrument
from nsynth_core.sound.knobs import Knobs
from nsynth_core.wavenet.options import NSynthOptions
from wavetables.formats import registry

PICTURES = ("none", "sheet", "all")
LEVELS = ("table", "frame", "kept")
FOLDERS = {"serum": "Serum", "vital": "Vital", "wt": "Surge", "wt16": "Surge 16-bit", "hive": "Hive"}
# formats of one file a table; folders of single cycles have no place among the categories of a synth's menu
FORMATS = tuple(name for name, kind in registry.FORMATS.items() if kind.suffix not in ("", ".sfz"))
DEFAULT_LOUDNESS = -18.0
SWEEP_FRAMES = 64
SAMPLES_AT = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Corner:
    """A sound to blend: `load(coder)` gives the instrument (a function that can be sent to another process), `files`
    are what it is read from, `pitch` (MIDI) is given where it cannot be found, `licence` is known for built-in
    instruments only."""

    name: str
    load: Callable[[Coder], Instrument] = field(repr=False, compare=False)
    files: tuple[Path, ...] = ()
    pitch: float | None = None
    licence: str = ""


@dataclass(frozen=True)
class Recording:
    """A table from a sound file (or a wavetable file), its pitch found, or given as a MIDI number."""

    path: Path
    pitch: float | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.path,)


@dataclass(frozen=True)
class Sweep:
    """A table that walks from mix `start` to mix `end`, (x, y) each, between two or four sounds, at MIDI `pitch`."""

    corners: tuple[Corner, ...]
    pitch: float
    start: tuple[float, float] = (0.0, 0.0)
    end: tuple[float, float] = (1.0, 0.0)
    rule: str = "bilinear"
    knobs: Knobs = field(default_factory=Knobs)

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys(path for corner in self.corners for path in corner.files))


@dataclass(frozen=True)
class Item:
    """One table: safe, unique `name`; `category` is its folder; `source` is what it is made from."""

    name: str
    category: str
    source: Recording | Sweep
    tags: tuple[str, ...] = ()
    grid: str = ""  # the grid of which it is one row, for the page's pad


@dataclass(frozen=True)
class Pack:
    """A pack: what is said of it, how its tables are made, and its items in the order in which they are listed.

    loudness  LUFS of every table (`levelled`), None keeps the level; `level` is one of LEVELS
    frames    at most so many a table, None for the default: 256 of a recording, 64 of a sweep
    pictures  one of PICTURES: contact sheets, or also every table and the rainbowgrams of its sounds
    nsynth    what NSynth is asked for, when it is the engine
    """

    title: str
    author: str = ""
    licence: str = ""
    licence_text: str = ""
    description: str = ""
    formats: tuple[str, ...] = ("serum",)
    loudness: float | None = DEFAULT_LOUDNESS
    level: Literal["table", "frame", "kept"] = "table"
    frames: int | None = None
    engine: str = "harmonic"
    samples: bool = False
    previews: bool = True
    pictures: Literal["none", "sheet", "all"] = "none"
    items: tuple[Item, ...] = ()
    nsynth: NSynthOptions | None = None

    @property
    def target(self) -> float | None:
        """LUFS, None where levels are kept."""
        return None if self.level == "kept" else self.loudness


def table_paths(pack: Pack, item: Item) -> dict[str, str]:
    """The file of each format, below the pack's folder."""
    return {
        name: f"{folder_of(name)}/{item.category}/{item.name}{registry.FORMATS[name].suffix}" for name in pack.formats
    }


def sample_paths(pack: Pack, item: Item) -> dict[float, str]:
    """The notes of a sweep: the file of each place (0..1) on its way."""
    if not pack.samples or not isinstance(item.source, Sweep):
        return {}
    return {at: f"Samples/{item.category}/{item.name} at {round(100 * at)}.wav" for at in SAMPLES_AT}


def paths(pack: Pack, item: Item) -> list[str]:
    """All files of an item."""
    found = [*table_paths(pack, item).values(), *sample_paths(pack, item).values()]
    return [*found, *[preview_path(item)] * pack.previews, *picture_paths(pack, item)]


def folder_of(name: str) -> str:
    """Where a pack has the files of the format `name`."""
    return FOLDERS.get(name, name.title())


def preview_path(item: Item) -> str:
    return f"Previews/{item.name}.flac"


def picture_paths(pack: Pack, item: Item) -> tuple[str, ...]:
    """The table's picture, and the rainbowgrams of the sounds it is made of."""
    return (f"Pictures/{item.name}.png", f"Pictures/Rainbowgrams/{item.name}.png") if pack.pictures == "all" else ()


def sheet_path(number: int, count: int) -> str:
    """A contact sheet, before all others in any listing: no item's name begins with "_"."""
    return f"Pictures/_Contact Sheet{f' {number + 1}' if count > 1 else ''}.png"


def key(pack: Pack, item: Item, version: str) -> str:
    """What decides an item's files apart from the bytes of its sources: name, options, engine (`version`: its weights),
    code."""
    said = asdict(replace(pack, items=(), description="", licence_text=""))
    del said["nsynth"]  # a place on this machine; its weights and seed are in `version`
    return cache.digest("item", said, describe(item), version)


def describe(item: Item) -> Mapping[str, object]:
    """An item as plain values, without the places of files on this machine."""
    source = item.source
    facts: dict[str, object] = {"name": item.name, "category": item.category, "tags": list(item.tags)}
    if isinstance(source, Recording):
        return facts | {"recording": source.path.name, "pitch": source.pitch}
    return facts | {
        "between": [
            corner.name if corner.pitch is None else f"{corner.name}@{corner.pitch:g}" for corner in source.corners
        ],
        "from": list(source.start),
        "to": list(source.end),
        "weights": source.rule,
        "knobs": asdict(source.knobs),
        "pitch": source.pitch,
    }
