"""The schema of preset files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from nsynth_core.errors import UsageError, UserError
from nsynth_core.sound.knobs import RANGES, Knobs, envelope_of
from presets.checking import Line, StrictModel, check_name, first_problem, parse_toml
from presets.corners import CORNERS, corner_beside

MAX_PITCHES = 128
MAX_NOTES = 10_000
MAX_SOUND_SECONDS = 43_200.0  # twelve hours: 12 GB of 24-bit 48 kHz stereo; NSynth's own grid takes eleven


def knob_field(name: str, default: float, what: str) -> Any:
    """The field of a knob, a number within its range. `what` says what the knob does."""
    low, high = RANGES[name]
    return Field(default, ge=low, le=high, strict=False, description=f"{what}, {low:g}..{high:g}")


class Preset(StrictModel):
    """A recipe of a grid: corner instruments x mixes x pitches.

    `corners` are built-in instruments or, in a user's file, sounds (a Path each): two make a line, else they are a
    square row by row (top-left, top-right, bottom-left, bottom-right). `pitches` are MIDI numbers, ascending.
    """

    title: Line = Field(description="one line of text, at most 300 characters")
    why: Line = Field(description="one line that says why it sounds interesting, at most 300 characters")
    corners: tuple[str | Path, ...] = Field(
        description="2 or 4 instrument names or sounds (top-left, top-right, bottom-left, bottom-right), or n x n"
    )
    mixes: int = Field(5, ge=2, le=33, description="a whole number of mix points from sound to sound, 2..33")
    pitches: tuple[float, ...] = Field(
        description=f"1..{MAX_PITCHES} MIDI numbers 0..127 or note names, as a list or as {{from, to, step}}"
    )
    seconds: float = Field(4.0, ge=0.1, le=60, strict=False, description="the length of a note, 0.1..60 seconds")
    rate: Literal[44100, 48000, 88200, 96000] = Field(48000, description="44100, 48000, 88200 or 96000 Hz")
    weights: Literal["bilinear", "nsynth"] = Field("bilinear", description='"bilinear" or "nsynth"')
    detail: float = knob_field("detail", 1.0, "how much of what the network misses is kept")
    brightness: float = knob_field("brightness", 0.0, "tilt in dB an octave")
    noise: float = knob_field("noise", 1.0, "factor of the noise")
    width: float = knob_field("width", 1.0, "factor of the stereo width")
    envelope: str = Field("mix", description='whose level curve: a corner\'s letter ("A" is the first) or "mix"')
    stereo: Literal["mono", "lr", "ms"] = Field("mono", description='kind of tables: "mono", "lr" or "ms"')

    @property
    def side(self) -> int:
        """Columns of the mix plane: the corners lie on points."""
        between = 1 if len(self.corners) == 2 else math.isqrt(len(self.corners)) - 1
        return (self.mixes - 1) * between + 1

    @property
    def rows(self) -> int:
        """Rows of the mix plane: as many as columns in a square, one between two corners."""
        return 1 if len(self.corners) == 2 else self.side

    @property
    def knobs(self) -> Knobs:
        """The knobs as the renderer takes them."""
        envelope = envelope_of(self.envelope, len(self.corners))
        return Knobs(self.detail, self.brightness, self.noise, self.width, envelope)

    @property
    def tables(self) -> int:
        """How many tables the grid has: one a row and pitch, its frames walk the columns."""
        return self.rows * len(self.pitches)

    @property
    def notes(self) -> int:
        """How many notes the grid has."""
        return self.rows * self.side * len(self.pitches)

    @field_validator("seconds", *RANGES, mode="before")
    @classmethod
    def _no_truth_value(cls, value: object) -> object:
        if isinstance(value, (bool, str)):
            raise ValueError
        return value

    @field_validator("corners", mode="before")
    @classmethod
    def _known_corners(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, tuple):  # checked already: TOML has no tuples
            return value
        if not isinstance(value, list) or len(value) not in CORNERS or not all(isinstance(each, str) for each in value):
            raise ValueError
        return tuple(corner_beside(each, info.context) for each in value)

    @field_validator("pitches", mode="before")
    @classmethod
    def _expand_pitches(cls, value: object) -> object:
        return value if isinstance(value, tuple) else parse_pitches(value)

    @model_validator(mode="after")
    def _known_envelope(self) -> Preset:
        try:
            envelope_of(self.envelope, len(self.corners))
        except UsageError as error:
            raise ValueError(str(error)) from error
        return self

    @model_validator(mode="after")
    def _not_absurd(self) -> Preset:
        if self.notes > MAX_NOTES:
            raise ValueError(f"{self.notes} notes (mixes x pitches); at most {MAX_NOTES} are rendered at once")
        if self.notes * self.seconds > MAX_SOUND_SECONDS:
            hours, most = self.notes * self.seconds / 3600, MAX_SOUND_SECONDS / 3600
            raise ValueError(f"{hours:.0f} hours of sound (notes x seconds); at most {most:.0f} are rendered at once")
        return self


def parse(data: bytes, name: str, file: str, folder: Path | None) -> Preset:
    """The preset in the TOML text `data`; `file` is what errors call it.

    Corners that are no built-in instruments are sounds relative to `folder`; None allows only instruments.
    """
    try:
        check_name(name)
        return Preset.model_validate(parse_toml(data, file), context={"folder": folder})
    except ValidationError as error:
        raise UserError(f"{file}: {first_problem(error, Preset)}") from error
    except ValueError as error:
        raise UserError(f"{file}: {error}; rename the file") from error


def parse_settings(data: Mapping[str, object], file: str) -> Preset:
    """The preset of keys that are of their types already; `file` is what errors call it. Raises UserError."""
    try:
        return Preset.model_validate(data)
    except ValidationError as error:
        raise UserError(f"{file}: {first_problem(error, Preset)}") from error


def change(preset: Preset, changes: Mapping[str, object]) -> Preset:
    """`preset` with some keys changed, checked again. Raises UsageError."""
    try:
        return Preset.model_validate({**{key: getattr(preset, key) for key in Preset.model_fields}, **changes})
    except ValidationError as error:
        raise UsageError(first_problem(error, Preset)) from error


def parse_pitches(value: object) -> tuple[float, ...]:
    """MIDI numbers, rising, from a list of MIDI numbers and note names, or from {from, to, step}.

    Raises ValueError: no pitch, outside 0..127, named twice, or too many.

    >>> parse_pitches(["C3", 60])
    (48.0, 60.0)
    >>> parse_pitches({"from": "C2", "to": "C3", "step": 6})
    (36.0, 42.0, 48.0)
    """
    from nsynth_core.notes import parse_pitch

    def one(item: object) -> float:
        if isinstance(item, bool) or not isinstance(item, (int, float, str)):
            raise ValueError(f"pitch {item!r} is neither a MIDI number nor a note name")
        try:
            midi = parse_pitch(item) if isinstance(item, str) else float(item)
        except UserError as error:
            raise ValueError(str(error)) from error
        if not 0 <= midi <= 127:
            raise ValueError(f"pitch {item!r} is outside 0..127")
        return midi

    if isinstance(value, dict):
        if set(value) != {"from", "to", "step"}:
            raise ValueError(f"pitches has the keys {', '.join(map(str, value))}; it needs from, to and step")
        low, high, step = one(value["from"]), one(value["to"]), value["step"]
        if isinstance(step, bool) or not isinstance(step, (int, float)) or not step > 0 or low > high:
            raise ValueError("pitches needs from <= to and a step above 0")
        count = (high - low) / step + 1e-9 + 1
        if not count < MAX_PITCHES + 1:
            raise ValueError(f"pitches makes {count:.0f} pitches; at most {MAX_PITCHES}")
        return tuple(low + index * float(step) for index in range(int(count)))
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_PITCHES:
        raise ValueError
    pitches = tuple(sorted(one(item) for item in value))
    if len(set(pitches)) < len(pitches):
        raise ValueError("pitches names one pitch twice")
    return pitches
