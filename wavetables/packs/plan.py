"""The plan of a pack, as plain values that are sent to workers, and the paths of its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

import presets
from nsynth_core.blending.coder import Coder
from nsynth_core.blending.instrument import Instrument
from nsynth_core.errors import UsageError
from nsynth_core.sound.knobs import Knobs
from nsynth_core.wavenet.options import NSynthOptions
from wavetables.caching import digest
from wavetables.formats import registry

PICTURES = ("none", "sheet", "all")
LEVELS = ("table", "frame", "kept")
FOLDERS = {"serum": "Serum", "vital": "Vital", "wt": "Surge", "wt16": "Surge 16-bit", "hive": "Hive"}
# formats with one file for each table; a synth would list a folder of single cycles as a category
FORMATS = tuple(name for name, kind in registry.FORMATS.items() if kind.suffix not in ("", ".sfz"))
DEFAULT_LOUDNESS = -18.0
QUIETEST, LOUDEST = -40.0, -6.0  # LUFS that can be asked for
SWEEP_FRAMES = 64
SAMPLES_AT = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Corner:
    """A sound to blend.

    load: function of a coder that returns the instrument, and that can be pickled
    files: what the sound is read from
    pitch: MIDI number, where it is given
    licence: known for built-in instruments only
    """

    name: str
    load: Callable[[Coder], Instrument] = field(repr=False, compare=False)
    files: tuple[Path, ...] = ()
    pitch: float | None = None
    licence: str = ""


@dataclass(frozen=True)
class Recording:
    """A table from a sound file or a wavetable file. `pitch` is a MIDI number; None: it is found."""

    path: Path
    pitch: float | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.path,)


@dataclass(frozen=True)
class Sweep:
    """A table whose frames walk from the mix `start` to the mix `end`, each (x, y), between two or four sounds.

    pitch: MIDI number
    rule: how a place weighs the corners, "bilinear" or "nsynth"
    """

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
    """One table of a pack.

    name: unique, and a file name on every system
    category: the folder it is put in
    source: what it is made from
    grid: the title of the grid of which it is one row, "" for none
    """

    name: str
    category: str
    source: Recording | Sweep
    tags: tuple[str, ...] = ()
    grid: str = ""


@dataclass(frozen=True)
class Pack:
    """The plan of a pack: its texts, how its tables are made, and its items in the order of the list.

    loudness: LUFS of every table; None keeps the level
    level: "table" (one gain for each table), "frame" (one gain for each frame) or "kept" (no gain)
    frames: the most frames of a table; None: 256 for a recording, 64 for a sweep
    pictures: "none", "sheet" (contact sheets), or "all" (pictures of every table and its sounds, too)
    nsynth: the checkpoint and the options of NSynth, where it is the engine
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
        """LUFS; None where levels are kept."""
        return None if self.level == "kept" else self.loudness


def check_choice(word: str, legal: Sequence[str], what: str) -> None:
    """Raise UsageError, which names the closest legal words, when `word` is none of them.

    >>> check_choice("serum", FORMATS, "format")
    """
    if word not in legal:
        hint = presets.did_you_mean(word, list(legal)) or f"legal: {', '.join(legal)}"
        raise UsageError(f"no {what} is named {word!r}; {hint}")


def table_paths(pack: Pack, item: Item) -> dict[str, str]:
    """The path of the item's table in each format, below the pack's folder.

    >>> item = Item("Oboe", "Reeds", Recording(Path("oboe.wav")))
    >>> table_paths(Pack("First Light"), item)
    {'serum': 'Serum/Reeds/Oboe.wav'}
    """
    return {
        name: f"{folder_of(name)}/{item.category}/{item.name}{registry.FORMATS[name].suffix}" for name in pack.formats
    }


def sample_paths(pack: Pack, item: Item) -> dict[float, str]:
    """The path of the note at each place (0..1) along a sweep."""
    if not pack.samples or not isinstance(item.source, Sweep):
        return {}
    return {at: f"Samples/{item.category}/{item.name} at {round(100 * at)}.wav" for at in SAMPLES_AT}


def paths(pack: Pack, item: Item) -> list[str]:
    """The paths of all files of an item."""
    tables_and_notes = [*table_paths(pack, item).values(), *sample_paths(pack, item).values()]
    return [*tables_and_notes, *[preview_path(item)] * pack.previews, *picture_paths(pack, item)]


def folder_of(name: str) -> str:
    """The folder of a pack's tables in the format `name`."""
    return FOLDERS.get(name, name.title())


def preview_path(item: Item) -> str:
    """The path of an item's preview."""
    return f"Previews/{item.name}.flac"


def picture_paths(pack: Pack, item: Item) -> tuple[str, ...]:
    """The paths of the table's picture and of the rainbowgrams of its sounds."""
    return (f"Pictures/{item.name}.png", f"Pictures/Rainbowgrams/{item.name}.png") if pack.pictures == "all" else ()


def sheet_path(number: int, count: int) -> str:
    """The path of a contact sheet. It comes first in any listing, because no item's name begins with "_"."""
    return f"Pictures/_Contact Sheet{f' {number + 1}' if count > 1 else ''}.png"


def key(pack: Pack, item: Item, version: str) -> str:
    """The hash of what decides an item's files, apart from the bytes of its sources: name, settings, code, and the
    engine's weights, whose hash is `version`."""
    settings = asdict(replace(pack, items=(), description="", licence_text=""))
    del settings["nsynth"]  # a path on this machine; its weights and seed are in `version`
    return digest("item", settings, describe(item), version)


def describe(item: Item) -> Mapping[str, object]:
    """An item as plain values, without the paths of files on this machine."""
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
