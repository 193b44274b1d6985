"""Recipes of packs: TOML files, checked by a schema, and folders of recordings; both become a plan."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

import presets
from nsynth_core.blending.engine import ENGINES
from nsynth_core.errors import UsageError, UserError
from nsynth_core.sound.knobs import Knobs
from nsynth_core.wavenet.options import NSynthOptions
from presets.schema import (
    Line,
    Preset,
    StrictModel,
    corner_beside,
    first_problem,
    knob_field,
    parse_pitches,
    parse_toml,
    read,
)
from wavetables.packs import names
from wavetables.packs.plan import DEFAULT_LOUDNESS, FORMATS, Corner, Item, Pack, Recording, Sweep
from wavetables.packs.sweeps import instrument
from wavetables.sources import SOURCE_SUFFIXES

MOST = 20_000  # tables: beyond it is a typing error
RECORDINGS, BLENDS = "Recordings", "Blends"
LOUDEST, QUIETEST = -6.0, -40.0
Wish = tuple[Item, list[str]]  # and what it would like to be called, best first


class _Entry(StrictModel):
    """What every kind of entry may say."""

    name: Line | None = Field(None, description="what to call it: one line that is a file name on every system")
    category: Line | None = Field(None, description="the folder it is put in: one line, a file name on every system")
    tags: tuple[Line, ...] = Field((), strict=False, description="words about it, a list")

    @field_validator("name", "category")
    @classmethod
    def _safe(cls, value: str | None) -> str | None:
        try:
            return None if value is None else names.check(value)
        except UserError as error:
            raise ValueError(str(error)) from error


class TableEntry(_Entry):
    """Recordings: a file, or all in a folder, below the recipe's own folder; each becomes one table."""

    source: Path = Field(description="a sound file or a folder of them, beside or below the recipe")

    @field_validator("source", mode="before")
    @classmethod
    def _exists(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            raise ValueError
        found = corner_beside(value, info.context)
        if isinstance(found, str):
            raise ValueError(f"source {value!r} is a built-in instrument; a table of one is a sweep between two")
        return found


class SweepEntry(_Entry):
    """Tables that walk between two or four sounds, one a pitch."""

    sounds: tuple[str | Path, ...] = Field(description="2 or 4 instruments or sounds, a list")
    pitches: tuple[float, ...] = Field((48.0,), description="MIDI numbers or notes, a list or {from, to, step}")
    start: tuple[float, float] = Field((0.0, 0.0), description="[x, y] of the first frame, each 0..1")
    end: tuple[float, float] = Field((1.0, 0.0), description="[x, y] of the last frame, each 0..1")
    detail: float = knob_field("detail", 1.0, "how much of what the network misses is kept")
    brightness: float = knob_field("brightness", 0.0, "tilt in dB an octave")

    @field_validator("sounds", mode="before")
    @classmethod
    def _known(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, list) or len(value) not in (2, 4) or not all(isinstance(each, str) for each in value):
            raise ValueError
        return tuple(corner_beside(each, info.context) for each in value)

    @field_validator("pitches", mode="before")
    @classmethod
    def _expanded(cls, value: object) -> object:
        return parse_pitches(value)

    @field_validator("start", "end", mode="before")
    @classmethod
    def _place(cls, value: object) -> object:
        if not isinstance(value, list) or len(value) != 2:
            raise ValueError
        if not all(isinstance(each, (int, float)) and not isinstance(each, bool) and 0 <= each <= 1 for each in value):
            raise ValueError
        return tuple(float(each) for each in value)


class GridEntry(_Entry):
    """All tables of a grid: a preset by name or file."""

    preset: Preset = Field(description="the name of a preset, or a preset file beside or below the recipe")
    pitches: tuple[float, ...] | None = Field(None, description="only these MIDI numbers or notes")

    @field_validator("preset", mode="before")
    @classmethod
    def _loaded(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            raise ValueError
        if not value.lower().endswith(".toml"):
            try:
                return presets.load(value)
            except UserError as error:
                raise ValueError(str(error)) from error
        found = corner_beside(value, info.context)  # the same rules of where a file may be
        return presets.load(Path(found))

    @field_validator("pitches", mode="before")
    @classmethod
    def _expanded(cls, value: object) -> object:
        return parse_pitches(value)


class Recipe(StrictModel):
    """A pack: what is said of it, how its tables are made, and what is in it."""

    title: Line = Field(description="the pack's name: one line, a file name on every system")
    author: Annotated[str, Field(max_length=300)] = Field("", description="who made it")
    licence: Annotated[str, Field(max_length=300)] = Field("", description='the licence, such as "CC0-1.0"')
    licence_file: str = Field("", description="a text beside the recipe that is copied into LICENSE")
    description: Annotated[str, Field(max_length=4000)] = Field("", description="a text about it")
    formats: tuple[str, ...] = Field(("serum",), strict=False, description=f"a list of {', '.join(FORMATS)}")
    loudness: float = Field(
        DEFAULT_LOUDNESS, ge=QUIETEST, le=LOUDEST, strict=False, description=f"LUFS, {QUIETEST:g}..{LOUDEST:g}"
    )
    level: Literal["table", "frame", "kept"] = Field("table", description='"table", "frame" or "kept"')
    frames: int | None = Field(None, ge=1, le=256, description="at most so many frames a table, 1..256")
    engine: str = Field("harmonic", description=f"one of {', '.join(ENGINES)}")
    samples: bool = Field(False, description="true to add the notes of every sweep")
    previews: bool = Field(True, description="false to leave the previews out")
    pictures: Literal["none", "sheet", "all"] | None = Field(
        None, description='"none", "sheet" (contact sheets) or "all" (every table and its sounds, too)'
    )
    table: tuple[TableEntry, ...] = Field((), strict=False, description="[[table]] entries: recordings")
    sweep: tuple[SweepEntry, ...] = Field((), strict=False, description="[[sweep]] entries: between two or four sounds")
    grid: tuple[GridEntry, ...] = Field((), strict=False, description="[[grid]] entries: presets")

    @field_validator("title")
    @classmethod
    def _safe(cls, value: str) -> str:
        return _Entry._safe(value) or value

    @field_validator("engine")
    @classmethod
    def _built(cls, value: str) -> str:
        if value not in ENGINES:
            raise ValueError
        return value

    @field_validator("formats")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in FORMATS:
                raise ValueError(f"no format is named {name!r}; legal: {', '.join(FORMATS)}")
        if not value or len(set(value)) < len(value):
            raise ValueError
        return value

    @model_validator(mode="after")
    def _something(self) -> Recipe:
        if not (self.table or self.sweep or self.grid):
            raise ValueError("the recipe holds no [[table]], [[sweep]] or [[grid]]")
        return self


_ENTRIES: dict[str, type[StrictModel]] = {"table": TableEntry, "sweep": SweepEntry, "grid": GridEntry}


def load(path: Path) -> Pack:
    """The plan of a recipe file. Raises UserError that names the file, the key, the value and what is legal."""
    if not path.exists():
        raise UserError(f"{path}: no such recipe or folder")
    data = parse_toml(read(path), str(path))
    try:
        recipe = Recipe.model_validate(data, context={"folder": path.parent})
    except ValidationError as error:
        place = error.errors(include_url=False)[0]["loc"]
        if len(place) < 2 or place[0] not in _ENTRIES:
            raise UserError(f"{path}: {first_problem(error, Recipe)}") from error
        line = first_problem(error, _ENTRIES[str(place[0])], 2)
        raise UserError(f"{path}: [[{place[0]}]] number {int(place[1]) + 1}: {line}") from error
    for entry in recipe.table:
        if entry.name is not None and entry.source.is_dir():
            raise UserError(
                f"{path}: the tables of a folder are called like its files; leave out name = {entry.name!r}"
            )
    titles = names.unique([[entry.name or entry.preset.title] for entry in recipe.grid])
    wishes = [
        *(wish for entry in recipe.table for wish in _recordings(entry)),
        *(wish for entry in recipe.sweep for wish in _sweeps(entry)),
        *(wish for entry, title in zip(recipe.grid, titles, strict=True) for wish in _rows(entry, title)),
    ]
    return _planned(
        Pack(
            recipe.title,
            recipe.author,
            recipe.licence,
            _licence_text(recipe.licence_file, path),
            recipe.description,
            recipe.formats,
            recipe.loudness,
            recipe.level,
            recipe.frames,
            recipe.engine,
            recipe.samples,
            recipe.previews,
            recipe.pictures or default_pictures(),
        ),
        wishes,
        str(path),
    )


def drawn(pack: Pack, options: NSynthOptions) -> Pack:
    """`pack`, its sweeps by NSynth. Raises UsageError: there are none, or one turns a knob, which NSynth has not."""
    sweeps = {item.name: item.source for item in pack.items if isinstance(item.source, Sweep)}
    if not sweeps:
        raise UsageError("--engine nsynth: the pack holds no sweep or grid, and recordings are not blended")
    turned = [name for name, sweep in sweeps.items() if sweep.knobs != Knobs()]
    if turned:
        raise UsageError(f"{turned[0]}: turns a knob of the other engines; NSynth has none, take it out of the recipe")
    return replace(pack, nsynth=options)


def default_pictures() -> Literal["none", "sheet"]:
    """Contact sheets where matplotlib is installed."""
    return "none" if find_spec("matplotlib") is None else "sheet"


def of_folder(folder: Path, pack: Pack) -> Pack:
    """`pack` with a table for every recording in `folder`, its subfolders the categories. Raises UserError: none."""
    return _planned(pack, list(_found(folder, None, ())), str(folder))


# ---------------------------------------------------------------------------------------------------------------- items
def _planned(pack: Pack, wishes: Sequence[Wish], file: str) -> Pack:
    if not 1 <= len(wishes) <= MOST:
        raise UserError(f"{file}: {len(wishes)} tables; a pack has 1..{MOST}")
    called = names.unique([wish for _, wish in wishes])
    items = tuple(replace(item, name=name) for (item, _), name in zip(wishes, called, strict=True))
    return replace(pack, items=items)


def _recordings(entry: TableEntry) -> Iterator[Wish]:
    path, pitch = presets.given_pitch(entry.source)
    if path.is_dir():
        yield from _found(path, entry.category, entry.tags)
        return
    wish = [entry.name] if entry.name is not None else names.of_recording(Path(path.parent.name, path.name))
    yield Item("", entry.category or RECORDINGS, Recording(path, pitch), entry.tags), wish


def _found(folder: Path, category: str | None, tags: tuple[str, ...]) -> Iterator[Wish]:
    try:
        found = [path for path in folder.rglob("*") if path.suffix.lower() in SOURCE_SUFFIXES and path.is_file()]
    except OSError as error:
        raise UserError(f"{folder}: this folder cannot be read: {error.strerror}") from error
    found = [path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    if not found:
        raise UserError(f"{folder}: no sound file in this folder")
    # the same order wherever it is listed: macOS decomposes letters, Linux sorts by nothing
    found.sort(key=lambda path: unicodedata.normalize("NFC", path.relative_to(folder).as_posix()))
    for path in found:
        below = path.relative_to(folder)
        own = names.tidy(below.parts[0]) if len(below.parts) > 1 else RECORDINGS
        yield Item("", category or own, Recording(path), tags), names.of_recording(below)


def _sweeps(entry: SweepEntry) -> Iterator[Wish]:
    corners = tuple(map(_cornered, entry.sounds))
    base = entry.name or "-".join(corner.name for corner in corners)
    category = entry.category or BLENDS
    for pitch in entry.pitches:
        sweep = Sweep(corners, pitch, entry.start, entry.end, knobs=Knobs(entry.detail, entry.brightness))
        yield Item("", category, sweep, entry.tags), _wishes(base, pitch, category)


def _rows(entry: GridEntry, title: str) -> Iterator[Wish]:
    """The tables of a grid, which the page calls `title`."""
    preset = entry.preset
    corners = tuple(map(_cornered, preset.corners))
    wide = 2 if len(corners) == 2 else math.isqrt(len(corners))
    lines = ["-".join(corner.name for corner in corners[k : k + wide]) for k in range(0, len(corners), wide)]
    category = entry.category or names.safe(preset.title)
    for pitch in entry.pitches or preset.pitches:
        for row in range(preset.rows):
            y = row / max(preset.rows - 1, 1)
            above = int(y * (len(lines) - 1))
            share = round(100 * (y * (len(lines) - 1) - above))
            base = lines[above] if share == 0 else f"{lines[above]} {100 - share}-{share} {lines[above + 1]}"
            sweep = Sweep(corners, pitch, (0.0, y), (1.0, y), preset.weights, preset.knobs)
            wish = _wishes(base, pitch, category)
            yield Item("", category, sweep, entry.tags, title), wish


def _wishes(base: str, pitch: float, category: str) -> list[str]:
    """ "Flute-Choir C3"; where that is taken, with its category."""
    own = f"{base} {names.pitch_label(pitch)}"
    return [own, f"{own} ({category})"]


def _cornered(spec: str | Path) -> Corner:
    if isinstance(spec, str):
        licence = next(entry.licence for entry in presets.instruments() if entry.name == spec)
        return Corner(names.tidy(spec), partial(presets.load_instrument, spec), (), None, licence)
    path, pitch = presets.given_pitch(spec)
    files = tuple(sorted(each for each in path.iterdir() if each.is_file())) if path.is_dir() else (path,)
    return Corner(names.tidy(path.stem.removesuffix("_embeddings")), partial(instrument, path, pitch), files, pitch)


def _licence_text(name: str, recipe: Path) -> str:
    if not name:
        return ""
    if PurePosixPath(name.replace("\\", "/")).name != name:
        raise UserError(f"{recipe}: licence_file = {name!r}: put the text beside the recipe")
    try:
        return (recipe.parent / name).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise UserError(f"{recipe}: licence_file = {name!r}: cannot be read as text ({error})") from error
