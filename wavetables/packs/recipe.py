"""Recipes of packs: TOML files, checked by a schema. `planning` makes a plan of a recipe."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

import presets
from nsynth_core.blending.engine import ENGINES
from nsynth_core.errors import UserError
from presets.checking import Line, StrictModel, first_problem, parse_toml, read
from presets.corners import corner_beside
from presets.schema import Preset, knob_field, parse_pitches
from wavetables.packs import names
from wavetables.packs.plan import DEFAULT_LOUDNESS, FORMATS, LOUDEST, QUIETEST


class _Entry(StrictModel):
    """The keys of every kind of entry."""

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
    """A recording, or a folder of them, beside or below the recipe. Each recording becomes one table."""

    source: Path = Field(description="a sound file or a folder of them, beside or below the recipe")

    @field_validator("source", mode="before")
    @classmethod
    def _exists(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            raise ValueError
        source = corner_beside(value, info.context)
        if isinstance(source, str):
            raise ValueError(f"source {value!r} is a built-in instrument; a table of one is a sweep between two")
        return source


class SweepEntry(_Entry):
    """Tables whose frames walk between two or four sounds, one table for each pitch."""

    sounds: tuple[str | Path, ...] = Field(description="2 or 4 instruments or sounds, a list")
    pitches: tuple[float, ...] = Field((48.0,), description="MIDI numbers or notes, a list or {from, to, step}")
    start: tuple[float, float] = Field((0.0, 0.0), description="[x, y] of the first frame, each 0..1")
    end: tuple[float, float] = Field((1.0, 0.0), description="[x, y] of the last frame, each 0..1")
    detail: float = knob_field("detail", 1.0, "how much of what the network misses is kept")
    brightness: float = knob_field("brightness", 0.0, "tilt in dB an octave")

    @field_validator("sounds", mode="before")
    @classmethod
    def _known(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, list) or len(value) not in (2, 4) or not all(isinstance(spec, str) for spec in value):
            raise ValueError
        return tuple(corner_beside(spec, info.context) for spec in value)

    @field_validator("pitches", mode="before")
    @classmethod
    def _expanded(cls, value: object) -> object:
        return parse_pitches(value)

    @field_validator("start", "end", mode="before")
    @classmethod
    def _place(cls, value: object) -> object:
        if not isinstance(value, list) or len(value) != 2:
            raise ValueError
        if not all(isinstance(x, (int, float)) and not isinstance(x, bool) and 0 <= x <= 1 for x in value):
            raise ValueError
        return tuple(map(float, value))


class GridEntry(_Entry):
    """All tables of a grid: a preset, by its name or its file."""

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
        # a preset's file follows the same rules as a sound: beside or below the recipe
        return presets.load(Path(corner_beside(value, info.context)))

    @field_validator("pitches", mode="before")
    @classmethod
    def _expanded(cls, value: object) -> object:
        return parse_pitches(value)


class Recipe(StrictModel):
    """A pack: its texts, how its tables are made, and its entries."""

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


ENTRIES: dict[str, type[StrictModel]] = {"table": TableEntry, "sweep": SweepEntry, "grid": GridEntry}


def read_recipe(path: Path) -> Recipe:
    """The recipe in a TOML file.

    Sounds and presets that it names lie beside or below the file. Raises UserError, one line that names the file, the
    key, the value and what is legal.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "recipe.toml")
    ...     _ = path.write_text("title = 'First Light'; [[sweep]]; sounds = ['flute', 'choir']".replace("; ", chr(10)))
    ...     recipe = read_recipe(path)
    >>> recipe.title, recipe.sweep[0].sounds
    ('First Light', ('flute', 'choir'))
    """
    if not path.exists():
        raise UserError("no such recipe or folder", path=path)
    data = parse_toml(read(path), str(path))
    try:
        recipe = Recipe.model_validate(data, context={"folder": path.parent})
    except ValidationError as error:
        raise UserError(_problem(error), path=path) from error
    for entry in recipe.table:
        if entry.name is not None and entry.source.is_dir():
            raise UserError(
                f"the tables of a folder are called like its files; leave out name = {entry.name!r}", path=path
            )
    return recipe


def _problem(error: ValidationError) -> str:
    """The first problem, and the entry in which it is."""
    place = error.errors(include_url=False)[0]["loc"]
    if len(place) < 2 or place[0] not in ENTRIES:
        return first_problem(error, Recipe)
    kind = str(place[0])
    return f"[[{kind}]] number {int(place[1]) + 1}: {first_problem(error, ENTRIES[kind], 2)}"


def read_licence(recipe: Recipe, path: Path) -> str:
    """The text of the recipe's licence file, which lies beside the recipe at `path`; "" where it names none."""
    name = recipe.licence_file
    if not name:
        return ""
    if PurePosixPath(name.replace("\\", "/")).name != name:
        raise UserError(f"licence_file = {name!r}: put the text beside the recipe", path=path)
    try:
        return (path.parent / name).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise UserError(f"licence_file = {name!r}: cannot be read as text ({error})", path=path) from error
